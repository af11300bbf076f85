import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Difference } from './compareImages.ts'
import { exceptions } from './exceptions.ts'
import { FIXED, type Members } from './members.ts'

const OWNERS: Record<string, string> = {
  _one: 'lib.a(one.o)',
  _uno: 'lib.a(one.o)',
  _two: 'lib.a(two.o)',
  _main: 'main.o',
  _data: 'data.o',
  _inline: FIXED,
}
const several: Members = { several: true, ownerOf: (element) => OWNERS[element] }
const single: Members = { several: false, ownerOf: () => undefined }

function matching(kind: string, subject: string, ours: string | null, theirs: string | null, members = several) {
  const difference: Difference = { kind, subject, ours, theirs }
  return exceptions.filter((exception) => exception.matches(difference, members)).map((exception) => exception.id)
}

describe('the exceptions of the comparison', () => {
  test('let another tool and version pass, and no other field of the build version', () => {
    const ours = 'platform 1 minos 13.0.0 sdk 13.0.0 tool 3 0.1.0'
    const of = (theirs: string) => matching('load command', 'LC_BUILD_VERSION', ours, theirs)
    assert.deepEqual(of('platform 1 minos 13.0.0 sdk 13.0.0 tool 4 22.1.8'), ['tool-version'])
    assert.deepEqual(of('platform 1 minos 13.0.0 sdk 13.1.0 tool 4 22.1.8'), [])
    assert.deepEqual(of('platform 1 minos 13.0.0 sdk 13.0.0'), [])
  })

  test('let archive members stand in another order, and neither other objects nor what is inside a member', () => {
    const of = (ours: string, theirs: string, members = several) =>
      matching('order', 'symbols in __TEXT,__text', ours, theirs, members)
    assert.deepEqual(of('_main\n_one\n_two', '_main\n_two\n_one'), ['member-order'])
    assert.deepEqual(of('_main\n_one\n_shared\n_two', '_main\n_one\n_two\n_shared'), ['member-order'])
    assert.deepEqual(of('_main\n_one\n_two', '_main\n_two\n_one', single), [])
    assert.deepEqual(of('_one\n_uno', '_uno\n_one'), [])
    assert.deepEqual(of('_main\n_data\n_one', '_data\n_main\n_one'), [])
    assert.deepEqual(of('_main\n_inline\n_one', '_inline\n_main\n_one'), [])
    assert.deepEqual(matching('order', 'segments', '_one\n_two', '_two\n_one'), [])
  })

  test('let external names stand in another order where members do, and lack none', () => {
    const of = (subject: string, theirs: string, members = several) =>
      matching('order', subject, '_a\n_b', theirs, members)
    assert.deepEqual(of('extern symbols', '_b\n_a'), ['member-mention'])
    assert.deepEqual(of('private extern symbols', '_b\n_a'), ['member-mention'])
    assert.deepEqual(of('debug map of lib.a(one.o)', '_b\n_a'), ['member-mention'])
    assert.deepEqual(of('extern symbols', '_b\n_a', single), [])
    assert.deepEqual(of('extern symbols', '_b\n_c'), [])
    assert.deepEqual(of('load commands', '_b\n_a'), [])
  })

  test('let a weak definition stand under another member in the debug map, and under no other object', () => {
    const of = (ours: string, theirs: string, members = several) => matching('stabs', 'x', ours, theirs, members)
    assert.deepEqual(of('0x24 "_x", 0x8 bytes of lib.a(one.o)', '0x24 "_x", 0x8 bytes of lib.a(two.o)'), [
      'member-definition',
    ])
    assert.deepEqual(of('0x24 "_x", 0x8 bytes of lib.a(one.o)', '0x24 "_x", 0x9 bytes of lib.a(two.o)'), [])
    assert.deepEqual(of('0x24 "_x", 0x8 bytes of lib.a(one.o)', '0x24 "_x", 0x8 bytes of main.o'), [])
    assert.deepEqual(of('0x24 "_x" of lib.a(one.o)', '0x24 "_x" of lib.a(two.o)', single), [])
  })

  test('let a null unwind entry stand first, and no encoding be another', () => {
    const of = (ours: string, theirs: string) => matching('unwind', '_f', ours, theirs)
    assert.deepEqual(of('0x2000000 before it 0x0', '0x0 before it 0x2000000'), ['null-unwind-first'])
    assert.deepEqual(of('0x2000000 before it 0x0', '0x0'), ['null-unwind-first'])
    assert.deepEqual(of('0x2000000 before it 0x0', '0x0 before it 0x4000000'), [])
    assert.deepEqual(of('0x0', '0x2000000 before it 0x0'), [])
    assert.deepEqual(of('0x2000000', '0x0'), [])
  })

  test('give a reason each', () => {
    for (const { id, reason } of exceptions) assert.ok(reason.length > 20, id)
  })
})
