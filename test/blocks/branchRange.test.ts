import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import type { BlockHandle } from '../../src/blocks.ts'
import { verify } from '../../src/verify.ts'
import { createTarget } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, newImage, type Step } from './build.ts'
import { statusOf } from './check.ts'

const MIB = 2 ** 20

const BASE = 2 ** 32

/** Where the instruction `bl` at an address leads. */
function branchTarget(contents: Uint8Array, address: number): number {
  const word = wordAt(contents, address)
  assert.equal(word >>> 26, 0x25)
  return address + ((word << 6) >> 6) * 4
}

/** The address that the thunk behind a branch jumps to, or from where it loads that. */
function destination(contents: Uint8Array, address: number): number {
  const thunk = branchTarget(contents, address)
  const [adrp, second, jump] = [0, 4, 8].map((offset) => wordAt(contents, thunk + offset))
  assert.equal((adrp & 0x9f00001f) >>> 0, 0x90000010)
  assert.equal(jump >>> 0, 0xd61f0200)
  const pages = (((adrp << 8) >> 13) << 2) | ((adrp >>> 29) & 3)
  const loads = second >>> 22 === 0x3e5
  return Math.floor(thunk / 4096) * 4096 + pages * 4096 + ((second >>> 10) & 0xfff) * (loads ? 8 : 1)
}

function wordAt(contents: Uint8Array, address: number): number {
  return new DataView(contents.buffer, contents.byteOffset).getInt32(address - BASE, true)
}

const add = (value: number): Step => ({ add: value })

for (const fixups of ['chained', 'opcodes'] as const) {
  const target = createTarget('arm64', fixups)
  for (const calls of ['got', 'direct'] as const) {
    test(`branches go beyond 128 MiB by thunks (${target.name}, calls: ${calls})`, () => {
      const image = newImage(target, { calls, codeSize: 140 * MIB })
      const [main, far, near, wide] = ['_main', '_far', '_near', '_wide'].map(image.declareBlock)
      const abs = image.addImport('_abs', LIBSYSTEM)
      image.updateBlock(near, functionOf('arm64', [add(3)]))
      const update = functionOf('arm64', [{ call: far }, { call: near }, { call: abs }], 'zero')
      image.updateBlock(main, update)
      image.updateBlock(wide, { code: new Uint8Array(130 * MIB) })
      const back = functionOf('arm64', [add(-20), { call: near }])
      image.updateBlock(far, back)
      assert.ok(image.addressOf(far) - image.addressOf(main) > 128 * MIB)
      const { messages, contents } = image.flush()
      assert.deepEqual(messages, [])
      assert.deepEqual(
        verify(contents!, { host }).filter(({ id }) => id !== 'unsigned'),
        [],
      )
      const [toFar, toNear, toAbs] = update.relocations!.map(({ offset }) => image.addressOf(main) + offset)
      const expected = (block: number) => (calls === 'got' ? image.gotAddressOf(block) : image.addressOf(block))
      assert.equal(destination(contents!, toFar), expected(far))
      assert.equal(destination(contents!, toAbs), image.gotAddressOf(abs))
      // What is in reach of its caller needs no thunk, and in reach of nobody but by a stub it does.
      const direct = branchTarget(contents!, toNear)
      if (calls === 'direct') assert.equal(direct, image.addressOf(near))
      else assert.equal(destination(contents!, toNear), image.gotAddressOf(near))
      const toNearFromFar = image.addressOf(far) + back.relocations![0].offset
      if (calls === 'direct') assert.equal(destination(contents!, toNearFromFar), image.addressOf(near))
      else assert.equal(branchTarget(contents!, toNearFromFar), image.stubAddressOf(near))
    })

    test(`thunks come and go with what needs them (${target.name}, calls: ${calls})`, () => {
      const image = newImage(target, { calls, branchReach: 4096 })
      const main = image.declareBlock('_main')
      const abs = image.addImport('_abs', LIBSYSTEM)
      const blocks: BlockHandle[] = Array.from({ length: 24 }, (_, i) => image.declareBlock(`_f${i}`))
      const random = randomFrom(5)
      const values: number[] = blocks.map(() => 1)
      const sizes: number[] = blocks.map(() => 1)
      const compile = (i: number) => {
        const room = Array(sizes[i]).fill(add(0))
        const next = i + 1 < blocks.length ? [{ call: blocks[i + 1] }] : [{ call: abs }]
        image.updateBlock(blocks[i], functionOf('arm64', [add(values[i]), ...next, ...room]))
      }
      for (let i = 0; i < blocks.length; i++) compile(i)
      image.updateBlock(main, functionOf('arm64', [{ call: blocks[0] }, { call: abs }], 'zero'))
      for (let round = 0; round < 8; round++) {
        for (let edits = 0; edits < 10; edits++) {
          const i = Math.floor(random() * blocks.length)
          values[i] = Math.floor(random() * 5)
          sizes[i] = Math.floor(random() * 60)
          compile(i)
        }
        if (round === 5) image.compact()
        assert.equal(
          statusOf(target, image),
          values.reduce((sum, value) => sum + value, 0),
        )
      }
    })

    test(`a packed image has the thunks of a fresh one (${target.name}, calls: ${calls})`, () => {
      const build = (detour: boolean) => {
        const image = newImage(target, { calls, branchReach: 4096 })
        const handles = Array.from({ length: 40 }, (_, i) => image.declareBlock(`_f${i}`))
        const main = image.declareBlock('_main')
        const order = [...handles.keys()]
        if (detour) {
          order.reverse()
          for (const i of order) image.updateBlock(handles[i], functionOf('arm64', [add(1), { call: handles[0] }]))
          image.updateBlock(main, functionOf('arm64', [{ call: handles[1] }], 'zero'))
          image.flush()
        }
        for (const i of order) {
          const next = i < 39 ? [{ call: handles[i + 1] }, { call: handles[39] }] : []
          image.updateBlock(handles[i], functionOf('arm64', [...next, ...Array(30).fill(add(0))]))
        }
        image.updateBlock(main, functionOf('arm64', [add(5)], 'zero'))
        image.compact()
        const { messages, contents } = image.flush()
        assert.deepEqual(messages, [])
        assert.equal(statusOf(target, image), 5)
        return Buffer.from(contents!)
      }
      assert.ok(build(true).equals(build(false)))
    })
  }

  test(`a branch in a block that is too large is a message (${target.name})`, () => {
    const image = newImage(target, { calls: 'direct', branchReach: 4096 })
    const [main, far] = ['_main', '_far'].map(image.declareBlock)
    const wide = image.declareBlock('_wide')
    image.updateBlock(main, functionOf('arm64', [], 'zero'))
    const relocations = [{ offset: 30000, type: 'ARM64_RELOC_BRANCH26', target: far }]
    image.updateBlock(wide, { code: new Uint8Array(60000).fill(0x14), relocations })
    image.updateBlock(far, functionOf('arm64', []))
    assert.deepEqual(
      image.flush().messages.map(({ id, text }) => [id, text]),
      [['relocation-out-of-range', 'ARM64_RELOC_BRANCH26 at _wide+30000 does not reach _far']],
    )
    image.updateBlock(wide, { code: new Uint8Array(60000) })
    assert.equal(statusOf(target, image), 0)
  })
}
