// One round of a scenario, in a process of its own (argument: a RoundTask as JSON): the libraries link in turn, in an order drawn
// anew each time, and every system's time is set against that of the base in the same turn. Prints a RoundResult as JSON.
import { pathToFileURL } from 'node:url'
import type { Host } from '../../src/host/host.ts'
import type { LinkOptions, LinkResult } from '../../src/types.ts'
import { jobOptions, type LinkJob } from '../jobs.ts'
import { shuffled } from '../measure.ts'
import { randomFrom } from '../random.ts'
import { timeKernel } from './kernel.ts'
import { median } from './statistics.ts'

export interface RoundTask {
  /** Bundles of the library: base, base again, head. */
  libraries: readonly string[]
  job: LinkJob
  /** Turns before those that count, and those that count. */
  warmups: number
  turns: number
  threads: number
  seed: number
}

/** By system, and `link` for the whole: milliseconds of base and head, medians; medians over the turns of the ratios as in Row. */
export interface RoundResult {
  kernel: number
  rows: Record<string, { base: number; head: number; ratio: number; control: number }>
}

interface Library {
  link: (options: LinkOptions) => Promise<LinkResult>
  createNodeHost: () => Host
}

type Times = Record<string, number[]>

process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]) as RoundTask)))

async function run({ libraries, job, warmups, turns, threads, seed }: RoundTask): Promise<RoundResult> {
  const random = randomFrom(seed)
  const loaded: Library[] = new Array(libraries.length)
  for (const i of shuffled(libraries.length, random)) loaded[i] = await import(pathToFileURL(libraries[i]).href)
  const options = { ...jobOptions(job), output: 'out', write: false, threads }
  const times = libraries.map((): Times => ({}))
  for (let turn = 0; turn < warmups + turns; turn++)
    for (const i of shuffled(libraries.length, random)) {
      const line = await timeLink(loaded[i], options)
      if (turn >= warmups) keep(times[i], line)
    }
  return { kernel: timeKernel(), rows: rowsOf(times) }
}

function keep(times: Times, line: Record<string, number>): void {
  for (const [name, milliseconds] of Object.entries(line)) {
    times[name] ??= []
    times[name].push(milliseconds)
  }
}

/** Garbage of the link before is collected outside of the time. */
async function timeLink(library: Library, options: LinkOptions): Promise<Record<string, number>> {
  globalThis.gc?.()
  const started = performance.now()
  const { timings } = await library.link({ ...options, host: library.createNodeHost() })
  const line: Record<string, number> = { link: performance.now() - started }
  for (const { system, milliseconds } of timings) line[system] = milliseconds
  return line
}

function rowsOf([base, again, head]: readonly Times[]): RoundResult['rows'] {
  const rows: RoundResult['rows'] = {}
  for (const name of Object.keys(base)) {
    if (again[name]?.length !== base[name].length || head[name]?.length !== base[name].length) continue
    const [first, second, third] = [base[name], again[name], head[name]]
    rows[name] = {
      base: median(first),
      head: median(third),
      ratio: median(third.map((ms, turn) => ms / Math.sqrt(first[turn] * second[turn]))),
      control: median(second.map((ms, turn) => ms / first[turn])),
    }
  }
  return rows
}
