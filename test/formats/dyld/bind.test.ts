import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FormatError } from '../../../src/core/bytes.ts'
import {
  type BindRows,
  decodeBind,
  encodeBind,
  encodeLazyBind,
  encodeWeakBind,
} from '../../../src/formats/dyld/bind.ts'
import { LIBRARY, linkDylib, padded, sourceFor, tableOf } from './linked.ts'

type Row = { segment: number; offset: number; ordinal: number; name: string; addend: number; flags: number }

function decode(bytes: Uint8Array, lazy = false, limit?: number): { rows: Row[]; strong: string[] } {
  const rows: Row[] = []
  const strong: string[] = []
  decodeBind(
    bytes,
    { lazy, strong: (name) => strong.push(name), ...(limit === undefined ? {} : { limit }) },
    (segment, offset, ordinal, name, addend, flags) => rows.push({ segment, offset, ordinal, name, addend, flags }),
  )
  return { rows, strong }
}

function columns(rows: Row[], names: string[]): BindRows {
  return {
    segments: Uint8Array.from(rows, (row) => row.segment),
    offsets: Float64Array.from(rows, (row) => row.offset),
    ordinals: Int32Array.from(rows, (row) => row.ordinal),
    addends: Float64Array.from(rows, (row) => row.addend),
    names: Uint32Array.from(rows, (row) => names.indexOf(row.name)),
    flags: Uint8Array.from(rows, (row) => row.flags),
    count: rows.length,
  }
}

function namesOf(rows: Row[]): string[] {
  return [...new Set(rows.map((row) => row.name))]
}

test('bind, weak bind and lazy bind opcodes are what ld64.lld writes, at -O1 and at -O2', () => {
  for (const arch of ['arm64', 'x86_64'])
    for (const level of ['-O1', '-O2']) {
      const { pieces } = linkDylib(sourceFor(arch), LIBRARY, ['-no_fixup_chains', level], arch)
      const fold = level === '-O2'
      const bind = decode(pieces.bind).rows
      const names = namesOf(bind)
      assert.ok(bind.length > 20)
      const ours = encodeBind(columns(bind, names), tableOf(names), fold)
      assert.deepEqual(padded(ours, pieces.bind), pieces.bind)
      const weak = decode(pieces.weak).rows
      const weakNames = namesOf(weak)
      assert.equal(weak.length, 3)
      const ourWeak = encodeWeakBind(columns(weak, weakNames), tableOf(weakNames), new Uint32Array(0), fold)
      assert.deepEqual(padded(ourWeak, pieces.weak), pieces.weak)
      const lazy = decode(pieces.lazy, true).rows
      const lazyNames = namesOf(lazy)
      assert.deepEqual(lazyNames.sort(), ['_ext', '_two'])
      const ourLazy = encodeLazyBind(columns(lazy, lazyNames), tableOf(lazyNames)).bytes
      assert.deepEqual(padded(ourLazy, pieces.lazy), pieces.lazy)
    }
})

test('strong definitions that override weak ones are what ld64.lld writes', () => {
  const { pieces } = linkDylib('.globl _weakfn, _other\n_weakfn: ret\n_other: ret\n', LIBRARY, ['-no_fixup_chains'])
  assert.deepEqual(decode(pieces.weak).strong, ['_weakfn'])
  const ours = encodeWeakBind(columns([], []), tableOf(['_x', '_weakfn']), Uint32Array.of(1))
  assert.deepEqual(padded(ours, pieces.weak), pieces.weak)
})

const row = fc.record(
  {
    segment: fc.integer({ min: 0, max: 15 }),
    offset: fc.oneof(
      fc.integer({ min: 0, max: 40 }).map((n) => n * 8),
      fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    ),
    ordinal: fc.constantFrom(-3, -2, -1, 0, 1, 15, 16, 300),
    name: fc.constantFrom('_a', '_b', '_long_name', '_é'),
    addend: fc.oneof(fc.constant(0), fc.integer(), fc.maxSafeInteger()),
    flags: fc.constantFrom(0, 1),
  },
  { noNullPrototype: true },
)

test('bind rows come back from their opcodes in any order, folded or not', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 40 }), fc.boolean(), (rows, fold) => {
      const names = namesOf(rows)
      assert.deepEqual(decode(encodeBind(columns(rows, names), tableOf(names), fold)).rows, rows)
    }),
    { seed: 30, numRuns: 500 },
  )
})

test('evenly spaced binds of one symbol fold into one opcode', () => {
  const rows = [0, 24, 48, 72].map((offset) => ({ segment: 1, offset, ordinal: 1, name: 'a', addend: 0, flags: 0 }))
  const bytes = [...encodeBind(columns(rows, ['a']), tableOf(['a']), true)]
  assert.deepEqual(bytes, [0x40, 0x61, 0, 0x51, 0x11, 0x71, 0, 0xc0, 3, 16, 0x90, 0])
})

test('each lazy record can be read alone from its start', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 20 }), (rows) => {
      const plain = rows.map((one) => ({ ...one, addend: 0 }))
      const names = namesOf(plain)
      const { bytes, starts } = encodeLazyBind(columns(plain, names), tableOf(names))
      assert.deepEqual(decode(bytes, true).rows, plain)
      for (const [i, start] of starts.entries()) assert.deepEqual(decode(bytes.subarray(start)).rows, [plain[i]])
    }),
    { seed: 31, numRuns: 200 },
  )
})

test('no rows make no bytes', () => {
  const none = columns([], [])
  assert.equal(encodeBind(none, tableOf([])).length, 0)
  assert.equal(encodeWeakBind(none, tableOf([]), new Uint32Array(0)).length, 0)
  assert.equal(encodeLazyBind(none, tableOf([])).bytes.length, 0)
})

test('binds without symbol or segment, endless ones and unknown opcodes are refused', () => {
  assert.throws(() => decode(Uint8Array.of(0x71, 0, 0x90)), { name: 'FormatError', id: 'bind-without-symbol' })
  assert.throws(() => decode(Uint8Array.of(0x40, 0x61, 0, 0x90)), { id: 'bind-without-segment' })
  assert.throws(() => decode(Uint8Array.of(0x40, 0x61)), { id: 'unterminated-string' })
  assert.throws(() => decode(Uint8Array.of(0xd0)), { id: 'bind-opcode' })
  const endless = Uint8Array.of(0x40, 0x61, 0, 0x71, 0, 0xc0, 0xff, 0xff, 0xff, 0x7f, 0)
  assert.throws(() => decode(endless, false, 1000), { id: 'bind-count' })
})

test('mutated opcodes are decoded or refused with a FormatError', () => {
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 10 }),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      fc.boolean(),
      (rows, changes, lazy) => {
        const names = namesOf(rows)
        const bytes = encodeBind(columns(rows, names), tableOf(names), true).slice()
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        try {
          assert.ok(decode(bytes, lazy, 5000).rows.length <= 5000)
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error))
        }
      },
    ),
    { seed: 32, numRuns: 1500 },
  )
})
