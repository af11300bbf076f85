// `npm run bench`: our command against ld64.lld, scenario by scenario in the same run, then the parts in this process.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Bench } from 'tinybench'
import { verify } from '../src/verify.ts'
import { kernelTasks, type Task } from './kernels.ts'
import { linkTasks } from './linkTasks.ts'
import { describeMachine, machineLine } from './machine.ts'
import { type Contestant, compare, type Result } from './measure.ts'
import { contestantsFor, corpus, defaultScenarios, OURS, type Scenario } from './scenarios.ts'
import { defaultCache, type Preset, presets } from './synthetic.ts'
import { type Ratio, ratioOf, scenarioLines, suiteLine, type TaskLine } from './tables.ts'

const USAGE = `usage: npm run bench -- [options]
  --preset NAME    size of the synthetic program: small, medium (default), large
  --runs N         timed runs of each command, 5 or more, default 5
  --corpus DIR     also every DIR/**/link.rsp
  --only TEXT      scenarios and suites whose name holds TEXT (suites: kernels, links)
  --cache DIR      where inputs and outputs are kept, default ${defaultCache}
  --json FILE      also write the numbers there
`

const OPTIONS = {
  preset: { type: 'string', default: 'medium' },
  runs: { type: 'string', default: '5' },
  corpus: { type: 'string' },
  only: { type: 'string', default: '' },
  cache: { type: 'string', default: defaultCache },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

interface ScenarioReport {
  name: string
  results: Result[]
  ratio: Ratio | null
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

process.exitCode = await main()

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS })
  const runs = Number(values.runs)
  if (values.help || !(values.preset in presets) || !(Number.isInteger(runs) && runs >= 5)) {
    console.error(USAGE)
    return values.help ? 0 : 2
  }
  mkdirSync(values.cache, { recursive: true })
  const machine = describeMachine()
  console.log(machineLine(machine))
  const scenarios = compareAll(chooseScenarios(values), runs, values.cache)
  const suites: TaskLine[] = []
  if ('kernels'.includes(values.only)) suites.push(...(await runSuite('kernels', kernelTasks())))
  if ('links'.includes(values.only)) suites.push(...(await runSuite('links', linkTasks(values.cache))))
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ machine, scenarios, suites }, null, 2)}\n`)
  return scenarios.some(({ ratio }) => ratio === null) ? 1 : 0
}

function chooseScenarios(values: Values): Scenario[] {
  const own = defaultScenarios(values.preset as Preset, values.cache)
  const all = values.corpus === undefined ? own : [...own, ...corpus(values.corpus)]
  return all.filter(({ name }) => name.includes(values.only))
}

function compareAll(scenarios: readonly Scenario[], runs: number, cache: string): ScenarioReport[] {
  return scenarios.map((scenario, i) => {
    const contestants = contestantsFor(scenario, cache)
    const results = compare(contestants, runs, i + 1)
    refuseWrongOutput(contestants, results)
    console.log(`\n${scenarioLines(scenario.name, runs, results).join('\n')}`)
    return { name: scenario.name, results, ratio: ratioOf(results) }
  })
}

/** A fast link that is wrong is no result. */
function refuseWrongOutput(contestants: readonly Contestant[], results: readonly Result[]): void {
  const ours = contestants.findIndex(({ name }) => name === OURS)
  const { output } = contestants[ours]
  if (output === null || results[ours].failure !== null) return
  const wrong = verify(new Uint8Array(readFileSync(output))).find(({ severity }) => severity === 'error')
  if (wrong === undefined) return
  results[ours].failure = `the output is wrong: ${wrong.text}`
  results[ours].summary = null
}

async function runSuite(suite: string, tasks: readonly Task[]): Promise<TaskLine[]> {
  const bench = new Bench({ name: suite, time: 300, warmupTime: 100, iterations: 5, warmupIterations: 1, throws: true })
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
