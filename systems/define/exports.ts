// Which names are exported, and with that, what each name means.
import { nameText } from '../../components/internal.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { NAME_AUTO_HIDE, NAME_EXPORTED, NAME_PRIVATE, WHERE_GLOBAL, WHERE_UNDEFINED } from '../../components/names.ts'
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_PRIVATE,
  SYMBOL_SYNTHETIC,
  SYMBOL_THREAD_LOCAL,
  SYMBOL_WEAK_DEF,
} from '../../components/symbols.ts'
import { warn } from '../../src/core/messages.ts'
import { compilePatterns, matches } from '../../src/core/patterns.ts'
import { orderPlaces } from '../kernels/orderPlaces.ts'
import { shownText } from '../kernels/places.ts'
import { fileOfSymbol } from '../kernels/ranks.ts'
import { isInterposable, reserveImports } from './imports.ts'

const SPECIAL = SYMBOL_ABSOLUTE | SYMBOL_THREAD_LOCAL

/*
 * What a name means to whoever mentions it, by name: a Reference.target without its top bit, which nothing has yet, and
 *   MEANS_SPECIAL   bit 30: an absolute or thread-local symbol
 *   MEANS_OPEN      all of 31 bits: perhaps an import, to be decided at the first mention
 */
export const MEANS_SPECIAL = 0x40000000
export const MEANS_OPEN = 0x7fffffff

/**
 * External definitions are exported unless they are private; lists of exported and unexported names decide over both.
 * Returns what each name means, one word, so that symbols need one look.
 */
export function decideExports(link: Link): Uint32Array {
  const { names, symbols } = link
  const { where, symbol } = names.Resolution
  const lists = exportLists(link)
  const interposable = isInterposable(link)
  const meaning = new Uint32Array(names.count + 1)
  let open = 0
  for (let name = 1; name <= names.count; name++) {
    if (where[name] === WHERE_UNDEFINED) {
      meaning[name] = MEANS_OPEN
      open++
    }
    if (where[name] !== WHERE_GLOBAL) continue
    const is = symbols.Definition.flags[symbol[name]]
    const hidden = decideExport(link, name, lists)
    meaning[name] = is & SPECIAL ? symbol[name] | MEANS_SPECIAL : symbol[name]
    if (!hidden && (is & SYMBOL_WEAK_DEF || interposable)) {
      meaning[name] = MEANS_OPEN
      open++
    }
  }
  if (lists !== null) warnHidden(link, lists.hidden)
  reserveImports(link, open)
  return meaning
}

/** What options list, and listed names that are hidden all the same; null where they list nothing. */
type ExportLists = { exported: PatternList | null; unexported: PatternList; hidden: number[] } | null

export function exportLists({ settings }: Link): ExportLists {
  const exported = settings.exportedSymbols === undefined ? null : compilePatterns(settings.exportedSymbols)
  const unexported = compilePatterns(settings.unexportedSymbols ?? [])
  const listed = exported !== null || unexported.literals.size + unexported.globs.length > 0
  return listed ? { exported, unexported, hidden: [] } : null
}

/** Of a name that the image defines: marks name and symbol, and returns whether it is hidden. */
export function decideExport(link: Link, name: number, lists: ExportLists): boolean {
  const { flags, symbol } = link.names.Resolution
  const definition = link.symbols.Definition.flags
  const is = definition[symbol[name]]
  let hidden = is & SYMBOL_WEAK_DEF ? (flags[name] & NAME_PRIVATE) !== 0 : (is & SYMBOL_PRIVATE) !== 0
  if (lists !== null && !(is & SYMBOL_SYNTHETIC && hidden)) hidden = hideByLists(link, name, hidden, lists)
  if (link.settings.noExportedSymbols) hidden = true
  if (hidden) definition[symbol[name]] |= SYMBOL_PRIVATE
  else {
    definition[symbol[name]] &= ~SYMBOL_PRIVATE
    flags[name] |= NAME_EXPORTED
  }
  return hidden
}

type PatternList = ReturnType<typeof compilePatterns>

function hideByLists(link: Link, name: number, hidden: boolean, lists: NonNullable<ExportLists>): boolean {
  const text = nameText(link, name)
  if (matches(lists.unexported, text)) return true
  if (lists.exported === null) return hidden
  if (!matches(lists.exported, text)) return true
  if (!hidden) return false
  if (link.names.Resolution.flags[name] & NAME_AUTO_HIDE) return false
  lists.hidden.push(name)
  return true
}

export function warnHidden(link: Link, names: number[]): void {
  for (const name of orderPlaces(link, names)) {
    const file = fileOfSymbol(link, link.names.Resolution.symbol[name])
    const what = `cannot export hidden symbol ${shownText(link, nameText(link, name))}`
    warn(link.messages, 'hidden-export', what, locate(link, file), [`defined in ${fileText(link, file)}`])
  }
}
