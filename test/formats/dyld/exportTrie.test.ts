import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FormatError, toText } from '../../../src/core/bytes.ts'
import {
  decodeExportTrie,
  type ExportRows,
  encodeExportTrie,
  walkExportTrie,
} from '../../../src/formats/dyld/exportTrie.ts'
import { LIBRARY, linkDylib, nameRows, sourceFor } from './linked.ts'

type Export = { name: string; flags: number; address: number; other: number; importName: string }

function decode(bytes: Uint8Array): Export[] {
  const rows: Export[] = []
  decodeExportTrie(bytes, (name, flags, address, other, importName) =>
    rows.push({ name, flags, address, other, importName }),
  )
  return rows
}

function encode(rows: Export[]): Uint8Array {
  const columns: ExportRows = {
    order: null,
    names: nameRows(rows.map((row) => row.name)),
    flags: Uint8Array.from(rows, (row) => row.flags),
    addresses: Float64Array.from(rows, (row) => row.address),
    others: Uint32Array.from(rows, (row) => row.other),
    importNames: nameRows(rows.map((row) => row.importName)),
    count: rows.length,
  }
  return encodeExportTrie(columns)
}

function byName(a: Export, b: Export): number {
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))
}

const plain = (name: string, address: number): Export => ({ name, flags: 0, address, other: 0, importName: '' })
const text = fc.string({ unit: fc.constantFrom('a', 'b', '_', 'é', 'Z', 'aaaaaa'), maxLength: 12 })
const exported: fc.Arbitrary<Export> = fc.oneof(
  fc.record(
    {
      name: text,
      flags: fc.constantFrom(0, 1, 2, 4),
      address: fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.integer({ min: -5, max: -1 })),
      other: fc.constant(0),
      importName: fc.constant(''),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    { name: text, flags: fc.constant(8), address: fc.constant(0), other: fc.nat(300), importName: text },
    { noNullPrototype: true },
  ),
  fc.record(
    { name: text, flags: fc.constant(16), address: fc.nat(), other: fc.nat(), importName: fc.constant('') },
    { noNullPrototype: true },
  ),
)
const exportsOf = (maxLength: number) => fc.uniqueArray(exported, { selector: (row) => row.name, maxLength })

test('exports come back in byte order of their names', () => {
  fc.assert(
    fc.property(exportsOf(80), (rows) => {
      const bytes = encode(rows)
      assert.deepEqual(decode(bytes), rows.sort(byName))
      let walked = 0
      walkExportTrie(bytes, (name, length, flags) => {
        assert.equal(toText(name, 0, length), rows[walked].name)
        assert.equal(flags, rows[walked++].flags)
      })
      assert.equal(walked, rows.length)
    }),
    { seed: 40, numRuns: 400 },
  )
})

test('a trie of ld64.lld holds the same exports in as many bytes as ours', () => {
  const { trie } = linkDylib(sourceFor('arm64'), LIBRARY, []).pieces
  const rows = decode(trie)
  assert.deepEqual(rows.map((row) => [row.name, row.flags]).sort(), [
    ['_alpha', 0],
    ['_alphabet', 0],
    ['_beta', 0],
    ['_main', 0],
    ['_weaklocal', 4],
  ])
  const ours = encode(rows)
  assert.deepEqual(decode(ours), rows.toSorted(byName))
  assert.equal(Math.ceil(ours.length / 8) * 8, trie.length)
})

test('the trie does not depend on the order of the rows', () => {
  const rows = Array.from({ length: 3000 }, (_, i) => plain(`__ZN4name${(i * 7919) % 3000}Ev`, i % 13))
  const bytes = encode(rows)
  assert.deepEqual(encode(rows.toReversed()), bytes)
  assert.deepEqual(decode(bytes), rows.toSorted(byName))
})

test('one name has a trie of two nodes, no name none', () => {
  assert.deepEqual([...encode([plain('_a', 5)])], [0, 1, 0x5f, 0x61, 0, 6, 2, 0, 5, 0])
  assert.equal(encode([]).length, 0)
  assert.deepEqual(decode(new Uint8Array(0)), [])
})

test('a name given twice is an error', () => {
  assert.throws(() => encode([plain('_a', 1), plain('_b', 1), plain('_a', 2)]), RangeError)
})

test('cycles, shared nodes, outside offsets and too large terminals are refused', () => {
  assert.throws(() => decode(Uint8Array.of(0, 1, 0x61, 0, 0)), { name: 'FormatError', id: 'trie-overlap' })
  assert.throws(() => decode(Uint8Array.of(0, 2, 0x61, 0, 8, 0x62, 0, 8, 0, 0)), { id: 'trie-overlap' })
  assert.throws(() => decode(Uint8Array.of(0, 1, 0x61, 0, 9)), { id: 'trie-offset' })
  assert.throws(() => decode(Uint8Array.of(9, 0, 0, 0)), { id: 'trie-terminal-size' })
  assert.throws(() => decode(Uint8Array.of(1, 0, 0, 0)), { id: 'trie-terminal-size' })
  assert.throws(() => decode(Uint8Array.of(0, 1, 0x61)), { id: 'unterminated-string' })
})

test('a deep chain of nodes is walked without recursion, up to the longest name', () => {
  const chain = (depth: number) => {
    const bytes: number[] = []
    for (let i = 0; i < depth; i++) {
      const next = 7 * (i + 1)
      bytes.push(0, 1, 0x61, 0, (next & 127) | 128, ((next >> 7) & 127) | 128, next >> 14)
    }
    return Uint8Array.from([...bytes, 2, 0, 7, 0])
  }
  assert.equal(decode(chain(60000))[0].name.length, 60000)
  assert.throws(() => decode(chain(70000)), { id: 'trie-name-too-long' })
})

test('mutated tries are walked or refused with a FormatError', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(exportsOf(30), changes, (rows, edits) => {
      const bytes = encode([...rows, plain('_last_of_all', 1)])
      for (const [at, value] of edits) bytes[at % bytes.length] = value
      try {
        decode(bytes)
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { seed: 41, numRuns: 1500 },
  )
})
