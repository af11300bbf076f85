// numberSymbols: decides which symbols stand in the output's symbol table and in which order: locals, externals, undefined names.
// Reads: symbols, names, live blocks, imports. Writes: link.table (rows in order), Use.symtab.
// After allocate, before writeIndirect, whose indirect table holds these numbers. Cost: one pass over the symbols.

import { IMPORT_DYNAMIC_LOOKUP, IMPORT_OWN, IMPORT_USED } from '../components/imports.ts'
import { memory } from '../components/columns.ts'
import type { Link } from '../components/link.ts'
import { NAME_EXPORTED, NAME_LIVE, WHERE_GLOBAL } from '../components/names.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_OMITTED, TARGET_IMPORT } from '../components/symbols.ts'
import { countBefore, markBits, rankOf } from '../src/core/bits.ts'
import { rowRoom } from './kernels/linkeditRooms.ts'
import { listByFile } from './numberSymbols/byFile.ts'
import { gatherNames } from './numberSymbols/externalNames.ts'
import { isInOutput } from './numberSymbols/isInOutput.ts'
import { type Filter, localFilter } from './numberSymbols/localFilter.ts'
import { mentionOrder } from './numberSymbols/mentions.ts'
import { orderUndefineds } from './numberSymbols/orderUndefineds.ts'
import { writeStabs } from './numberSymbols/stabs.ts'

export function numberSymbols(link: Link): void {
  const { table } = link
  const { shared } = link.arenas
  const keeps = localFilter(link)
  let count = 0
  for (const file of [...link.order, link.internal.file]) count += link.files.Ranges.symbols[file]
  table.locals = new Uint32Array(count)
  table.externals = new Uint32Array(memory(count * 4, shared))
  const padded = link.settings.layout === 'padded'
  if (!padded && keeps !== 'none') for (const file of [...link.order, link.internal.file]) listLocals(link, file, keeps)
  const names = padded ? listByFile(link, keeps) : listExternals(link, keeps)
  listImports(link)
  if (padded) orderUndefineds(link)
  table.thunks = listThunks(link, keeps)
  writeStabs(link)
  const own = table.stabs.count + table.localCount + table.thunks.length
  const rows = own + table.externalCount + table.undefineds.length
  table.room = rowRoom(link, rows) - rows
  const locals = table.room + own
  link.symtab = { locals, externals: table.externalCount, undefineds: table.undefineds.length, strings: 0 }
  table.undefineds.forEach((made, index) => {
    link.imports.Use.symtab[made] = locals + table.externalCount + index + 1
  })
  table.externals = table.externals.subarray(0, table.externalCount)
  table.externalNames = gatherNames(link, names, table.externalCount)
  orderByRow(link, locals)
}

/** Fills table.byRow, and Use.symtab of the imports that stand for a definition of the image; those begin at `first`. */
export function orderByRow(link: Link, first: number): void {
  const { table } = link
  const words = new Uint32Array((link.symbols.count >>> 5) + 1)
  const before = new Uint32Array(words.length)
  table.byRow = new Uint32Array(memory(table.externalCount * 4, link.arenas.shared))
  markBits(words, table.externals, table.externalCount)
  countBefore(words, before)
  placeByRank(words, before, table.externals, table.byRow)
  const { where, symbol } = link.names.Resolution
  const { name: nameOf } = link.symbols.Definition
  for (let made = 1; made <= link.imports.count; made++) {
    const name = link.imports.Library.name[made]
    const own = symbol[name]
    if (where[name] !== WHERE_GLOBAL || nameOf[own] !== name || ((words[own >>> 5] >>> (own & 31)) & 1) === 0) continue
    link.imports.Use.symtab[made] = first + table.byRow[rankOf(words, before, own)] + 1
  }
}

function placeByRank(words: Uint32Array, before: Uint32Array, values: Uint32Array, places: Uint32Array): void {
  for (let i = 0; i < places.length; i++) places[rankOf(words, before, values[i])] = i
}

/** Symbols that are local to their object, in its order. */
function listLocals(link: Link, file: number, keeps: Exclude<Filter, 'none'>): void {
  const { table } = link
  const { flags } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_OMITTED | SYMBOL_EXTERNAL)) !== SYMBOL_DEFINED) continue
    if (!isInOutput(link, symbol) || (keeps !== 'all' && !keeps(file, symbol))) continue
    table.locals[table.localCount++] = symbol
  }
  link.visited.rows += end - first
}

/** Thunks of external names, which are local to the image; ld64.lld lists no others. */
export function listThunks(link: Link, keeps: Filter): Uint32Array {
  const { Thunk } = link.thunks
  const { Target } = link.branchTargets
  const { flags } = link.symbols.Definition
  const list: number[] = []
  for (let thunk = 1; thunk <= link.thunks.count && keeps === 'all'; thunk++) {
    const target = Target.target[Thunk.of[thunk]]
    if (target & TARGET_IMPORT || flags[target] & SYMBOL_EXTERNAL) list.push(thunk)
  }
  return Uint32Array.from(list)
}

/**
 * Definitions of external names in the order of first mention: exported ones, and private ones behind the locals. Returns the
 * names of the exported ones.
 */
function listExternals(link: Link, keeps: Filter): Uint32Array {
  const { table } = link
  const { where, symbol: winner, flags: nameFlags } = link.names.Resolution
  const { flags } = link.symbols.Definition
  const names = mentionOrder(link)
  let count = 0
  for (let i = 0; i < names.length; i++) {
    const name = names[i]
    const symbol = winner[name]
    if (where[name] !== WHERE_GLOBAL || flags[symbol] & SYMBOL_OMITTED || !isInOutput(link, symbol)) continue
    if (nameFlags[name] & NAME_EXPORTED) {
      table.externals[count] = symbol
      names[count++] = name
    } else if (keeps === 'all' || (keeps !== 'none' && keeps(0, symbol))) table.locals[table.localCount++] = symbol
  }
  table.externalCount = count
  return names
}

/** Undefined names in the order of their imports; with -dead_strip those that live code refers to. */
function listImports(link: Link): void {
  const { Library } = link.imports
  const { flags } = link.names.Resolution
  for (let made = 1; made <= link.imports.count; made++) {
    const is = Library.flags[made]
    if (is & IMPORT_OWN) continue
    if (is & IMPORT_DYNAMIC_LOOKUP && !(is & IMPORT_USED)) continue
    if (!(flags[Library.name[made]] & NAME_LIVE) && !(is & IMPORT_USED)) continue
    link.table.undefineds.push(made)
  }
}
