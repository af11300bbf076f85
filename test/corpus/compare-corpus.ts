import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Comparison, compareImages } from '../compare/compareImages.ts'
import { describeDifferences } from '../compare/describeDifferences.ts'
import type { InputFile } from '../compare/inputs.ts'
import { linkBoth } from './linkBoth.ts'

const USAGE = `usage: compare-corpus.js [--most N] [--only REGEX] [--keep DIR] [--flags "FLAGS"] FOLDER...
Every link.rsp at or below a FOLDER (at most four levels deep) is linked by ld64.lld-22 and by us, as executable and as dylib, in both
forms of fixups, with and without -dead_strip. FLAGS go to both linkers.`

const OUTPUTS: readonly (readonly [string, readonly string[]])[] = [
  ['execute', []],
  ['dylib', ['-dylib', '-install_name', '@rpath/x.dylib']],
]
const FORMS = ['-fixup_chains', '-no_fixup_chains']
const STRIPS: readonly (readonly string[])[] = [[], ['-dead_strip']]

interface Case {
  name: string
  rsp: string
  flags: string[]
}

interface Options {
  most: number
  folder: string
  flags: string[]
}

function findResponses(folder: string, depth: number): string[] {
  const own = join(folder, 'link.rsp')
  if (existsSync(own)) return [own]
  if (depth === 0) return []
  const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return inner.flatMap((entry) => findResponses(join(folder, entry.name), depth - 1)).sort()
}

function casesOf(rsp: string): Case[] {
  const cases: Case[] = []
  const place = rsp.split('/').slice(-3, -1).join('/')
  for (const [output, asOutput] of OUTPUTS) {
    for (const form of FORMS) {
      for (const strip of STRIPS) {
        const name = [place, output, form.slice(1), ...strip].join(' ')
        cases.push({ name, rsp, flags: [...asOutput, form, ...strip] })
      }
    }
  }
  return cases
}

function inputsOf(rsp: string): InputFile[] {
  const words = readFileSync(rsp, 'utf8').split(/\s+/)
  const paths = words.flatMap((word, i) => {
    if (words[i - 1] === '-filelist') return readFileSync(word, 'utf8').split('\n')
    return [word]
  })
  const wanted = paths.filter((path) => /\.(o|a)$/.test(path) && !path.startsWith('-'))
  return wanted.map((name) => ({ name, bytes: readFileSync(name) }))
}

function compareCase(one: Case, inputs: InputFile[], options: Options): number {
  let result: Comparison
  try {
    const { ours, theirs } = linkBoth([`@${one.rsp}`, ...options.flags, ...one.flags], options.folder)
    result = compareImages(ours, theirs, { inputs })
  } catch (error) {
    console.log(`${one.name}: ${error instanceof Error ? error.message : error}`)
    return 1
  }
  const facts = Object.values(result.compared).reduce((sum, count) => sum + count, 0)
  const excepted = Object.entries(result.excepted).map(([id, count]) => `, ${count} ${id}`)
  console.log(`${one.name}: ${facts} facts${excepted.join('')}, ${result.differences.length} differences`)
  for (const line of describeDifferences(result.differences, options.most)) console.log(`  ${line}`)
  return result.differences.length
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      most: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      keep: { type: 'string' },
      flags: { type: 'string', default: '' },
    },
  })
  if (positionals.length === 0) {
    console.error(USAGE)
    return 2
  }
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'compare-corpus-'))
  const options = { most: Number(values.most), folder, flags: values.flags.split(' ').filter((flag) => flag !== '') }
  const only = new RegExp(values.only)
  let total = 0
  for (const rsp of positionals.flatMap((path) => findResponses(path, 4))) {
    const cases = casesOf(rsp).filter((one) => only.test(one.name))
    const inputs = cases.length === 0 ? [] : inputsOf(rsp)
    for (const one of cases) total += compareCase(one, inputs, options)
  }
  if (values.keep === undefined) rmSync(folder, { recursive: true })
  console.log(`${total} differences`)
  return total === 0 ? 0 : 1
}

process.exitCode = main()
