import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withUuidLast } from '../../src/blocks/dsym.ts'

test('a companion file that is half written has no UUID', () => {
  const bytes = Uint8Array.from({ length: 200 }, (_, i) => i + 1)
  const before = new Uint8Array(200).fill(255)
  for (const ranges of [
    [[0, 100]],
    [[44, 50]],
    [
      [100, 120],
      [30, 45],
      [150, 200],
    ],
    [[150, 160]],
  ]) {
    const wanted = before.slice()
    for (const [from, to] of [...ranges, [40, 56]]) wanted.set(bytes.subarray(from, to), from)
    const file = before.slice()
    const parts = withUuidLast(
      bytes,
      ranges.map(([from, to]) => ({ at: from, bytes: bytes.subarray(from, to) })),
    )
    for (const [i, { at, bytes: part }] of parts.entries()) {
      file.set(part, at)
      if (i < parts.length - 1) assert.ok(file.subarray(40, 56).every((byte) => byte === 0))
    }
    assert.deepEqual(file, wanted)
  }
})
