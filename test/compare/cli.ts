import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { compareImages, type Difference } from './compareImages.ts'

const USAGE = 'usage: cli.js OURS THEIRS [--inputs FILE...] [--most N]   (a FILE of the form @RSP: the inputs it names)'

// The part of two texts around the first place where they differ.
function excerpt(text: string | null, other: string | null): string {
  if (text === null) return '(nothing)'
  let at = 0
  if (other !== null) while (at < text.length && text[at] === other[at]) at++
  const from = text.length <= 160 ? 0 : Math.max(0, at - 40)
  const part = text.slice(from, from + 160).replaceAll('\n', ' ; ')
  return `${from > 0 ? `[${from}] ...` : ''}${part}${from + 160 < text.length ? '...' : ''}`
}

function printKind(kind: string, differences: Difference[], most: number): void {
  console.log(`${kind}: ${differences.length}`)
  for (const d of differences.slice(0, most)) {
    console.log(`  ${d.subject}`)
    console.log(`    ours:   ${excerpt(d.ours, d.theirs)}`)
    console.log(`    theirs: ${excerpt(d.theirs, d.ours)}`)
  }
  if (differences.length > most) console.log(`  and ${differences.length - most} more`)
}

function inputPaths(given: string[]): string[] {
  return given.flatMap((path) => {
    if (!path.startsWith('@')) return [path]
    const words = readFileSync(path.slice(1), 'utf8').split(/\s+/)
    return words.filter((word) => /\.(o|a)$/.test(word) && !word.startsWith('-'))
  })
}

function main(): number {
  // Every word behind --inputs up to the next option is an input.
  const words = process.argv.slice(2)
  const at = words.indexOf('--inputs')
  const inputs: string[] = []
  if (at >= 0) {
    words.splice(at, 1)
    while (at < words.length && !words[at]!.startsWith('--')) inputs.push(...words.splice(at, 1))
  }
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: { most: { type: 'string', default: '10' } },
  })
  if (positionals.length !== 2) {
    console.error(USAGE)
    return 2
  }
  const [ours, theirs] = positionals.map((path) => readFileSync(path))
  const files = inputPaths(inputs).map((name) => ({ name, bytes: readFileSync(name) }))
  const result = compareImages(ours!, theirs!, { inputs: files })
  const kinds = new Map<string, Difference[]>()
  for (const d of result.differences) kinds.set(d.kind, [...(kinds.get(d.kind) ?? []), d])
  for (const [kind, differences] of kinds) printKind(kind, differences, Number(values.most))
  for (const [id, count] of Object.entries(result.excepted)) console.log(`excepted ${id}: ${count}`)
  const counts = Object.entries(result.compared).map(([kind, count]) => `${count} ${kind}`)
  console.log(`compared: ${counts.join(', ')}`)
  console.log(`${result.differences.length} differences`)
  return result.differences.length === 0 ? 0 : 1
}

try {
  process.exitCode = main()
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 2
}
