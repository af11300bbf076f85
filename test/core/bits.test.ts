import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countBefore, countOnes, markBits, rankOf } from '../../src/core/bits.ts'

test('ones are counted in every part of a word', () => {
  for (const [word, ones] of [
    [0, 0],
    [1, 1],
    [0x80000000, 1],
    [0xffffffff, 32],
    [0x10204081, 5],
  ])
    assert.equal(countOnes(word), ones)
})

test('the rank of a number is how many of the set are below it', () => {
  const values = Uint32Array.of(31, 0, 127, 32, 63, 64, 5)
  const words = new Uint32Array(4)
  const before = new Uint32Array(4)
  markBits(words, values, values.length)
  countBefore(words, before)
  const sorted = [...values].sort((a, b) => a - b)
  assert.deepEqual(
    [...values].map((value) => rankOf(words, before, value)),
    [...values].map((value) => sorted.indexOf(value)),
  )
})
