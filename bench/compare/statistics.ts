// What the comparison rests on: rank statistics, since times are not normally distributed.
import { randomFrom } from '../random.ts'

export interface Interval {
  low: number
  middle: number
  high: number
}

/** The middle one, or the mean of the two middle ones; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.floor(middle - 0.5)] + sorted[Math.floor(middle)]) / 2
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

/**
 * The median between the order statistics that hold it with 95 % or more, whatever the distribution; fewer than six values give
 * their extremes.
 */
export function medianInterval(values: readonly number[]): Interval {
  const sorted = values.toSorted((a, b) => a - b)
  const n = sorted.length
  let skip = 0
  // Binomial(n, 1/2): how likely at most `skip` values lie below the median.
  for (let term = 2 ** -n, below = term; below <= 0.025 && skip < (n - 1) / 2; below += term) {
    skip++
    term *= (n - skip + 1) / skip
  }
  const rank = Math.max(skip - 1, 0)
  return { low: sorted[rank], middle: median(sorted), high: sorted[n - 1 - rank] }
}

/**
 * Two-sided p of the Mann-Whitney test: exact for up to 40 values without ties, else by the normal approximation with corrections for
 * ties and continuity. `u` counts the pairs in which the first is greater, ties half.
 */
export function mannWhitney(first: readonly number[], second: readonly number[]): { u: number; p: number } {
  const [n, m] = [first.length, second.length]
  const all = [...first, ...second]
  const { ranks, ties } = rank(all)
  let sum = 0
  for (let i = 0; i < n; i++) sum += ranks[i]
  const u = sum - (n * (n + 1)) / 2
  const extreme = Math.max(u, n * m - u)
  if (ties === 0 && n + m <= EXACT_LIMIT) return { u, p: Math.min(1, 2 * exactTail(n, m, extreme)) }
  const total = n + m
  const deviation = Math.sqrt(((n * m) / 12) * (total + 1 - ties / (total * (total - 1))))
  if (deviation === 0) return { u, p: 1 }
  return { u, p: Math.min(1, 2 * normalTail((extreme - (n * m) / 2 - 0.5) / deviation)) }
}

const EXACT_LIMIT = 40

/** Ranks from 1, equal values sharing the mean of theirs; `ties` is the sum of t^3 - t over groups of t equal values. */
function rank(values: readonly number[]): { ranks: Float64Array; ties: number } {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b])
  const ranks = new Float64Array(values.length)
  let ties = 0
  for (let i = 0; i < order.length; ) {
    let end = i + 1
    while (end < order.length && values[order[end]] === values[order[i]]) end++
    for (let k = i; k < end; k++) ranks[order[k]] = (i + end + 1) / 2
    ties += (end - i) ** 3 - (end - i)
    i = end
  }
  return { ranks, ties }
}

/** P(U >= u): of all ways to choose n of n + m ranks, by how many smaller ones of the other sample each choice passes. */
function exactTail(n: number, m: number, u: number): number {
  // ways[k][s]: choices of k ranks so far that pass s; adding rank r to k chosen ones passes r - k more.
  const ways = Array.from({ length: n + 1 }, () => new Float64Array(n * m + 1))
  ways[0][0] = 1
  for (let r = 0; r < n + m; r++)
    for (let k = Math.min(n, r + 1); k >= 1; k--) {
      const passed = r - k + 1
      for (let s = n * m; s >= passed; s--) ways[k][s] += ways[k - 1][s - passed]
    }
  let [tail, all] = [0, 0]
  for (let s = 0; s <= n * m; s++) {
    all += ways[n][s]
    if (s >= u) tail += ways[n][s]
  }
  return tail / all
}

/** P(Z >= z) of the standard normal distribution, by the continued fraction or the series, whichever converges. */
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z)
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  if (z > 3) {
    let fraction = z
    for (let k = 60; k >= 1; k--) fraction = z + k / fraction
    return density / fraction
  }
  let [term, sum] = [z, z]
  for (let k = 1; k < 100; k++) {
    term *= (z * z) / (2 * k + 1)
    sum += term
  }
  return 0.5 - density * sum
}

const RESAMPLES = 1000

/** How far from 1 the median of such ratios strays by chance: 95 % of resamples with replacement stay within. Seeded. */
export function noiseOf(ratios: readonly number[], seed = 1): number {
  const random = randomFrom(seed)
  const strays = Array.from({ length: RESAMPLES }, () => {
    const drawn = ratios.map(() => ratios[Math.floor(random() * ratios.length)])
    return Math.abs(median(drawn) - 1)
  })
  return strays.sort((a, b) => a - b)[Math.ceil(0.95 * RESAMPLES) - 1]
}
