// What the benchmark prints.
import type { Result, Run } from './measure.ts'
import { NODE, OURS, PEER } from './rivals/contestants.ts'

/** Ours by the peer's: below 1 is faster, or smaller. `lessStart` is the wall time without the start of Node, where that was timed. */
export interface Ratio {
  wall: number
  cpu: number
  memory: number
  lessStart?: number
}

function summaryOf(results: readonly Result[], name: string): Run | null {
  return results.find((result) => result.name === name)?.summary ?? null
}

export function ratioOf(results: readonly Result[]): Ratio | null {
  const ours = summaryOf(results, OURS)
  const peer = summaryOf(results, PEER)
  const start = summaryOf(results, NODE)
  if (ours === null || peer === null) return null
  const ratio: Ratio = { wall: ours.wall / peer.wall, cpu: ours.cpu / peer.cpu, memory: ours.memory / peer.memory }
  if (start !== null) ratio.lessStart = (ours.wall - start.wall) / peer.wall
  return ratio
}

function row(name: string, wall: string, cpu: string, memory: string): string {
  return `  ${name.padEnd(20)}${wall.padStart(10)}${cpu.padStart(10)}${memory.padStart(10)}`
}

export function scenarioLines(name: string, runs: number, results: readonly Result[]): string[] {
  const lines = [`${name}, median of ${runs}`, row('', 'wall ms', 'cpu ms', 'peak MiB')]
  for (const { name: who, summary, failure } of results) {
    if (summary === null) lines.push(`  ${who.padEnd(20)} FAILED ${failure ?? 'without runs'}`)
    else lines.push(row(who, summary.wall.toFixed(1), summary.cpu.toFixed(1), (summary.memory / 2 ** 20).toFixed(1)))
  }
  const ratio = ratioOf(results)
  if (ratio !== null) lines.push(row('ratio', ratio.wall.toFixed(2), ratio.cpu.toFixed(2), ratio.memory.toFixed(2)))
  if (ratio?.lessStart !== undefined) lines.push(row('ratio less node -e 0', ratio.lessStart.toFixed(2), '', ''))
  return lines
}

/** A task of a suite: median milliseconds, and for work on rows or bytes the speed. */
export interface TaskLine {
  suite: string
  task: string
  milliseconds: number
  samples: number
  /** What one run goes over, `1e5 rows` for instance. */
  amount: string
}

export function suiteLine({ task, milliseconds, samples, amount }: TaskLine): string {
  return `  ${task.padEnd(34)}${milliseconds.toFixed(3).padStart(10)} ms  ${amount}, ${samples} samples`
}
