import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FormatError } from '../../../src/core/bytes.ts'
import { decodeRebase, encodeRebase } from '../../../src/formats/dyld/rebase.ts'
import { LIBRARY, linkDylib, padded, sourceFor } from './linked.ts'

const SEED = { seed: 20, numRuns: 300 }

function encode(rows: number[][]): Uint8Array {
  const segments = Uint8Array.from(rows, (row) => row[0])
  return encodeRebase(
    segments,
    Float64Array.from(rows, (row) => row[1]),
    rows.length,
  )
}

function decode(bytes: Uint8Array, limit?: number): number[][] {
  const rows: number[][] = []
  decodeRebase(bytes, (segment, offset) => rows.push([segment, offset]), limit)
  return rows
}

test('rebase opcodes are what ld64.lld writes', () => {
  for (const arch of ['arm64', 'x86_64']) {
    const { rebase } = linkDylib(sourceFor(arch), LIBRARY, ['-no_fixup_chains'], arch).pieces
    const rows = decode(rebase)
    assert.ok(rows.length > 45)
    assert.deepEqual(padded(encode(rows), rebase), rebase)
  }
})

test('rebase rows come back from their opcodes', () => {
  const gap = fc.oneof(fc.constantFrom(8, 8, 16, 24), fc.integer({ min: 1, max: 1 << 20 }))
  fc.assert(
    fc.property(fc.array(fc.array(gap, { minLength: 1, maxLength: 60 }), { maxLength: 3 }), (gaps) => {
      const rows = gaps.flatMap((list, segment) => {
        let offset = 0
        return list.map((distance) => {
          offset += distance
          return [segment + 1, offset]
        })
      })
      assert.deepEqual(decode(encode(rows)), rows)
    }),
    SEED,
  )
})

test('runs take the shortest form lld has', () => {
  const run = (count: number, stride: number) => Array.from({ length: count }, (_, i) => [2, i * stride])
  assert.deepEqual([...encode(run(3, 8))], [0x11, 0x22, 0, 0x53, 0])
  assert.deepEqual([...encode(run(16, 8))], [0x11, 0x22, 0, 0x60, 16, 0])
  assert.deepEqual([...encode(run(5, 24))], [0x11, 0x22, 0, 0x80, 5, 16, 0])
  assert.deepEqual([...encode([])], [])
})

test('a row given twice is rebased once', () => {
  assert.deepEqual(
    decode(
      encode([
        [1, 8],
        [1, 8],
        [1, 16],
      ]),
    ),
    [
      [1, 8],
      [1, 16],
    ],
  )
})

test('more rebases than the limit are refused before any work', () => {
  const endless = Uint8Array.from([0x11, 0x21, 0, 0x60, 0xff, 0xff, 0xff, 0xff, 0x0f])
  assert.throws(() => decode(endless, 1000), { name: 'FormatError', id: 'rebase-count' })
})

test('rebases without a segment, of unknown opcode or before the segment are refused', () => {
  assert.throws(() => decode(Uint8Array.of(0x11, 0x51)), { id: 'rebase-without-segment' })
  assert.throws(() => decode(Uint8Array.of(0x90)), { id: 'rebase-opcode' })
  assert.throws(() => decode(Uint8Array.of(0x1f)), { id: 'rebase-type' })
  assert.throws(() => decode(Uint8Array.of(0x21, 0x80)), { id: 'truncated' })
  const back = [0x21, 0, 0x30, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0x51]
  assert.throws(() => decode(Uint8Array.from(back)), { id: 'rebase-offset' })
})

test('any bytes are decoded or refused with a FormatError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        assert.ok(decode(bytes, 5000).length <= 5000)
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { seed: 21, numRuns: 2000 },
  )
})
