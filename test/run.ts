// `npm test`, after the compiler: lint, bundle, what the tests need, the tests, and how many of them ran a linked image.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
process.exitCode = main()

function main(): number {
  const steps: [string, string[]][] = [
    [process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'check', '.']],
    [process.execPath, ['build/bench/bundle.js']],
    ['bash', ['test/setup']],
  ]
  for (const [file, args] of steps) {
    const status = step(file, args)
    if (status !== 0) return status
  }
  const folder = mkdtempSync(join(tmpdir(), 'colonnade-test-'))
  try {
    return runTests(join(folder, 'tap'), join(folder, 'counts'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function step(file: string, args: string[], env: Record<string, string> = {}): number {
  const options = { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit'] as const }
  const done = spawnSync(file, args, { ...options, stdio: [...options.stdio] })
  if (done.error) console.error(`${file}: ${done.error.message}`)
  return done.status ?? 1
}

function runTests(tap: string, counts: string): number {
  const files = testFiles()
  writeFileSync(tap, '')
  writeFileSync(counts, '')
  const reporters = ['spec', 'stdout', 'tap', tap].map(
    (value, i) => `--test-reporter${i % 2 ? '-destination' : ''}=${value}`,
  )
  // Without files `node --test` would look for some by itself.
  if (files.length > 0)
    step(process.execPath, ['--test', '--test-concurrency=2', ...reporters, ...files], { COLONNADE_COUNTS: counts })
  const imagesFine = reportImages(readFileSync(counts, 'utf8'))
  const testsFine = reportTests(readFileSync(tap, 'utf8'))
  return imagesFine && testsFine ? 0 : 1
}

/** Compiled tests, listed from their sources, so that what is left of a deleted test does not run. */
function testFiles(): string[] {
  const sources = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  const named = sources.filter((name) => name.endsWith('.test.ts')).sort()
  const files = named.map((name) => join('build/test', name.replace(/ts$/, 'js')))
  for (const file of files) if (!existsSync(join(root, file))) throw new Error(`${file} is not compiled`)
  return files
}

/** Prints how many images ran for each architecture and fixup form; false below the floor. */
function reportImages(notes: string): boolean {
  const floor: Record<string, number> = JSON.parse(readFileSync(join(root, 'test/floor.json'), 'utf8'))
  const counts = new Map(Object.keys(floor).map((form) => [form, 0]))
  for (const form of notes.split('\n')) if (form !== '') counts.set(form, (counts.get(form) ?? 0) + 1)
  console.log(`images run or verified: ${[...counts].map(([form, count]) => `${form} ${count}`).join(', ')}`)
  const low = Object.entries(floor).filter(([form, least]) => counts.get(form)! < least)
  for (const [form, least] of low)
    console.log(`too few images for ${form}: got ${counts.get(form)}, expected at least ${least}`)
  return low.length === 0
}

/** Prints the runner's own counts and the verdict. A skipped test counts as failed: there are none in this repository. */
function reportTests(tap: string): boolean {
  const summary = [...tap.matchAll(/^# (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/gm)]
  for (const [line] of summary) console.log(line)
  const count = (name: string) => Number(summary.findLast((match) => match[1] === name)?.[2] ?? 0)
  const failed = count('fail') + count('cancelled') + count('skipped') + count('todo')
  if (count('tests') === 0) console.log('no test ran')
  console.log(`${count('pass')} passed, ${failed} failed`)
  return failed === 0 && count('pass') > 0
}
