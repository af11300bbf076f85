// When is slower a regression? Rounds come in batches; a row is judged batch by batch.
import { type Interval, mannWhitney, median, medianInterval, noiseOf } from './statistics.ts'

/** One measured quantity, a value a round; a round runs the base twice and the head once, in random order. */
export interface Row {
  name: string
  base: number[]
  head: number[]
  /**
   * Within the round, so that drift of the machine cancels: head by the geometric mean of the two base runs, and the second of
   * these by the first. The two do not depend on one another.
   */
  ratios: number[]
  controls: number[]
}

export type Verdict = 'regression' | 'faster' | 'same' | 'undecidable'

export interface Judgement {
  name: string
  n: number
  base: Interval
  head: Interval
  ratio: number
  p: number
  noise: number
  verdict: Verdict
}

export const SIGNIFICANCE = 0.01
export const LEAST_CHANGE = 0.03

/** One batch, by itself: slower or faster only where both the test and the size of the change say so. */
export function judge({ name, base, head, ratios, controls }: Row): Judgement {
  const ratio = median(ratios)
  const { p } = mannWhitney(ratios, controls)
  const noise = noiseOf(controls)
  const least = Math.max(LEAST_CHANGE, noise)
  let verdict: Verdict = noise > LEAST_CHANGE ? 'undecidable' : 'same'
  if (p < SIGNIFICANCE && ratio > 1 + least) verdict = 'regression'
  else if (p < SIGNIFICANCE && ratio < 1 / (1 + least)) verdict = 'faster'
  return { name, n: ratios.length, base: medianInterval(base), head: medianInterval(head), ratio, p, noise, verdict }
}

/** Whether another batch is to be run: what is noisy, and what looks slower without having been so twice. */
export function isOpen(batches: readonly Judgement[]): boolean {
  const last = batches[batches.length - 1]
  const slow = batches.filter(({ verdict }) => verdict === 'regression').length
  if (slow > 0) return slow < CONFIRMATIONS && last.verdict === 'regression'
  return batches.length === 1 && (last.verdict === 'undecidable' || last.ratio > 1 + LEAST_CHANGE)
}

/** A regression is one in two batches: by chance one batch in some hundred shows one. */
const CONFIRMATIONS = 2

/** The last batch has the last word; a regression needs two. */
export function conclude(batches: readonly Judgement[]): Judgement {
  const last = batches[batches.length - 1]
  if (last.verdict !== 'regression') return last
  const slow = batches.filter(({ verdict }) => verdict === 'regression').length
  return slow >= CONFIRMATIONS ? last : { ...last, verdict: 'undecidable' }
}
