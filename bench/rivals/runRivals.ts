// `npm run bench -- --rivals`: every linker on every scenario, alternated, and the table of the figures to reach.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { verify } from '../../src/verify.ts'
import { type Contestant, compare, type Result } from '../measure.ts'
import type { Scenario } from '../scenarios.ts'
import { type Ratio, ratioOf, scenarioLines } from '../tables.ts'
import { contestantsFor, differences, OURS, PEER, type Rival } from './contestants.ts'
import { checkGoal, type GoalLine, goals, goalTable, WARM_FILE_RATIO, WARM_MEMORY_MILLISECONDS } from './goals.ts'

export interface ScenarioReport {
  name: string
  results: Result[]
  ratio: Ratio | null
}

export interface RivalsReport {
  scenarios: ScenarioReport[]
  goals: GoalLine[]
}

export function runRivals(
  scenarios: readonly Scenario[],
  runs: number,
  cache: string,
  others: readonly Rival[],
): RivalsReport {
  console.log(differences(others))
  const report: RivalsReport = { scenarios: [], goals: [] }
  scenarios.forEach((scenario, i) => {
    const contestants = contestantsFor(scenario, cache, others)
    const results = compare(contestants, runs, i + 1)
    for (const [c, { name }] of contestants.entries())
      if (name.startsWith(OURS)) refuseWrongOutput(contestants[c], results[c])
    console.log(`\n${scenarioLines(scenario.name, runs, results).join('\n')}`)
    report.scenarios.push({ name: scenario.name, results, ratio: ratioOf(results) })
    for (const goal of goals)
      if (goal.on.test(scenario.name)) report.goals.push(...checkGoal(goal, scenario.name, results))
    report.goals.push(...warmGoals(scenario, results, cache))
  })
  console.log(`\n${goalTable(report.goals)}`)
  return report
}

/** A fast link that is wrong is no result. */
function refuseWrongOutput({ output }: Contestant, result: Result): void {
  if (output === null || result.failure !== null) return
  const wrong = verify(new Uint8Array(readFileSync(output))).find(({ severity }) => severity === 'error')
  if (wrong === undefined) return
  result.failure = `the output is wrong: ${wrong.text}`
  result.summary = null
}

const WARM_RUNS = 30

function warmLink(scenario: Scenario, output: string): number {
  const script = fileURLToPath(new URL('warmLink.js', import.meta.url))
  const args = [script, output, String(WARM_RUNS), ...scenario.args()]
  const done = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${scenario.name}: status ${done.status}\n${done.stderr}`)
  return Number(done.stdout)
}

function warmGoals(scenario: Scenario, results: readonly Result[], cache: string): GoalLine[] {
  const { name } = scenario
  if (/^hello/.test(name)) {
    const milliseconds = warmLink(scenario, '-')
    const measured = `${milliseconds.toFixed(2)} ms`
    const met = milliseconds <= WARM_MEMORY_MILLISECONDS
    const goal = `at most ${WARM_MEMORY_MILLISECONDS} ms`
    return [{ work: 'hello, link() in memory', scenario: name, measured, goal, met }]
  }
  const peer = results.find((result) => result.name === PEER)?.summary
  if (!/leveldb|sqlite/.test(name) || !peer) return []
  const ratio = warmLink(scenario, join(cache, 'out-warm')) / peer.wall
  const goal = `at most ${WARM_FILE_RATIO}`
  const met = ratio <= WARM_FILE_RATIO
  return [{ work: 'real program, link() to file', scenario: name, measured: `wall ${ratio.toFixed(2)}`, goal, met }]
}
