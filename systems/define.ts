// define: what the linker itself adds once every input is known: header symbols, tentative definitions, aliases, boundaries,
// created sections; then who is exported, who is imported, and what each symbol row refers to.
// Reads: names, symbols, dylibs. Writes: names, imports, Reference.target, coalesced blocks; the internal file's rows.
// After the fixpoint of load and resolve, before anything follows a reference. Cost: three passes over the symbols.

import { FILE_BROKEN, FILE_LOADED, FILE_OBJECT } from '../components/files.ts'
import { nameText } from '../components/internal.ts'
import type { Link } from '../components/link.ts'
import { NAME_AUTO_HIDE, NAME_EXPORTED, NAME_PRIVATE, WHERE_GLOBAL } from '../components/names.ts'
import {
  SYMBOL_DEFINED,
  SYMBOL_PRIVATE,
  SYMBOL_SYNTHETIC,
  SYMBOL_WEAK_DEF,
  TARGET_IMPORT,
} from '../components/symbols.ts'
import { warn } from '../src/core/messages.ts'
import { compilePatterns, matches } from '../src/core/patterns.ts'
import { defineAliases } from './define/aliases.ts'
import { findOverrides } from './define/overrides.ts'
import { createSections, defineBoundaries, defineCommons, defineHeader } from './define/own.ts'
import { coalesce } from './define/coalesce.ts'
import { defineImports } from './define/imports.ts'
import { reportLoads } from './define/loadReports.ts'
import { defineMessageStubs, pointMessenger } from './define/messageStubs.ts'
import { reportDuplicates } from './kernels/duplicates.ts'
import { ranksBefore } from './kernels/ranks.ts'

export function define(link: Link): void {
  link.order = loadedInOrder(link)
  reportLoads(link)
  findOverrides(link)
  defineHeader(link)
  defineCommons(link)
  defineAliases(link)
  defineBoundaries(link)
  createSections(link)
  defineMessageStubs(link)
  if (!link.settings.deadStripDuplicates) reportDuplicates(link)
  decideExports(link)
  defineImports(link)
  coalesce(link)
  pointSymbols(link)
  pointMessenger(link)
}

function loadedInOrder(link: Link): Uint32Array {
  const { files } = link
  const order: number[] = []
  for (let file = 1; file <= files.count; file++)
    if (
      files.Source.kind[file] === FILE_OBJECT &&
      (files.Source.flags[file] & (FILE_LOADED | FILE_BROKEN)) === FILE_LOADED
    )
      order.push(file)
  order.sort((a, b) => (ranksBefore(link, a, b) ? -1 : 1))
  return Uint32Array.from(order)
}

/** External definitions are exported unless they are private; lists of exported and unexported names decide over both. */
function decideExports(link: Link): void {
  const { settings, names, symbols } = link
  const { where, flags, symbol } = names.Resolution
  const exported = settings.exportedSymbols === undefined ? null : compilePatterns(settings.exportedSymbols)
  const unexported = compilePatterns(settings.unexportedSymbols ?? [])
  const listed = exported !== null || unexported.literals.size + unexported.globs.length > 0
  for (let name = 1; name <= names.count; name++) {
    if (where[name] !== WHERE_GLOBAL) continue
    const is = symbols.Definition.flags[symbol[name]]
    let hidden = is & SYMBOL_WEAK_DEF ? (flags[name] & NAME_PRIVATE) !== 0 : (is & SYMBOL_PRIVATE) !== 0
    if (listed && !(is & SYMBOL_SYNTHETIC && hidden)) hidden = hideByLists(link, name, hidden, exported, unexported)
    if (settings.noExportedSymbols) hidden = true
    if (hidden) symbols.Definition.flags[symbol[name]] |= SYMBOL_PRIVATE
    else {
      symbols.Definition.flags[symbol[name]] &= ~SYMBOL_PRIVATE
      flags[name] |= NAME_EXPORTED
    }
  }
}

type PatternList = ReturnType<typeof compilePatterns>

function hideByLists(
  link: Link,
  name: number,
  hidden: boolean,
  exported: PatternList | null,
  unexported: PatternList,
): boolean {
  const text = nameText(link, name)
  if (matches(unexported, text)) return true
  if (exported === null) return hidden
  if (!matches(exported, text)) return true
  if (!hidden) return false
  if (link.names.Resolution.flags[name] & NAME_AUTO_HIDE) return false
  if (exported.literals.has(text)) warn(link.messages, 'hidden-export', `cannot export hidden symbol ${text}`)
  return true
}

/** What every reference through a symbol row means, decided once, so that relocations need one load. */
function pointSymbols(link: Link): void {
  const { symbols, names, files } = link
  const { flags, name } = symbols.Definition
  const { target } = symbols.Reference
  const { where, symbol: winner, import: imported } = names.Resolution
  for (const file of link.order) {
    const first = files.Ranges.symbol[file]
    const end = first + files.Ranges.symbols[file]
    for (let symbol = first; symbol < end; symbol++) {
      const external = name[symbol]
      if (external === 0) target[symbol] = flags[symbol] & SYMBOL_DEFINED ? symbol : 0
      else if (imported[external] !== 0) target[symbol] = (TARGET_IMPORT | imported[external]) >>> 0
      else target[symbol] = where[external] === WHERE_GLOBAL ? winner[external] : 0
    }
    link.visited.rows += end - first
  }
}
