import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { compareImages } from './compareImages.ts'
import { describeDifferences } from './describeDifferences.ts'

const USAGE = 'usage: cli.js OURS THEIRS [--inputs FILE...] [--most N]   (a FILE of the form @RSP: the inputs it names)'

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
  for (const line of describeDifferences(result.differences, Number(values.most))) console.log(line)
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
