import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteSink, fromText } from '../../../src/core/bytes.ts'
import { editExportTrie } from '../../../src/formats/dyld/editExportTrie.ts'
import { decodeExportTrie, encodeExportTrie } from '../../../src/formats/dyld/exportTrie.ts'
import { moveExport } from '../../../src/formats/dyld/moveExport.ts'
import { nameRows } from './linked.ts'

type Exports = Map<string, number>

function encode(exports: Exports, roomy = true): Uint8Array {
  const names = [...exports.keys()]
  return encodeExportTrie(
    {
      order: null,
      names: nameRows(names),
      flags: new Uint8Array(names.length),
      addresses: Float64Array.from(exports.values()),
      others: null,
      importNames: null,
      count: names.length,
    },
    undefined,
    roomy,
  )
}

function decode(bytes: Uint8Array): Exports {
  const found: Exports = new Map()
  decodeExportTrie(bytes, (name, _, address) => found.set(name, address))
  return found
}

function terminal(address: number): Uint8Array {
  const sink = new ByteSink(8)
  sink.u8(0)
  sink.uleb(address)
  return sink.finish()
}

/** A generator of numbers below `limit`, always the same ones. */
function numbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * limit)
  }
}

function program(count: number, below: (limit: number) => number): Exports {
  const exports: Exports = new Map()
  while (exports.size < count) exports.set(nameOf(below), below(1 << 26))
  return exports
}

function nameOf(below: (limit: number) => number): string {
  const kinds = ['_', '__ZN4core', '__ZNSt3', '_module_', '_a']
  return `${kinds[below(kinds.length)]}${below(300).toString(36)}_f${below(4000)}${below(9) === 0 ? 'x'.repeat(below(200)) : ''}`
}

test('a trie with rooms holds the same exports and takes little more', () => {
  for (const count of [1, 2, 30, 700, 20_000]) {
    const exports = program(count, numbers(count))
    const [roomy, tight] = [encode(exports), encode(exports, false)]
    assert.deepEqual(decode(roomy), decode(tight))
    assert.ok(roomy.length <= tight.length * 1.3 + 8, `${roomy.length} bytes instead of ${tight.length}`)
  }
})

test('an edited trie is the one that the names give, and most edits touch little of it', () => {
  for (const count of [40, 900, 4000]) {
    const below = numbers(count + 1)
    const exports = program(count, below)
    let trie = encode(exports)
    let [written, taken, anew] = [0, 0, 0]
    for (let i = 0; i < 60; i++) {
      const names = [...exports.keys()]
      const isGone = below(2) === 0
      const name = isGone ? names[below(names.length)] : nameOf(below)
      const address = below(1 << 26)
      if (isGone) exports.delete(name)
      else exports.set(name, address)
      const range = editExportTrie(trie, fromText(name), isGone ? null : terminal(address))
      const fresh = encode(exports)
      if (range === null) {
        anew++
        trie = fresh
        continue
      }
      assert.ok(Buffer.from(trie).equals(fresh), `edit ${i} of ${count} exports`)
      taken++
      written += range[1] - range[0]
    }
    if (count < 4000) continue
    assert.ok(anew < 4, `${anew} of 60 edits were too large`)
    assert.ok(written / taken < trie.length / 3, `${written / taken} bytes an edit`)
  }
})

test('an export moves in a trie with rooms, and what is not there does not go', () => {
  const exports = program(3000, numbers(5))
  const trie = encode(exports)
  const [name] = exports.keys()
  const bytes = fromText(name)
  assert.ok(moveExport(trie, bytes, 0, bytes.length, exports.get(name)! ^ 1) > 0)
  assert.equal(decode(trie).get(name), exports.get(name)! ^ 1)
  const before = trie.slice()
  assert.equal(editExportTrie(trie, fromText('_not_there'), null), null)
  assert.deepEqual(trie, before)
})
