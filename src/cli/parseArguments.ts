// Words to options, as LLVM's option library reads them: the longest name wins, an exact one before a joined one.
import { ALIASES, type Option, type OptionTable } from './optionTable.ts'

/** One option as it was given; `name` is null for an input. */
export interface Argument {
  name: string | null
  option: Option | null
  /** What stood on the command line, the joined value left out. */
  spelling: string
  values: readonly string[]
}

export interface ParsedArguments {
  list: Argument[]
  unknown: string[]
  /** The option that came last and had too few values. */
  missing: string | null
}

export function parseArguments(table: OptionTable, words: readonly string[]): ParsedArguments {
  const parsed: ParsedArguments = { list: [], unknown: [], missing: null }
  let at = 0
  while (at < words.length) {
    const word = words[at++]!
    if (word === '') continue
    if (word[0] !== '-' || word === '-') {
      parsed.list.push({ name: null, option: null, spelling: word, values: [word] })
      continue
    }
    const option = findOption(table, word)
    if (option === null) {
      parsed.unknown.push(word)
      continue
    }
    const values = valuesOf(option, word, words, at)
    if (values === null) {
      parsed.missing = option.name
      break
    }
    if (!isJoinedUse(option, word)) at += values.length
    parsed.list.push({ name: ALIASES[option.name] ?? option.name, option, spelling: option.name, values })
  }
  return parsed
}

function findOption(table: OptionTable, word: string): Option | null {
  const exact = table.exact.get(word)
  if (exact !== undefined) return exact
  for (const option of table.joined) if (word.startsWith(option.name)) return option
  return null
}

function isJoinedUse(option: Option, word: string): boolean {
  return option.arity === 'joined' || (option.arity === 'either' && word.length > option.name.length)
}

function valuesOf(option: Option, word: string, words: readonly string[], at: number): string[] | null {
  if (isJoinedUse(option, word)) return [word.slice(option.name.length)]
  const count = typeof option.arity === 'number' ? option.arity : 1
  return at + count > words.length ? null : words.slice(at, at + count)
}
