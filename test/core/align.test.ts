import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alignUp, alignUpPow2 } from '../../src/core/align.ts'

const POWERS = Array.from({ length: 32 }, (_, pow2) => pow2)
/** Around each power of two: where bits 31, 32 and those behind them begin to count. */
const VALUES = Array.from({ length: 53 }, (_, power) => [-3, -1, 0, 1, 12345].map((by) => 2 ** power + by)).flat()

/** The least multiple of 2^pow2 that is not below `value`. */
function leastMultiple(value: number, pow2: number): number {
  const step = 1n << BigInt(pow2)
  return Number(((BigInt(value) + step - 1n) / step) * step)
}

test('integers up to 2^53 are rounded up to multiples of every power of two below 2^32', () => {
  for (const value of [0, ...VALUES.filter((value) => value > 0), Number.MAX_SAFE_INTEGER])
    for (const pow2 of POWERS) {
      const expected = leastMultiple(value, pow2)
      assert.equal(alignUpPow2(value, pow2), expected, `${value} to 2^${pow2}`)
      assert.equal(alignUp(value, 2 ** pow2), expected, `${value} to a multiple of 2^${pow2}`)
    }
})

test('what lies beyond every address stays there', () => {
  for (const pow2 of POWERS) assert.equal(alignUpPow2(Number.POSITIVE_INFINITY, pow2), Number.POSITIVE_INFINITY)
})
