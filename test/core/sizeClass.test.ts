import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { alignUp, alignUpPow2 } from '../../src/core/align.ts'
import { sizeClass } from '../../src/core/sizeClass.ts'

/** As the docstring has it. */
function classOf(size: number, steps: number, smallest: number): number {
  const step = Math.max(smallest, 2 ** (Math.floor(Math.log2(size)) - steps))
  return size === 0 ? 0 : Math.ceil(size / step) * step
}

const EDGES = [0, 1, 2, 7, 8, 9, 63, 64, 65, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff, 2 ** 40 + 1]

test('a size class is the least multiple of its step that holds the size, at every size', () => {
  const random = randomFrom(5)
  const sizes = [...EDGES, ...Array.from({ length: 2000 }, () => Math.floor(2 ** (random() * 36)))]
  for (const size of sizes)
    for (const steps of [2, 3])
      for (const smallest of [1, 4, 8, 64]) {
        const found = sizeClass(size, steps, smallest)
        assert.equal(found, classOf(size, steps, smallest), `${size} ${steps} ${smallest}`)
        assert.equal(sizeClass(found, steps, smallest), found, 'the class of a class is itself')
      }
})

test('a value is rounded up to a power of two, whether it fits 31 bits or not', () => {
  for (const value of EDGES)
    for (const pow2 of [0, 1, 3, 14, 30, 31]) assert.equal(alignUpPow2(value, pow2), alignUp(value, 2 ** pow2))
})
