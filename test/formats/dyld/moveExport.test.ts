import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromText } from '../../../src/core/bytes.ts'
import { encodeExportTrie } from '../../../src/formats/dyld/exportTrie.ts'
import { moveExport } from '../../../src/formats/dyld/moveExport.ts'

const NAMES = ['_a', '_ab', '_abc', '_b', '_main', '_map']

function trieOf(addresses: readonly number[]): Uint8Array {
  const texts = NAMES.map((name) => fromText(`${name}\0`))
  const offset = new Uint32Array(NAMES.length)
  for (let i = 1; i < NAMES.length; i++) offset[i] = offset[i - 1] + texts[i - 1].length
  return encodeExportTrie({
    names: { bytes: Buffer.concat(texts), offset, length: Uint32Array.from(NAMES, (name) => name.length) },
    flags: new Uint8Array(NAMES.length),
    addresses: Float64Array.from(addresses),
    others: null,
    importNames: null,
    order: null,
    count: NAMES.length,
  })
}

test('a moved export gives the trie that its new address would have given', () => {
  const addresses = NAMES.map((_, i) => 0x4000 + i * 16)
  for (let i = 0; i < NAMES.length; i++) {
    const trie = trieOf(addresses)
    const name = fromText(`xx${NAMES[i]}yy`)
    assert.ok(moveExport(trie, name, 2, NAMES[i].length, 0x5432) > 0)
    assert.deepEqual(trie, trieOf(addresses.map((address, at) => (at === i ? 0x5432 : address))))
  }
})

test('an address of another length and a name that is not there change nothing', () => {
  const addresses = NAMES.map((_, i) => 0x4000 + i * 16)
  const trie = trieOf(addresses)
  assert.equal(moveExport(trie, fromText('_main'), 0, 5, 0x400000), -1)
  for (const name of ['_', '_mai', '_mainx', '_c', ''])
    assert.equal(moveExport(trie, fromText(name), 0, name.length, 0x4000), -1)
  assert.deepEqual(trie, trieOf(addresses))
})
