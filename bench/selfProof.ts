// `npm run bench:proof`: shows of the comparison that it finds what it should and nothing else. Slower and harder-working revisions
// are made by putting code around one system of the bundled library, so that nothing of it is in what is shipped.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundleLibrary, type Injection } from './bundleLibrary.ts'
import { compareScenario } from './compare/compareScenario.ts'
import { type CountedLink, isMoreWork, movedCounters, moveText } from './compare/counters.ts'
import { isRegression, type ScenarioReport } from './compare/report.ts'
import { countLink } from './compare/rounds.ts'
import { makeSides, type Sides, temporaryFolder } from './compare/sides.ts'
import { jobs, type LinkJob, root } from './jobs.ts'
import { describeMachine, machineLine } from './machine.ts'
import { defaultCache } from './synthetic.ts'

const USAGE = `usage: npm run bench:proof -- [options]
  --comparisons N  comparisons of this tree with itself, default 20
  --repeats N      comparisons for each slowdown of each system, default 3
  --rounds N       rounds of a comparison's first batch, default 12
  --cache DIR      where inputs are kept, default ${defaultCache}
`

const OPTIONS = {
  comparisons: { type: 'string', default: '20' },
  repeats: { type: 'string', default: '3' },
  rounds: { type: 'string', default: '12' },
  cache: { type: 'string', default: defaultCache },
  help: { type: 'boolean', default: false },
} as const

const ROUND_MILLISECONDS = 800
const SLOWED = ['survey', 'allocate'] as const

/** Spends as long again as `part` of what the system took. */
function slowdown(system: string, part: number): Injection {
  const body = `  const started = performance.now()
  const result = await system()
  const ended = performance.now()
  while (performance.now() < ended + ${part} * (ended - started));
  return result`
  return { system, body }
}

/** One hundredth more of what a system does, counted as its kernels count. */
const EXTRA_WORK: Readonly<Record<string, Injection>> = {
  'sign.hashed': {
    system: 'sign',
    body: `  const result = await system()
  const more = Math.ceil(link.visited.hashed / 100)
  link.host.sha256(link.image, 0, more, new Uint8Array(32), 0)
  link.visited.hashed += more
  return result`,
  },
  'scan.rows': {
    system: 'scan',
    body: `  const result = await system()
  const more = Math.ceil(link.visited.rows / 100)
  let live = 0
  for (let symbol = 1; symbol <= more; symbol++) if (link.symbols.Definition.flags[symbol] !== 0) live++
  link.visited.rows += live > more ? 0 : more
  return result`,
  },
  'allocate.allocated': {
    system: 'allocate',
    body: `  const before = link.host.allocated()
  const result = await system()
  new Uint8Array(Math.ceil((link.host.allocated() - before) / 100))
  return result`,
  },
}

let failures = 0

process.exitCode = await main()

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS })
  if (values.help) {
    console.error(USAGE)
    return 0
  }
  mkdirSync(values.cache, { recursive: true })
  const folder = temporaryFolder()
  const job = jobs.hello('arm64', values.cache)
  const sides = await makeSides(root, root, folder, ['this tree', 'this tree'])
  console.log(machineLine(describeMachine()))
  const rounds = Number(values.rounds)
  await findExtraWork(sides, jobs['1k functions']('arm64', values.cache))
  for (const part of [0.1, 0.05])
    for (const system of SLOWED) await findSlowdown(sides, job, rounds, Number(values.repeats), system, part)
  staySilent(sides, job, rounds, Number(values.comparisons))
  console.log(failures === 0 ? 'proved' : `${failures} failed`)
  return failures === 0 ? 0 : 1
}

function tell(what: string, ok: boolean, detail: string): void {
  if (!ok) failures++
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${what}: ${detail}`)
}

function compareWith(sides: Sides, library: string, job: LinkJob, rounds: number, seed: number): ScenarioReport {
  const head = { ...sides.head, library }
  const options = { threads: 1, commands: false, peer: null, milliseconds: ROUND_MILLISECONDS }
  return compareScenario('proof', job, { ...sides, head }, rounds, seed, options)
}

/** The counter that rose is named, and no other. */
async function findExtraWork(sides: Sides, job: LinkJob): Promise<void> {
  const base: CountedLink = countLink(sides.base.library, job)
  for (const [what, injection] of Object.entries(EXTRA_WORK)) {
    const library = await bundleLibrary(root, join(sides.folder, `${what}.mjs`), injection)
    const moves = movedCounters(base, countLink(library, job)).filter(isMoreWork)
    const texts = moves.map(moveText).join(', ') || 'no counter moved'
    const found =
      moves.length === 1 && `${moves[0].system}.${moves[0].counter}` === what && moves[0].head > moves[0].base
    tell(`1 % more ${what}`, found, texts)
  }
}

/** A tenth is found every time; a twentieth wherever the row is decidable. */
async function findSlowdown(
  sides: Sides,
  job: LinkJob,
  rounds: number,
  repeats: number,
  system: string,
  part: number,
): Promise<void> {
  const library = await bundleLibrary(root, join(sides.folder, `${system}-${part}.mjs`), slowdown(system, part))
  for (let repeat = 0; repeat < repeats; repeat++) {
    const { judgements } = compareWith(sides, library, job, rounds, 100 * repeat + 7)
    const row = judgements.find(({ name }) => name === system)!
    const excused = part < 0.1 && row.verdict === 'undecidable'
    const detail = `${row.verdict}, ratio ${row.ratio.toFixed(3)}, p ${row.p.toPrecision(2)}, noise ${(row.noise * 100).toFixed(1)} %, n ${row.n}`
    tell(`${part * 100} % slower ${system}`, row.verdict === 'regression' || excused, detail)
  }
}

function staySilent(sides: Sides, job: LinkJob, rounds: number, comparisons: number): void {
  for (let i = 0; i < comparisons; i++) {
    const report = compareWith(sides, sides.head.library, job, rounds, 1000 + i)
    const of = (verdict: string) => report.judgements.filter((row) => row.verdict === verdict).length
    const detail = `${of('same')} rows the same, ${of('undecidable')} undecidable, ${of('faster')} faster, ${of('regression')} slower`
    tell(`comparison ${i + 1} of this tree with itself`, !isRegression(report), detail)
  }
}
