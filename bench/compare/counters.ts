// Counters need no statistics: the same work counts the same.
import type { Counters, SystemTiming } from '../../src/types.ts'

export const COUNTERS = ['rows', 'read', 'hashed', 'written', 'probes', 'allocated'] as const
/** What rises by this part is more work; less is shown. */
export const LEAST_RISE = 0.005

export interface Move {
  system: string
  counter: keyof Counters
  /** 0 where the revision does not have the system. */
  base: number
  head: number
  /** The system is that of one side only. */
  only?: 'base' | 'head'
}

export type CountedLink = readonly (Counters & Pick<SystemTiming, 'system'>)[]

/** Counters that moved, those that rose by LEAST_RISE or more first; counters that a side's revision does not have yet are left out. */
export function movedCounters(base: CountedLink, head: CountedLink): Move[] {
  const moves: Move[] = []
  for (const now of head) {
    const before = base.find(({ system }) => system === now.system)
    for (const counter of COUNTERS) {
      const from = before === undefined ? 0 : before[counter]
      if (from === undefined || now[counter] === undefined || from === now[counter]) continue
      const move: Move = { system: now.system, counter, base: from, head: now[counter] }
      moves.push(before === undefined ? { ...move, only: 'head' } : move)
    }
  }
  for (const gone of base) {
    if (head.some(({ system }) => system === gone.system)) continue
    for (const counter of COUNTERS)
      if (gone[counter] > 0) moves.push({ system: gone.system, counter, base: gone[counter], head: 0, only: 'base' })
  }
  return [...moves.filter(isMoreWork), ...moves.filter((move) => !isMoreWork(move))]
}

export function isMoreWork({ base, head }: Move): boolean {
  return head - base >= LEAST_RISE * Math.max(base, 1)
}

const SIDES = { base: ', gone', head: ', new' } as const

export function moveText({ system, counter, base, head, only }: Move): string {
  const side = only === undefined ? '' : SIDES[only]
  if (base === 0 || head === 0) return `${system}.${counter} ${base} -> ${head}${side}`
  const part = Math.abs(head / base - 1) * 100
  const change = part < 0.05 ? 'below 0.05 %' : `${part.toFixed(1)} %`
  return `${system}.${counter} ${head > base ? '+' : '-'}${Math.abs(head - base)} (${change})`
}
