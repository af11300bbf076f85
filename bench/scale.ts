// `npm run bench:scale`: what a symbol, a block and a relocation cost in each system, by the size of the program.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine, machineLine } from './machine.ts'
import { flatTable, judgeScale } from './scale/flat.ts'
import type { SizeResult } from './scale/measureSize.ts'
import { plot } from './scale/plot.ts'
import { defaultCache } from './synthetic.ts'

const USAGE = `usage: npm run bench:scale -- [options]
  --to SIZE      symbols of the largest program: 100k, 1M (default), 10M
  --arch ARCH    arm64 (default) or x86_64
  --out DIR      where symbols.svg, blocks.svg and relocations.svg go, default the cache
  --cache DIR    where inputs are kept, default ${defaultCache}
  --json FILE    also write the numbers there
`

const OPTIONS = {
  to: { type: 'string', default: '1M' },
  arch: { type: 'string', default: 'arm64' },
  out: { type: 'string' },
  cache: { type: 'string', default: defaultCache },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

const LIMITS: Readonly<Record<string, number>> = { '100k': 1e5, '1M': 1e6, '10M': 1e7 }
const SMALLEST = 1e4
/** Symbols of an object of 100 functions, about. */
const SYMBOLS_AN_OBJECT = 835
/** Systems that never take this many nanoseconds a row are left out. */
const LEAST_NANOSECONDS = 1

const KINDS = ['symbols', 'blocks', 'relocations'] as const
type Kind = (typeof KINDS)[number]

process.exitCode = main()

function main(): number {
  const { values } = parseArgs({ options: OPTIONS })
  const limit = LIMITS[values.to]
  if (values.help || limit === undefined || !['arm64', 'x86_64'].includes(values.arch)) {
    console.error(USAGE)
    return values.help ? 0 : 2
  }
  mkdirSync(values.cache, { recursive: true })
  const out = values.out ?? values.cache
  mkdirSync(out, { recursive: true })
  console.log(machineLine(describeMachine()))
  const results = sizes(limit).map((objects) => measure(values.arch, objects, values.cache))
  for (const kind of KINDS) {
    console.log(`\n${table(kind, results)}`)
    const path = join(out, `${kind}.svg`)
    writeFileSync(path, drawing(kind, results))
    console.log(`  plot: ${path}`)
  }
  const judged = judgeScale(results)
  console.log(`\n${flatTable(judged)}`)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
  return judged.every(({ flat }) => flat) ? 0 : 1
}

/** Objects of each program: two sizes a decade. */
function sizes(limit: number): number[] {
  const list: number[] = []
  for (let symbols = SMALLEST; symbols < limit * 1.01; symbols *= Math.sqrt(10))
    list.push(Math.ceil(symbols / SYMBOLS_AN_OBJECT))
  return list
}

/** In a process of its own, so that no size inherits memory of another. */
function measure(arch: string, objects: number, cache: string): SizeResult {
  const script = fileURLToPath(new URL('scale/measureSize.js', import.meta.url))
  const args = ['--expose-gc', script, arch, String(objects), String(Math.ceil(SMALLEST / SYMBOLS_AN_OBJECT)), cache]
  const done = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (done.error) throw done.error
  if (done.status !== 0) throw new Error(`${objects} objects: status ${done.status}\n${done.stderr}`)
  return JSON.parse(done.stdout)
}

function cost(result: SizeResult, kind: Kind, system: string): number {
  return ((result.systems[system] ?? 0) * 1e6) / result[kind]
}

function systemsOf(results: readonly SizeResult[], kind: Kind): string[] {
  const names = Object.keys(results[results.length - 1].systems)
  return names.filter((name) => results.some((result) => cost(result, kind, name) >= LEAST_NANOSECONDS))
}

function whole(result: SizeResult, kind: Kind): number {
  return Object.keys(result.systems).reduce((sum, system) => sum + cost(result, kind, system), 0)
}

/** The last column is the cost at the largest size by that at the middle one: 1 is flat. */
function table(kind: Kind, results: readonly SizeResult[]): string {
  const head = results.map((result) => String(result[kind]).padStart(9)).join('')
  const line = (name: string, values: readonly number[]) => {
    const growth = values[values.length - 1] / values[values.length >> 1]
    return `  ${name.padEnd(16)}${values.map((value) => value.toFixed(1).padStart(9)).join('')}${growth.toFixed(2).padStart(9)}`
  }
  const rows = systemsOf(results, kind).map((system) =>
    line(
      system,
      results.map((result) => cost(result, kind, system)),
    ),
  )
  const sum = line(
    'all',
    results.map((result) => whole(result, kind)),
  )
  return [`ns per ${kind.slice(0, -1)}`, `  ${kind.padEnd(16)}${head}   growth`, ...rows, sum].join('\n')
}

function drawing(kind: Kind, results: readonly SizeResult[]): string {
  const series = systemsOf(results, kind).map((name) => ({
    name,
    points: results
      .map((result): [number, number] => [result[kind], cost(result, kind, name)])
      .filter(([, nanoseconds]) => nanoseconds > 0),
  }))
  const row = kind.slice(0, -1)
  return plot(`nanoseconds per ${row}, by system`, kind, `ns per ${row}`, series)
}
