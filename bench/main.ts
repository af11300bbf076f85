// `npm run bench`: suites in this process: kernels, every system alone, whole links. With --rivals: our command against ld64.lld;
// with --incremental: rebuilds of a session against its full links; with --blocks: edits of an image block by block.
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Bench, type BenchOptions } from 'tinybench'
import type { Arch } from '../src/types.ts'
import { runBlockEdits } from './blockEdits.ts'
import { incrementalGoals } from './incremental/goals.ts'
import { runIncremental } from './incremental.ts'
import { jobs } from './jobs.ts'
import { kernelTasks, type Task } from './kernels.ts'
import { linkTask } from './linkTasks.ts'
import { describeMachine, machineLine } from './machine.ts'
import { parseRival } from './rivals/contestants.ts'
import { goalTable } from './rivals/goals.ts'
import { type RivalsReport, runRivals } from './rivals/runRivals.ts'
import { corpus, defaultScenarios, type Scenario } from './scenarios.ts'
import { defaultCache, type Preset, presets } from './synthetic.ts'
import { systemTasks } from './systemTasks.ts'
import { suiteLine, type TaskLine } from './tables.ts'

const USAGE = `usage: npm run bench -- [options]
  --only TEXT      suites and links whose name holds TEXT; suites: kernels, systems, links; links:
                   ${Object.keys(jobs).join(', ')}
  --huge           also the link of 1M functions (800 MB of inputs)
  --arch ARCH      arm64 or x86_64; without it arm64, and both with --incremental
  --cache DIR      where inputs and outputs are kept, default ${defaultCache}
  --json FILE      also write the numbers there

  --rivals         instead: our command against ld64.lld-22, and the figures to reach
  --rival N=CMD    another linker with ld64's options; may be given again
  --preset LIST    sizes of the synthetic program: small, medium, large; default medium,large
  --runs N         timed runs of each command, 5 or more, default 5
  --corpus DIR     also every DIR/**/link.rsp, real programs for instance

  --incremental    instead: rebuilds of a session after edits, against full links by ld64.lld-22, and edits of
                   one block; the figures to reach; with --preset and --runs; with --only the rebuilds of which a row's
                   name holds TEXT, and none of the rest
  --blocks         instead: edits of one block of an image, with their flush, among 100,000
`

const OPTIONS = {
  only: { type: 'string', default: '' },
  huge: { type: 'boolean', default: false },
  arch: { type: 'string' },
  cache: { type: 'string', default: defaultCache },
  json: { type: 'string' },
  rivals: { type: 'boolean', default: false },
  rival: { type: 'string', multiple: true },
  incremental: { type: 'boolean', default: false },
  blocks: { type: 'boolean', default: false },
  preset: { type: 'string', default: 'medium,large' },
  runs: { type: 'string', default: '5' },
  corpus: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

/** Enough for the functions to be compiled, and for a median. */
const SHORT: BenchOptions = { time: 0, iterations: 10, warmupTime: 0, warmupIterations: 5 }
const LONG: BenchOptions = { time: 0, iterations: 3, warmupTime: 0, warmupIterations: 1 }
const KERNELS: BenchOptions = { time: 300, iterations: 5, warmupTime: 100, warmupIterations: 1 }
/** The program whose systems are timed one by one. */
const SYSTEMS_OF = '1k functions'
const HUGE = '1M functions'

process.exitCode = await main()

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS })
  const sizes = values.preset.split(',')
  const wrong = !sizes.every((size) => size in presets) || !(Number(values.runs) >= 5)
  if (values.help || wrong || !archsOf(values).every((arch) => ['arm64', 'x86_64'].includes(arch))) {
    console.error(USAGE)
    return values.help ? 0 : 2
  }
  mkdirSync(values.cache, { recursive: true })
  const machine = describeMachine()
  console.log(machineLine(machine))
  const report = await run(values, sizes as Preset[])
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, ...report }, null, 2)}\n`)
  return 'scenarios' in report && report.scenarios.some(({ ratio }) => ratio === null) ? 1 : 0
}

async function run(values: Values, sizes: readonly Preset[]): Promise<RivalsReport | object> {
  if (values.rivals) return compareRivals(values, sizes)
  if (values.blocks) return { blockEdits: runBlockEdits(values.cache) }
  if (values.incremental) return compareRebuilds(values, sizes)
  return { suites: await runSuites(values) }
}

function archsOf({ arch }: Values): Arch[] {
  return arch === undefined ? ['x86_64', 'arm64'] : [arch as Arch]
}

function compareRivals(values: Values, sizes: readonly Preset[]): RivalsReport {
  const own = defaultScenarios(sizes, values.cache)
  const all: Scenario[] = values.corpus === undefined ? own : [...own, ...corpus(values.corpus)]
  const chosen = all.filter(({ name }) => name.includes(values.only))
  return runRivals(chosen, Number(values.runs), values.cache, (values.rival ?? []).map(parseRival))
}

/** A figure missed is told, but fails nothing: it is a ratio of one run. */
async function compareRebuilds(values: Values, sizes: readonly Preset[]): Promise<object> {
  const incremental = await runIncremental(archsOf(values), sizes, Number(values.runs), values.cache, values.only)
  const blockEdits = values.only === '' ? runBlockEdits(values.cache) : []
  const goals = incrementalGoals(incremental, blockEdits)
  console.log(`\n${goalTable(goals)}`)
  return { incremental, blockEdits, goals }
}

async function runSuites({ only, huge, arch = 'arm64', cache }: Values): Promise<TaskLine[]> {
  const lines: TaskLine[] = []
  if ('kernels'.includes(only)) lines.push(...(await runSuite('kernels', kernelTasks(), KERNELS)))
  if ('systems'.includes(only))
    lines.push(...(await runSuite('systems', await systemTasks(SYSTEMS_OF, arch as Arch, cache), SHORT)))
  const names = Object.keys(jobs).filter((name) => 'links'.includes(only) || name.includes(only))
  for (const name of names) {
    if (name === HUGE && !huge) continue
    const how = /^(hello|1k)/.test(name) ? SHORT : LONG
    lines.push(...(await runSuite('links', [linkTask(name, arch as Arch, cache)], how)))
  }
  return lines
}

async function runSuite(suite: string, tasks: readonly Task[], options: BenchOptions): Promise<TaskLine[]> {
  const bench = new Bench({ name: suite, throws: true, ...options })
  for (const { name, run } of tasks) bench.add(name, run)
  await bench.run()
  console.log(`\n${suite}, in this process, median`)
  return tasks.map(({ name, amount }) => {
    const result = bench.getTask(name)!.result
    if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`)
    const { p50, samplesCount } = result.latency
    const line = { suite, task: name, milliseconds: p50, samples: samplesCount, amount }
    console.log(suiteLine(line))
    return line
  })
}
