// Further names of definitions: -alias, then N_INDR records in command-line order. A name that has a definition keeps it,
// unless that is weak and the new one is not (ld64.lld adds aliases after all inputs).
import { FILE_AGAIN } from '../../components/files.ts'
import { addInternalSymbol, knownName, nameOf, nameText } from '../../components/internal.ts'
import { type Link, locate } from '../../components/link.ts'
import { NAME_NO_DEAD_STRIP, WHERE_GLOBAL, WHERE_UNKNOWN } from '../../components/names.ts'
import { SYMBOL_EXTERNAL, SYMBOL_PRIVATE, SYMBOL_SYNTHETIC, SYMBOL_WEAK_DEF } from '../../components/symbols.ts'
import { error, warn } from '../../src/core/messages.ts'
import { findName } from '../../components/names.ts'
import { findInDylibs } from '../kernels/imports.ts'
import { mergeWeak, setDefinition } from '../kernels/definitions.ts'
import { tablesOf } from '../kernels/symbolTables.ts'

export function defineAliases(link: Link): void {
  for (const [real, alias] of link.settings.aliases ?? []) addOption(link, real, alias)
  if (link.indirects.length === 0) return
  const place = new Map<number, number>()
  link.order.forEach((file, index) => {
    place.set(file, index)
  })
  const pairs: [number, number][] = []
  for (let i = 0; i < link.indirects.length; i += 2)
    if (place.has(link.indirects[i])) pairs.push([link.indirects[i], link.indirects[i + 1]])
  pairs.sort((a, b) => place.get(a[0])! - place.get(b[0])! || a[1] - b[1])
  for (const [file, symbol] of pairs) addIndirect(link, file, symbol)
}

/** -alias: never stripped (ld64.lld). */
function addOption(link: Link, real: string, alias: string): void {
  const { Resolution } = link.names
  const { Definition, Reference } = link.symbols
  const name = knownName(link, real)
  if (name === 0 || Resolution.where[name] === WHERE_UNKNOWN) {
    if (isOffered(link, real)) return notHere(link, real, alias, 0)
    return warn(link.messages, 'undefined-alias', `undefined base symbol '${real}' for alias '${alias}'`)
  }
  if (Resolution.where[name] !== WHERE_GLOBAL) return notHere(link, real, alias, 0)
  const base = Resolution.symbol[name]
  const symbol = addInternalSymbol(
    link,
    nameOf(link, alias),
    Definition.block[base],
    Definition.offset[base],
    Definition.flags[base] & ~SYMBOL_SYNTHETIC,
  )
  Reference.address[symbol] = Reference.address[base]
  offer(link, symbol)
  Resolution.flags[Definition.name[symbol]] |= NAME_NO_DEAD_STRIP
}

function addIndirect(link: Link, file: number, symbol: number): void {
  const { Definition, Reference } = link.symbols
  const { Resolution } = link.names
  const real = referent(link, file, Definition.offset[symbol])
  link.files.Source.flags[file] |= FILE_AGAIN
  const hidden = Definition.flags[symbol] & SYMBOL_PRIVATE
  Definition.flags[symbol] = SYMBOL_EXTERNAL
  Definition.offset[symbol] = 0
  if (real === 0 || Resolution.where[real] !== WHERE_GLOBAL)
    return notHere(link, real === 0 ? '' : nameText(link, real), nameText(link, Definition.name[symbol]), file)
  const base = Resolution.symbol[real]
  Definition.flags[symbol] = Definition.flags[base] | hidden
  Definition.block[symbol] = Definition.block[base]
  Definition.offset[symbol] = Definition.offset[base]
  Reference.address[symbol] = Reference.address[base]
  offer(link, symbol)
}

/** n_value of N_INDR is the string index of the other name. */
function referent(link: Link, file: number, strx: number): number {
  const { strings, stringsSize } = link.files.Tables
  const { bytes } = tablesOf(link, file)
  if (strx >= stringsSize[file]) return 0
  const start = strings[file] + strx
  const end = bytes.indexOf(0, start)
  if (end < 0 || end >= strings[file] + stringsSize[file]) return 0
  return findName(link.names, link.arenas, bytes, start, end - start)
}

/** By a member that nothing has loaded, or by a library. */
function isOffered(link: Link, real: string): boolean {
  const name = nameOf(link, real)
  const { member, dylib } = link.names.Offer
  if (member[name] === 0 && dylib[name] === 0) findInDylibs(link, name)
  return member[name] !== 0 || dylib[name] !== 0
}

function notHere(link: Link, real: string, alias: string, file: number): void {
  error(
    link.messages,
    'alias-without-definition',
    `alias '${alias}': '${real}' is not defined in this image`,
    file === 0 ? null : locate(link, file, { symbol: alias }),
  )
}

function offer(link: Link, symbol: number): void {
  const { Resolution } = link.names
  const { flags, name: names, block } = link.symbols.Definition
  const name = names[symbol]
  if (Resolution.where[name] !== WHERE_GLOBAL) return setDefinition(link, name, symbol, WHERE_GLOBAL)
  const winner = Resolution.symbol[name]
  const winnerIsWeak = (flags[winner] & SYMBOL_WEAK_DEF) !== 0
  if (winnerIsWeak && !(flags[symbol] & SYMBOL_WEAK_DEF)) return setDefinition(link, name, symbol, WHERE_GLOBAL)
  if (!winnerIsWeak && !(flags[symbol] & SYMBOL_WEAK_DEF)) link.duplicates.push(name, winner, symbol)
  else if (winnerIsWeak) mergeWeak(link, name, flags[symbol])
  if (winnerIsWeak || flags[symbol] & SYMBOL_WEAK_DEF) {
    // What lost defines nothing: its block is another symbol's.
    flags[symbol] = SYMBOL_EXTERNAL
    block[symbol] = 0
  }
}
