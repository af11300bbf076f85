import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FormatError } from '../../../src/core/bytes.ts'
import {
  type ChainedFixups,
  type ChainedStarts,
  decodeChainedFixups,
  encodeChainedFixups,
  linkChains,
  newPageStarts,
  walkChain,
  writeChainedBind,
  writeChainedRebase,
} from '../../../src/formats/dyld/chainedFixups.ts'
import { DYLD_CHAINED_PTR_64, DYLD_CHAINED_PTR_64_OFFSET } from '../../../src/formats/macho/constants.ts'
import { LIBRARY, linkDylib, padded, sourceFor, tableOf } from './linked.ts'

const NONE = new Uint16Array(0)

function encodeAgain(fixups: ChainedFixups): Uint8Array {
  const { imports, segments } = fixups
  return encodeChainedFixups({
    segments: segments.map((segment) => segment ?? { offset: 0, pageSize: 0x4000, pageStarts: NONE }),
    pointerFormat: segments.find((segment) => segment !== null)?.pointerFormat ?? DYLD_CHAINED_PTR_64,
    maxPointer: 0,
    imports: { ...imports, names: Uint32Array.from(imports.names, (_, i) => i) },
    names: tableOf(imports.names),
  })
}

function importsOf(rows: { ordinal: number; weak: number; name: string; addend: number }[]) {
  return {
    ordinals: Int32Array.from(rows, (row) => row.ordinal),
    weak: Uint8Array.from(rows, (row) => row.weak),
    names: Uint32Array.from(rows, (_, i) => i),
    addends: Float64Array.from(rows, (row) => row.addend),
    count: rows.length,
  }
}

function encodeImports(rows: Parameters<typeof importsOf>[0]): Uint8Array {
  const segments = [{ offset: 0x4000, pageSize: 0x1000, pageStarts: Uint16Array.of(8, 0xffff, 16, 0xffff) }]
  const names = tableOf(rows.map((row) => row.name))
  return encodeChainedFixups({ segments, pointerFormat: 6, maxPointer: 0, imports: importsOf(rows), names })
}

// Rebuilds the fixups of a linked segment entry by entry, and compares bytes and page starts.
function rebuildSegment(view: DataView, fileStart: number, size: number, starts: ChainedStarts): number {
  const fresh = new DataView(new ArrayBuffer(size))
  const offsets: number[] = []
  walkChain(view, fileStart, size, starts, (offset, bind, value, extra) => {
    offsets.push(offset)
    if (bind) assert.ok(writeChainedBind(fresh, offset, value, extra))
    else assert.ok(writeChainedRebase(fresh, offset, value, extra, starts.pointerFormat, 0))
  })
  const pageStarts = newPageStarts(size, starts.pageSize)
  const sorted = Uint32Array.from(offsets)
  assert.equal(linkChains(fresh, 0, sorted, 0, sorted.length, starts.pageSize, pageStarts), -1)
  assert.deepEqual(pageStarts.subarray(0, starts.pageStarts.length), starts.pageStarts)
  for (const offset of offsets)
    assert.equal(fresh.getBigUint64(offset, true), view.getBigUint64(fileStart + offset, true))
  return offsets.length
}

test('chained fixups are what ld64.lld writes, header, starts, imports and chains', () => {
  for (const arch of ['arm64', 'x86_64']) {
    const { bytes, segments, pieces } = linkDylib(sourceFor(arch), LIBRARY, ['-fixup_chains'], arch)
    const fixups = decodeChainedFixups(pieces.chained)
    assert.equal(fixups.importFormat, 2)
    assert.deepEqual(padded(encodeAgain(fixups), pieces.chained), pieces.chained)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    let count = 0
    for (const [i, starts] of fixups.segments.entries())
      if (starts !== null) count += rebuildSegment(view, segments[i].fileStart, segments[i].size, starts)
    assert.ok(count > 70)
  }
})

test('the import format follows the addends as in ld64.lld', () => {
  for (const [addend, format] of [
    [255, 1],
    [256, 2],
    [-1, 2],
    [0x3fffff, 2],
    [0x400000, 3],
    [-0x400001, 3],
  ]) {
    const source = `.globl _d\n.data\n.p2align 3\n_d: .quad _ext + ${addend}\n.quad _two\n`
    const { chained } = linkDylib(source, LIBRARY, ['-fixup_chains']).pieces
    const fixups = decodeChainedFixups(chained)
    assert.equal(fixups.importFormat, format)
    assert.deepEqual(padded(encodeAgain(fixups), chained), chained)
    const ours = decodeChainedFixups(encodeImports([{ ordinal: 1, weak: 0, name: '_ext', addend }]))
    assert.equal(ours.importFormat, format)
    assert.equal(ours.imports.addends[0], format === 1 ? 0 : addend)
  }
})

test('a library past ordinal 240 takes the wide import format', () => {
  const format = (ordinal: number) =>
    decodeChainedFixups(encodeImports([{ ordinal, weak: 0, name: '_a', addend: 0 }])).importFormat
  assert.deepEqual([format(240), format(241), format(-2)], [1, 3, 1])
})

const importRow = fc.record(
  {
    ordinal: fc.constantFrom(-3, -2, -1, 0, 1, 240, 241, 3000),
    weak: fc.constantFrom(0, 1),
    name: fc.string({ unit: fc.constantFrom('_', 'a', 'é'), maxLength: 8 }),
    addend: fc.oneof(fc.constant(0), fc.integer({ min: -70000, max: 70000 }), fc.maxSafeInteger()),
  },
  { noNullPrototype: true },
)

test('imports come back in every import format', () => {
  fc.assert(
    fc.property(fc.array(importRow, { maxLength: 30 }), (rows) => {
      const { imports, segments } = decodeChainedFixups(encodeImports(rows))
      assert.deepEqual(
        imports.names,
        rows.map((row) => row.name),
      )
      assert.deepEqual(
        [...imports.ordinals],
        rows.map((row) => row.ordinal),
      )
      assert.deepEqual(
        [...imports.weak],
        rows.map((row) => row.weak),
      )
      assert.deepEqual(
        [...imports.addends],
        rows.map(({ addend }) => (addend >= 0 && addend <= 255 ? 0 : addend)),
      )
      assert.deepEqual(segments[0]?.pageStarts, Uint16Array.of(8, 0xffff, 16))
    }),
    { seed: 50, numRuns: 300 },
  )
})

test('chains lead through every entry, in both pointer formats and page sizes', () => {
  const gaps = fc.array(fc.oneof(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 2, max: 9000 })), { maxLength: 80 })
  const formats = fc.constantFrom(DYLD_CHAINED_PTR_64, DYLD_CHAINED_PTR_64_OFFSET)
  fc.assert(
    fc.property(gaps, formats, fc.constantFrom(0x1000, 0x4000), (list, pointerFormat, pageSize) => {
      let offset = 0
      const offsets = Uint32Array.from(list, (gap) => {
        offset += 4 * gap
        return offset
      })
      const size = offset + 16
      const view = new DataView(new ArrayBuffer(size + 32))
      const base = 0x100000000
      const expected = [...offsets].map((at, i) => {
        if (i % 3 === 0) writeChainedBind(view, 32 + at, i * 70000, i)
        else writeChainedRebase(view, 32 + at, base + at, i, pointerFormat, base)
        const target = pointerFormat === DYLD_CHAINED_PTR_64 ? base + at : at
        return i % 3 === 0 ? [at, true, i * 70000, i] : [at, false, target, i]
      })
      const pageStarts = newPageStarts(size, pageSize)
      assert.equal(linkChains(view, 32, offsets, 0, offsets.length, pageSize, pageStarts), -1)
      const seen: unknown[] = []
      const starts = { offset: 0, pageSize, pageStarts, pointerFormat, maxPointer: 0 }
      walkChain(view, 32, size, starts, (...entry) => seen.push(entry))
      assert.deepEqual(seen, expected)
    }),
    { seed: 51, numRuns: 200 },
  )
})

test('entries that overlap or miss the stride are reported by index', () => {
  const view = new DataView(new ArrayBuffer(64))
  const link = (...offsets: number[]) =>
    linkChains(view, 0, Uint32Array.from(offsets), 0, offsets.length, 0x1000, newPageStarts(64, 0x1000))
  assert.deepEqual([link(0, 8, 20), link(0, 8, 18), link(0, 8, 12)], [-1, 2, 2])
})

test('values that do not fit an entry are reported and not written', () => {
  const view = new DataView(new ArrayBuffer(8))
  assert.equal(writeChainedRebase(view, 0, 2 ** 36, 0, DYLD_CHAINED_PTR_64, 0), false)
  assert.equal(writeChainedRebase(view, 0, 5, 0, DYLD_CHAINED_PTR_64_OFFSET, 6), false)
  assert.equal(writeChainedBind(view, 0, 2 ** 24, 0), false)
  assert.equal(writeChainedBind(view, 0, 0, 256), false)
  assert.equal(view.getBigUint64(0, true), 0n)
  assert.equal(writeChainedRebase(view, 0, 2 ** 36 - 1, 255, DYLD_CHAINED_PTR_64, 0), true)
  assert.equal(view.getBigUint64(0, true), 0xfffffffffffn)
})

test('a chain that leaves its segment is refused', () => {
  const view = new DataView(new ArrayBuffer(16))
  const pageStarts = Uint16Array.of(0)
  view.setUint32(4, 4 << 19, true)
  const starts = { offset: 0, pageSize: 0x1000, pageStarts, pointerFormat: 2, maxPointer: 0 }
  assert.throws(() => walkChain(view, 0, 16, starts, () => {}), { name: 'FormatError', id: 'chained-chain' })
})

test('mutated fixups are decoded or refused with a FormatError', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(fc.array(importRow, { maxLength: 10 }), changes, fc.nat(40), (rows, edits, cut) => {
      const bytes = encodeImports(rows).slice(0, -cut || undefined)
      for (const [at, value] of edits) bytes[at % bytes.length] = value
      const image = new DataView(new Uint8Array(0x3000).fill(edits[0][1]).buffer)
      try {
        for (const starts of decodeChainedFixups(bytes).segments)
          if (starts !== null) walkChain(image, 0, 0x3000, starts, () => {})
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { seed: 52, numRuns: 1500 },
  )
})
