// The figures to reach, as ratios within one run.
import type { Result, Run } from '../measure.ts'
import { NODE, ONE_THREAD, OURS, PEER } from './contestants.ts'

export interface Goal {
  work: string
  /** Scenarios that it is measured on. */
  on: RegExp
  /** Ours by the peer's, at most. */
  wall?: number
  memory?: number
  /** Milliseconds over the start of Node, and over the peer's time with it. */
  overStart?: number
  overPeer?: number
  oneThread?: true
}

export const goals: readonly Goal[] = [
  { work: 'synthetic large', on: /^synthetic large/, wall: 0.3, memory: 0.5 },
  { work: 'synthetic large, one thread', on: /^synthetic large/, wall: 0.45, memory: 0.45, oneThread: true },
  { work: 'synthetic medium', on: /^synthetic medium/, wall: 0.6, memory: 0.7 },
  { work: 'real program, command', on: /leveldb|sqlite/, overPeer: 40, memory: 1 },
  { work: 'hello, command', on: /^hello/, overStart: 40 },
]

/** Times of `link()` in a process that has linked before: to a file against the peer's command, and in memory. */
export const WARM_FILE_RATIO = 1
export const WARM_MEMORY_MILLISECONDS = 3

export interface GoalLine {
  work: string
  scenario: string
  measured: string
  goal: string
  met: boolean
}

/** One line for each figure of the goal that was measured on this scenario. */
export function checkGoal(goal: Goal, scenario: string, results: readonly Result[]): GoalLine[] {
  const of = (name: string): Run | null => results.find((result) => result.name === name)?.summary ?? null
  const suffix = goal.oneThread ? ONE_THREAD : ''
  const [ours, peer, start] = [of(OURS + suffix), of(PEER + suffix), of(NODE)]
  if (ours === null) return [{ work: goal.work, scenario, measured: 'failed', goal: 'a link', met: false }]
  const lines: GoalLine[] = []
  const add = (what: string, value: number, limit: number, unit: string, places: number) => {
    const measured = `${what} ${value.toFixed(places)}${unit}`
    lines.push({ work: goal.work, scenario, measured, goal: `at most ${limit}${unit}`, met: value <= limit })
  }
  if (goal.wall !== undefined && peer !== null) add('wall', ours.wall / peer.wall, goal.wall, '', 2)
  if (goal.memory !== undefined && peer !== null) add('memory', ours.memory / peer.memory, goal.memory, '', 2)
  if (goal.overStart !== undefined && start !== null)
    add('over node -e 0', ours.wall - start.wall, goal.overStart, ' ms', 1)
  if (goal.overPeer !== undefined && peer !== null && start !== null)
    add('over ld64.lld and node -e 0', ours.wall - peer.wall - start.wall, goal.overPeer, ' ms', 1)
  return lines
}

export function goalTable(lines: readonly GoalLine[]): string {
  const row = ({ work, scenario, measured, goal, met }: GoalLine) =>
    `  ${work.padEnd(36)} ${scenario.padEnd(26)} ${measured.padEnd(36)} ${goal.padEnd(15)} ${met ? 'met' : 'NOT MET'}`
  return ['to reach', ...lines.map(row)].join('\n')
}
