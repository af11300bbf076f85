import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sortNumbers } from '../../src/core/sortNumbers.ts'

const sorted = (values: number[]) => [...sortNumbers(Uint32Array.from(values))]

test('numbers of any width come out in ascending order', () => {
  const width = fc.integer({ min: 1, max: 32 })
  fc.assert(
    fc.property(
      width.chain((bits) => fc.array(fc.integer({ min: 0, max: 2 ** bits - 1 }), { maxLength: 200 })),
      fc.integer({ min: 0, max: 4 }),
      (values, shift) => {
        const shifted = values.map((value) => (value << shift) >>> 0)
        assert.deepEqual(
          sorted(shifted),
          shifted.toSorted((a, b) => a - b),
        )
      },
    ),
    { seed: 60, numRuns: 500 },
  )
})

test('none, one, equal and sorted numbers stay as they are', () => {
  for (const values of [[], [7], [5, 5, 5], [0, 1, 2, 0xffffffff]]) assert.deepEqual(sorted(values), values)
})
