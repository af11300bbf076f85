import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sortNames } from '../../../src/formats/dyld/sortNames.ts'

function rowsOf(names: string[]) {
  const texts = names.map((name) => Buffer.from(name, 'latin1'))
  let at = 0
  const offset = texts.map((text) => {
    at += text.length + 1
    return at - text.length - 1
  })
  return {
    bytes: new Uint8Array(Buffer.concat(texts.flatMap((text) => [text, Buffer.of(0)]))),
    offset: Uint32Array.from(offset),
    length: Uint32Array.from(texts, (text) => text.length),
  }
}

function check(names: string[], order: number[]) {
  const sorted = sortNames(rowsOf(names), Uint32Array.from(order))
  const expected = order.slice().sort((a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : 0))
  assert.deepEqual([...sorted.order], expected)
  for (let i = 1; i < expected.length; i++) {
    const [before, name] = [names[expected[i - 1]], names[expected[i]]]
    let shared = 0
    while (shared < Math.min(before.length, name.length) && before[shared] === name[shared]) shared++
    assert.equal(sorted.shared[i], shared, `${before} and ${name}`)
  }
}

test('names in runs of any length are merged, with the bytes that neighbours share', () => {
  let state = 7
  const random = (end: number): number => {
    state = (state * 48271) % 0x7fffffff
    return state % end
  }
  for (let round = 0; round < 60; round++) {
    const names = Array.from({ length: random(200) + 1 }, () =>
      Array.from({ length: random(12) }, () => 'ab\xff_'[random(4)]).join(''),
    )
    if (round % 3 === 0) names.splice(0, names.length / 2, ...names.slice(0, names.length / 2).sort())
    check(
      names,
      names.map((_, i) => i),
    )
    check(names, names.map((_, i) => i).reverse())
  }
})

test('names that ascend already, descend, or are all the same', () => {
  const names = ['', 'a', 'aa', 'aab', 'ab', 'b', 'b\xff']
  check(names, [0, 1, 2, 3, 4, 5, 6])
  check(names, [6, 5, 4, 3, 2, 1, 0])
  check(['same', 'same', 'same'], [2, 0, 1])
  check(['alone'], [0])
  check([], [])
})
