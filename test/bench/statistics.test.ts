import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { geometricMean, mannWhitney, median, medianInterval, noiseOf } from '../../bench/compare/statistics.ts'
import { randomFrom } from '../../bench/random.ts'

function near(actual: number, expected: number, tolerance = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `got ${actual}, expected ${expected}`)
}

/** Two-sided p by going through all ways to split the values, as the definition has it. */
function byAllSplits(first: readonly number[], second: readonly number[]): number {
  const all = [...first, ...second]
  const pairs = (mine: readonly number[], others: readonly number[]) =>
    mine.reduce((sum, x) => sum + others.reduce((part, y) => part + (x > y ? 1 : x === y ? 0.5 : 0), 0), 0)
  const middle = (first.length * second.length) / 2
  const stray = Math.abs(pairs(first, second) - middle)
  let [extreme, count] = [0, 0]
  for (let mask = 0; mask < 2 ** all.length; mask++) {
    const mine = all.filter((_, i) => mask & (1 << i))
    if (mine.length !== first.length) continue
    count++
    const others = all.filter((_, i) => !(mask & (1 << i)))
    if (Math.abs(pairs(mine, others) - middle) >= stray - 1e-9) extreme++
  }
  return extreme / count
}

describe('the Mann-Whitney test', () => {
  it('has the published result of a small example', () => {
    const { u, p } = mannWhitney([19, 22, 16, 29, 24], [20, 11, 17, 12])
    assert.equal(u, 17)
    near(p, 1 / 9)
  })

  it('agrees with going through all splits, in either order', () => {
    const random = randomFrom(5)
    for (let run = 0; run < 8; run++) {
      const first = Array.from({ length: 5 }, random)
      const second = Array.from({ length: 6 }, () => random() + 0.2 * run)
      near(mannWhitney(first, second).p, byAllSplits(first, second))
      near(mannWhitney(second, first).p, mannWhitney(first, second).p)
    }
  })

  it('is near the exact value where values are tied, and where they are many', () => {
    const [first, second] = [
      [1, 2, 2, 3, 4, 4, 5, 6],
      [3, 4, 5, 5, 6, 7, 7, 8],
    ]
    near(mannWhitney(first, second).p, byAllSplits(first, second), 0.01)
    const many = (shift: number) => Array.from({ length: 60 }, (_, i) => i + shift)
    assert.ok(mannWhitney(many(0), many(0.5)).p > 0.8)
    assert.ok(mannWhitney(many(0), many(30)).p < 1e-6)
  })

  it('says nothing of equal values, and 2 of all splits for samples apart', () => {
    assert.equal(mannWhitney([1, 1, 1], [1, 1, 1]).p, 1)
    near(mannWhitney([1, 2, 3, 4], [5, 6, 7, 8]).p, 2 / 70)
  })
})

describe('medians', () => {
  it('lie between the third and the third last of twelve with 95 %', () => {
    const values = [12, 1, 11, 2, 10, 3, 9, 4, 8, 5, 7, 6]
    assert.deepEqual(medianInterval(values), { low: 3, middle: 6.5, high: 10 })
  })

  it('lie anywhere among few', () => {
    assert.deepEqual(medianInterval([3, 1, 2]), { low: 1, middle: 2, high: 3 })
    assert.deepEqual(medianInterval([4]), { low: 4, middle: 4, high: 4 })
  })

  it('of ratios stray as far as they scatter', () => {
    const scattered = (width: number) => Array.from({ length: 12 }, (_, i) => 1 + width * (i / 11 - 0.5))
    assert.equal(noiseOf([1, 1, 1, 1]), 0)
    const [narrow, wide] = [noiseOf(scattered(0.02)), noiseOf(scattered(0.2))]
    assert.ok(narrow > 0 && narrow < 0.01 && wide > 5 * narrow && wide < 0.1)
    assert.equal(noiseOf(scattered(0.2)), wide)
  })

  it('have a geometric mean', () => {
    near(geometricMean([0.5, 2, 4, 0.25]), 1)
    assert.equal(median([2, 8]), 5)
  })
})
