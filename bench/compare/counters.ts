// Counters need no statistics: the same work counts the same.
import type { Counters, SystemTiming } from '../../src/types.ts'

export const COUNTERS = ['rows', 'read', 'hashed', 'written', 'probes', 'allocated'] as const
export const LEAST_MOVE = 0.005

export interface Move {
  system: string
  counter: keyof Counters
  base: number
  head: number
}

export type CountedLink = readonly (Counters & Pick<SystemTiming, 'system'>)[]

/** Counters that moved by LEAST_MOVE or more; those that a side's revision does not have yet are left out. */
export function movedCounters(base: CountedLink, head: CountedLink): Move[] {
  const moves: Move[] = []
  for (const now of head) {
    const before = base.find(({ system }) => system === now.system)
    if (before === undefined) continue
    for (const counter of COUNTERS) {
      if (before[counter] === undefined || now[counter] === undefined) continue
      if (Math.abs(now[counter] - before[counter]) >= LEAST_MOVE * Math.max(before[counter], 1))
        moves.push({ system: now.system, counter, base: before[counter], head: now[counter] })
    }
  }
  return moves
}

export function isMoreWork({ base, head }: Move): boolean {
  return head > base
}

export function moveText({ system, counter, base, head }: Move): string {
  const change = base === 0 ? `0 -> ${head}` : `${head > base ? '+' : ''}${((head / base - 1) * 100).toFixed(1)} %`
  return `${system}.${counter} ${change}`
}
