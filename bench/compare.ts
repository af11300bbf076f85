// `npm run bench:compare -- BASE`: is this tree slower than another revision, or does it do more work?
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Arch } from '../src/types.ts'
import { compareScenario } from './compare/compareScenario.ts'
import { isRegression, meanRatio, reportData, type ScenarioReport, scenarioTable } from './compare/report.ts'
import { buildRevision, makeSides, revisionName, temporaryFolder } from './compare/sides.ts'
import { jobs, root } from './jobs.ts'
import { describeMachine, machineLine } from './machine.ts'
import { PEER_COMMAND } from './rivals/contestants.ts'
import { defaultCache } from './synthetic.ts'

const LEAST_ROUNDS = 12
/** The links of a round take about this long, warm-up and all libraries counted. */
const ROUND_MILLISECONDS = 1500

const USAGE = `usage: npm run bench:compare -- BASE [options]
  BASE               the revision to compare with; it is built in a work tree of its own
  --scenarios LIST   names, separated by commas (a part of a name will do), default all but '1M functions':
                     ${Object.keys(jobs).join(', ')}
  --arch ARCH        arm64 (default) or x86_64
  --rounds N         rounds of the first batch, ${LEAST_ROUNDS} or more, default ${LEAST_ROUNDS}
  --threads N        threads of the links, default 1
  --cache DIR        where inputs are kept, default ${defaultCache}
  --json FILE        also write the ratios there
Exits with 1 when a row is a regression or a counter rose.
`

const OPTIONS = {
  scenarios: { type: 'string' },
  arch: { type: 'string', default: 'arm64' },
  rounds: { type: 'string', default: String(LEAST_ROUNDS) },
  threads: { type: 'string', default: '1' },
  cache: { type: 'string', default: defaultCache },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

process.exitCode = await main()

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })
  const rounds = Number(values.rounds)
  const threads = Number(values.threads)
  const names = chooseScenarios(values.scenarios)
  const wrong =
    positionals.length !== 1 ||
    !(rounds >= LEAST_ROUNDS) ||
    !(threads >= 1) ||
    !['arm64', 'x86_64'].includes(values.arch)
  if (values.help || wrong || names.length === 0) {
    console.error(USAGE)
    return values.help ? 0 : 2
  }
  mkdirSync(values.cache, { recursive: true })
  const folder = temporaryFolder()
  const sideNames: [string, string] = [revisionName(positionals[0]), 'this tree']
  const sides = await makeSides(buildRevision(positionals[0], folder), root, folder, sideNames)
  const peer = spawnSync(PEER_COMMAND, ['--version']).error === undefined ? PEER_COMMAND : null
  const machine = describeMachine()
  console.log(`${machineLine(machine)}\nbase ${sideNames[0]}, head ${sideNames[1]}, ${threads} thread(s)`)
  const reports: ScenarioReport[] = []
  for (const name of names) {
    const job = jobs[name](values.arch as Arch, values.cache)
    const report = compareScenario(`${name} ${values.arch}`, job, sides, rounds, 1, {
      threads,
      commands: true,
      peer,
      milliseconds: ROUND_MILLISECONDS,
    })
    console.log(`\n${scenarioTable(report)}`)
    reports.push(report)
  }
  const all = reports.flatMap(({ judgements }) => judgements)
  console.log(`\ngeometric mean of all ratios ${meanRatio(all).toFixed(3)}`)
  const data = reportData(machine, sideNames, reports)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(data, null, 2)}\n`)
  return reports.some(isRegression) ? 1 : 0
}

function chooseScenarios(list: string | undefined): string[] {
  const all = Object.keys(jobs)
  if (list === undefined) return all.filter((name) => name !== '1M functions')
  const wanted = list.split(',').map((part) => part.trim())
  return all.filter((name) => wanted.some((part) => part !== '' && name.includes(part)))
}
