// Runs the rounds of a scenario and gathers its rows.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LinkJob } from '../jobs.ts'
import { type Contestant, runOnce, shuffled } from '../measure.ts'
import { randomFrom } from '../random.ts'
import type { CountedLink } from './counters.ts'
import type { RoundResult, RoundTask } from './linkRound.ts'
import type { Sides } from './sides.ts'
import { median } from './statistics.ts'
import type { Row } from './verdict.ts'

export interface RoundOptions {
  threads: number
  /** Also times the commands, in processor and wall time. */
  commands: boolean
  peer: string | null
  /** What the links of a round may take, warm-up and all libraries counted. */
  milliseconds: number
}

/** Medians of what is timed along with the rounds: milliseconds of the fixed kernel, and of ld64.lld's wall and processor time. */
export interface Yardsticks {
  kernel: number
  peerWall: number | null
  peerCpu: number | null
}

export interface Batch {
  rows: Row[]
  yardsticks: Yardsticks
}

interface Turns {
  warmups: number
  turns: number
}

const HERE = fileURLToPath(new URL('.', import.meta.url))
const MOST_TURNS = 20
/** Functions are compiled anew while they warm up: this many links leave most of that behind. */
const MOST_WARMUPS = 10
/** A system with less than this part of the link, or of less than this many milliseconds, is in the row of the whole link only. */
const LEAST_PART = 0.03
const LEAST_MILLISECONDS = 0.2

/** glibc keeps what is freed: page faults of fresh memory are noise here; the commands' rows have them. */
const MEMORY = {
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: String(2 ** 33),
  MALLOC_TOP_PAD_: String(2 ** 26),
}

function child(script: string, args: readonly string[]): string {
  const done = spawnSync(process.execPath, ['--expose-gc', join(HERE, script), ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...MEMORY },
  })
  if (done.error) throw done.error
  if (done.status !== 0) throw new Error(`${script}: status ${done.status}\n${done.stderr}`)
  return done.stdout
}

export function countLink(library: string, job: LinkJob): CountedLink {
  return JSON.parse(child('countLink.js', [library, JSON.stringify(job)]))
}

function linkRound(task: RoundTask): RoundResult {
  return JSON.parse(child('linkRound.js', [JSON.stringify(task)]))
}

/** As many turns as fit a round, found by trying one link of each. */
export function planTurns(sides: Sides, job: LinkJob, { threads, milliseconds }: RoundOptions): Turns {
  const libraries = [sides.base.library, sides.again.library, sides.head.library]
  const { rows } = linkRound({ libraries, job, warmups: 3, turns: 2, threads, seed: 1 })
  const fits = Math.floor(milliseconds / (3 * rows.link.base))
  const warmups = Math.max(1, Math.min(MOST_WARMUPS, Math.floor(fits / 3)))
  return { warmups, turns: Math.max(2, Math.min(MOST_TURNS, fits - warmups)) }
}

/** `rounds` rounds; what runs first is drawn anew in each. */
export function runBatch(
  sides: Sides,
  job: LinkJob,
  turns: Turns,
  rounds: number,
  seed: number,
  options: RoundOptions,
): Batch {
  const random = randomFrom(seed)
  const rows = new Map<string, Row>()
  const kernels: number[] = []
  const peer = { wall: [] as number[], cpu: [] as number[] }
  const libraries = [sides.base.library, sides.again.library, sides.head.library]
  for (let round = 0; round < rounds; round++) {
    const part = [() => linkPart(), () => (options.commands ? commandPart() : undefined)]
    for (const i of shuffled(part.length, random)) part[i]()
  }
  function linkPart(): void {
    const task = { libraries, job, ...turns, threads: options.threads, seed: Math.floor(random() * 2 ** 31) }
    const { kernel, rows: found } = linkRound(task)
    kernels.push(kernel)
    for (const [name, { base, head, ratio, control }] of Object.entries(found))
      add(rows, name, base, head, ratio, control)
  }
  function commandPart(): void {
    const runs = runCommands(sides, job, options, random)
    for (const unit of ['cpu', 'wall'] as const) {
      const [base, again, head] = runs.map((run) => run[unit])
      add(rows, `command, ${unit}`, base, head, head / Math.sqrt(base * again), again / base)
      if (runs.length > 3) peer[unit].push(runs[3][unit])
    }
  }
  const yardsticks = { kernel: median(kernels), peerWall: orNull(peer.wall), peerCpu: orNull(peer.cpu) }
  return { rows: worthShowing([...rows.values()]), yardsticks }
}

function orNull(values: readonly number[]): number | null {
  return values.length === 0 ? null : median(values)
}

function add(rows: Map<string, Row>, name: string, base: number, head: number, ratio: number, control: number): void {
  const row = rows.get(name) ?? { name, base: [], head: [], ratios: [], controls: [] }
  rows.set(name, row)
  row.base.push(base)
  row.head.push(head)
  row.ratios.push(ratio)
  row.controls.push(control)
}

function worthShowing(rows: Row[]): Row[] {
  const whole = median(rows.find(({ name }) => name === 'link')!.base)
  const least = Math.max(LEAST_MILLISECONDS, LEAST_PART * whole)
  return rows.filter(({ name, base }) => name.startsWith('command') || median(base) >= least)
}

/** Base, base again, head, and ld64.lld where it is there; each output is removed before. */
function runCommands(sides: Sides, job: LinkJob, options: RoundOptions, random: () => number) {
  const contestants: Contestant[] = [sides.base, sides.again, sides.head].map(({ command }, i) => ({
    name: command,
    command: [process.execPath, command],
    output: join(sides.folder, `out-${i}`),
  }))
  if (options.peer !== null)
    contestants.push({ name: options.peer, command: [options.peer], output: join(sides.folder, 'out-peer') })
  const runs = new Array(contestants.length)
  for (const i of shuffled(contestants.length, random)) {
    const { name, command, output } = contestants[i]
    const args = [`--threads=${options.threads}`, `@${job.response}`, '-o', output!]
    runs[i] = runOnce({ name, command: [...command, ...args], output })
  }
  return runs as { cpu: number; wall: number }[]
}
