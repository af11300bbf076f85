// Whether what a row costs stays flat from the smallest program to the largest.
import type { SizeResult } from './measureSize.ts'

/** A row may cost so many times more in one size than in another. */
export const MOST_GROWTH = 3
/** Of the whole link's time at the largest size; what takes less is no matter. */
const LEAST_SHARE = 0.01

export interface Flatness {
  system: string
  /** Of the link's time at the largest size. */
  share: number
  /** Nanoseconds per symbol at the largest size by those at the smallest; Infinity where it took no time there. */
  growth: number
  flat: boolean
}

/** The systems that matter at the largest size, in their order. `results`: by size, ascending. */
export function judgeScale(results: readonly SizeResult[]): Flatness[] {
  const [first, last] = [results[0], results[results.length - 1]]
  const whole = Object.values(last.systems).reduce((sum, milliseconds) => sum + milliseconds, 0)
  return Object.entries(last.systems)
    .map(([system, milliseconds]) => {
      const growth = milliseconds / last.symbols / ((first.systems[system] ?? 0) / first.symbols)
      return { system, share: milliseconds / whole, growth, flat: growth <= MOST_GROWTH }
    })
    .filter(({ share }) => share >= LEAST_SHARE)
}

export function flatTable(judged: readonly Flatness[]): string {
  const rows = judged.map(
    ({ system, share, growth, flat }) =>
      `  ${system.padEnd(16)}${(share * 100).toFixed(1).padStart(7)} %${growth.toFixed(2).padStart(9)}  ${flat ? 'flat' : 'NOT FLAT'}`,
  )
  return [`ns per symbol, largest size by smallest, at most ${MOST_GROWTH}`, ...rows].join('\n')
}
