// What an object with other symbols does to names: which definitions come and go, and which symbols stand for which they were. Only
// what cannot change the meaning of anything in another object is taken.
import type { Link } from '../../../components/link.ts'
import { nameText } from '../../../components/internal.ts'
import {
  internFew,
  NAME_LIVE,
  NAME_OVERRIDES_WEAK,
  NAME_STRONG_REF,
  NAME_WANTED,
  NAME_WEAK_REF,
  WHERE_GLOBAL,
  WHERE_IMPORT,
  WHERE_UNKNOWN,
} from '../../../components/names.ts'
import { FILE_LAZY, FILE_LOADED, FILE_SPECIAL } from '../../../components/files.ts'
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_PRIVATE,
  SYMBOL_THREAD_LOCAL,
  SYMBOL_WEAK_DEF,
  SYMBOL_WEAK_REF,
  TARGET_IMPORT,
} from '../../../components/symbols.ts'
import { coalesceFile } from '../../../systems/define/coalesce.ts'
import { decideExport, exportLists, warnHidden } from '../../../systems/define/exports.ts'
import { isInterposable } from '../../../systems/define/imports.ts'
import { fileOfSymbol } from '../../../systems/kernels/ranks.ts'
import { mergeSymbol } from '../../../systems/resolve/merge.ts'
import { spawnRange } from '../../ecs.ts'
import { findExport } from '../../formats/exportTable.ts'
import { forgetImport, importName, whyNotForgotten, whyNotImported } from './imports.ts'
import type { Alone } from './loadAlone.ts'
import { eachBearer, type Relations } from './relations.ts'

/** By symbol of the old version, counted from the object's first: the new one that stands for it, in the link's rows; 0: none. */
export type Heirs = Uint32Array

export interface Renames {
  heirs: Heirs
  /** Names that the object defines now, and that it does not define any more. */
  fresh: number[]
  gone: number[]
  /** Names that become imports by its first mention, and that stop being some with its last one. */
  imported: number[]
  forgotten: number[]
}

/**
 * Gives the new version's external names their rows. False when there is no room for those that are new: other versions of the
 * object come to lie where it does.
 */
export function nameMentioned(link: Link, file: number, { link: after, mentions, mentioned }: Alone): boolean {
  const { names } = link
  const { symbol, symbols } = link.files.Ranges
  const { name } = link.symbols.Definition
  const known = names.count
  if (known + mentioned >= names.Text.hash.length) return false
  const own = name.subarray(symbol[file], symbol[file] + symbols[file])
  internFew(names, link.arenas, mentions, mentioned, after.symbols.Definition.name, own)
  spawnRange(names.world, names.count - known, [names.Text, names.Resolution, names.Offer])
  return names.Text.arena.subarray(known + 1, names.count + 1).every((arena) => arena === names.pool)
}

/** A name in the two versions of an object: symbols counted from 1, 0 for none. */
interface Pair {
  old: number
  now: number
}

/**
 * `before` and `after` as of `loadAlone`, `after` with its names; the link holds the old version. Returns what becomes of the
 * names, or why that takes a full link, in words.
 */
export function findRenames(
  link: Link,
  relations: () => Relations,
  file: number,
  before: Link,
  after: Link,
): Renames | string {
  if (isInterposable(link)) return 'has other symbols, which may be interposed'
  const pairs = pairNames(link, file, before, after)
  if (pairs === null) return 'names a symbol twice'
  const first = link.files.Ranges.symbol[file]
  const heirs = new Uint32Array(before.files.Ranges.symbols[1])
  const renames: Renames = { heirs, fresh: [], gone: [], imported: [], forgotten: [] }
  const dropped: number[] = []
  for (const [name, { old, now }] of pairs) {
    const [was, is] = [before.symbols.Definition.flags[old], after.symbols.Definition.flags[now]]
    let trouble = ''
    if (old === 0)
      trouble = is & SYMBOL_DEFINED ? whyNotFresh(link, renames, name, is) : whyNotAsked(link, renames, name, is)
    else if (now === 0) trouble = whyNotGone(link, renames, dropped, name, first + old - 1, was)
    else if (was !== is) trouble = 'is defined or mentioned in another way'
    else renames.heirs[old - 1] = first + now - 1
    if (trouble !== '') return `has other symbols: ${nameText(link, name)} ${trouble}`
  }
  const lost = [...renames.gone, ...dropped]
  const seen = lost.length === 0 ? new Set<number>() : mentionedElsewhere(link, relations(), file, lost)
  const missed = renames.gone.find((name) => seen.has(name))
  if (missed !== undefined) return `has other symbols: ${nameText(link, missed)} is not what it was to other objects`
  renames.forgotten.push(...dropped.filter((name) => !seen.has(name)))
  for (const name of renames.forgotten) {
    const trouble = whyNotForgotten(link, name)
    if (trouble !== '') return `has other symbols: ${nameText(link, name)} ${trouble}`
  }
  return renames
}

function pairNames(link: Link, file: number, before: Link, after: Link): Map<number, Pair> | null {
  const pairs = new Map<number, Pair>()
  const first = link.files.Ranges.symbol[file]
  const { name: nameOf } = link.symbols.Definition
  for (let old = 1; old <= before.files.Ranges.symbols[1]; old++) {
    const name = nameOf[first + old - 1]
    if (name === 0) continue
    if (pairs.has(name)) return null
    pairs.set(name, { old, now: 0 })
  }
  for (let now = 1; now <= after.files.Ranges.symbols[1]; now++) {
    const name = after.symbols.Definition.name[now]
    if (name === 0) continue
    const pair = pairs.get(name)
    if (pair === undefined) pairs.set(name, { old: 0, now })
    else if (pair.now !== 0) return null
    else pair.now = now
  }
  return pairs
}

/** A definition of a name that nothing in the link had to do with. */
function whyNotFresh(link: Link, { fresh }: Renames, name: number, is: number): string {
  const { where, flags, import: imported } = link.names.Resolution
  if (is & SYMBOL_WEAK_DEF && !(is & SYMBOL_PRIVATE)) return 'is a new weak definition'
  if (where[name] !== WHERE_UNKNOWN || (flags[name] & ~NAME_LIVE) !== 0 || imported[name] !== 0)
    return 'is known to other objects'
  if (isExported(link, name)) return 'is what a library exports'
  fresh.push(name)
  return ''
}

/** A definition may take the place of a weak one of a dylib. */
function isExported(link: Link, name: number): boolean {
  const { arena, offset, length, hash } = link.names.Text
  const { bytes } = link.arenas.list[arena[name]]
  return link.dylibOrder.some(
    (index) => findExport(link.dylibs[index].file.exports, bytes, offset[name], length[name], hash[name]) !== -1,
  )
}

/** A reference to what the image has or imports, because somebody else refers to it in the same way or from now on. */
function whyNotAsked(link: Link, { imported }: Renames, name: number, is: number): string {
  const { where, flags } = link.names.Resolution
  if (is & SYMBOL_WEAK_REF) return 'is asked for weakly'
  if (where[name] === WHERE_GLOBAL) return mayLoad(link, name) ? 'may load what defines it, too' : ''
  const strong = (flags[name] & (NAME_STRONG_REF | NAME_WEAK_REF)) === NAME_STRONG_REF
  if (where[name] === WHERE_IMPORT) return strong ? '' : 'is asked for weakly by others'
  imported.push(name)
  return whyNotImported(link, name)
}

function whyNotGone(
  link: Link,
  { gone }: Renames,
  dropped: number[],
  name: number,
  symbol: number,
  was: number,
): string {
  const { where, flags, symbol: winner, import: imported } = link.names.Resolution
  if (flags[name] & NAME_WANTED) return 'is wanted'
  if (was & SYMBOL_DEFINED) {
    if (winner[name] !== symbol || imported[name] !== 0) return 'is a weak definition that goes'
    if (flags[name] & NAME_OVERRIDES_WEAK) return 'takes the place of what a library exports'
    gone.push(name)
    return ''
  }
  if (flags[name] & NAME_WEAK_REF) return 'was asked for, weakly by some'
  if (where[name] === WHERE_GLOBAL) {
    if (OF_MENTION.test(nameText(link, name))) return "is one of the linker's own"
    return isLoadedOnDemand(link, winner[name]) ? 'may have loaded what defines it' : ''
  }
  dropped.push(name)
  return ''
}

/** What the linker defines because somebody refers to it. */
const OF_MENTION = /^(_objc_msgSend|section|segment)\$/

/** Whether a mention would load another member of an archive than the one that defines the name, which is there for another reason. */
function mayLoad(link: Link, name: number): boolean {
  const { Resolution, Offer } = link.names
  const { parent } = link.files.Order
  const { flags } = link.files.Source
  const member = Offer.member[name]
  if (member === 0 || flags[member] & FILE_LOADED) return false
  const file = fileOfSymbol(link, Resolution.symbol[name])
  return file === link.internal.file || parent[file] !== 0 || (flags[file] & FILE_LAZY) !== 0
}

function isLoadedOnDemand(link: Link, symbol: number): boolean {
  const file = fileOfSymbol(link, symbol)
  return link.files.Order.parent[file] !== 0 || (link.files.Source.flags[file] & FILE_LAZY) !== 0
}

/** Of the names those that another object mentions. */
function mentionedElsewhere(link: Link, relations: Relations, file: number, names: readonly number[]): Set<number> {
  const seen = new Set<number>()
  const { name } = link.symbols.Definition
  eachBearer(link, relations, names, (row, other) => {
    if (other !== file) seen.add(name[row])
  })
  return seen
}

/** The old version's symbols, as the link has decided on them. */
export interface OldSymbols {
  flags: Uint16Array
  address: Float64Array
  block: Uint32Array
  /** Addresses of its blocks. */
  placed: Float64Array
}

export function saveSymbols(link: Link, file: number): OldSymbols {
  const { symbol, symbols, block, blocks } = link.files.Ranges
  const { Definition, Reference } = link.symbols
  const [from, to] = [symbol[file], symbol[file] + symbols[file]]
  return {
    flags: Definition.flags.slice(from, to),
    address: Reference.address.slice(from, to),
    block: Definition.block.slice(from, to),
    placed: link.blocks.Placement.address.slice(block[file], block[file] + blocks[file]),
  }
}

/** Imports that come and go. */
export interface OtherImports {
  fresh: number[]
  gone: Set<number>
}

/** The new version's rows stand in the link: names come to mean its symbols, and its symbols get their targets. */
export function applyRenames(
  link: Link,
  relations: Relations,
  file: number,
  renames: Renames,
  old: OldSymbols,
): OtherImports {
  const { where, flags, symbol: winner, import: imported } = link.names.Resolution
  const { Definition } = link.symbols
  const first = link.files.Ranges.symbol[file]
  for (const name of renames.gone) where[name] = flags[name] = winner[name] = 0
  renames.heirs.forEach((heir, i) => {
    if (heir === 0 || (Definition.flags[heir] & SYMBOL_DEFINED) === 0) return
    const name = Definition.name[heir]
    Definition.flags[heir] = (Definition.flags[heir] & ~SYMBOL_PRIVATE) | (old.flags[i] & SYMBOL_PRIVATE)
    if (winner[name] !== first + i || where[name] !== WHERE_GLOBAL) return
    winner[name] = heir
    if (imported[name] !== 0) link.imports.Library.symbol[imported[name]] = heir
  })
  defineFresh(link, file, renames.fresh)
  // A row that goes is not given to one that comes until the tables of entries have changed.
  const fresh = renames.imported.map((name) => importName(link, name))
  const gone = new Set(renames.forgotten.map((name) => forgetImport(link, name)))
  pointOthers(link, relations, file, renames.heirs)
  pointOwn(link, file)
  return { fresh, gone }
}

function defineFresh(link: Link, file: number, fresh: readonly number[]): void {
  const names = new Set(fresh)
  const { name } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  const lists = exportLists(link)
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
    if (!names.has(name[symbol])) continue
    mergeSymbol(link, file, symbol)
    decideExport(link, name[symbol], lists)
    if (!link.settings.deadStrip) link.names.Resolution.flags[name[symbol]] |= NAME_LIVE
  }
  if (lists !== null) warnHidden(link, lists.hidden)
}

/** Rows of other objects that mean a symbol of this one. `findRenames` has seen that none means one that goes. */
function pointOthers(link: Link, relations: Relations, file: number, heirs: Heirs): void {
  const { target } = link.symbols.Reference
  const { name, flags } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  const names: number[] = []
  for (const heir of heirs) if (heir !== 0 && flags[heir] & SYMBOL_DEFINED) names.push(name[heir])
  eachBearer(link, relations, names, (row, other) => {
    const at = target[row] - first
    if (other !== file && at >= 0 && at < heirs.length) target[row] = heirs[at]
  })
}

/** As define points symbols. */
function pointOwn(link: Link, file: number): void {
  const { flags, name } = link.symbols.Definition
  const { target } = link.symbols.Reference
  const { where, symbol: winner, import: imported } = link.names.Resolution
  const first = link.files.Ranges.symbol[file]
  let [special, losers] = [0, 0]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
    const external = name[symbol]
    special |= flags[symbol]
    if (external === 0) {
      target[symbol] = flags[symbol] & SYMBOL_DEFINED ? symbol : 0
      continue
    }
    if ((flags[symbol] & WEAK_EXTERNAL) === WEAK_EXTERNAL && winner[external] !== symbol) losers++
    if (where[external] === WHERE_GLOBAL) special |= flags[winner[external]]
    if (imported[external] !== 0) target[symbol] = (TARGET_IMPORT | imported[external]) >>> 0
    else target[symbol] = where[external] === WHERE_GLOBAL ? winner[external] : 0
  }
  if (special & SPECIAL) link.files.Source.flags[file] |= FILE_SPECIAL
  if (losers > 0) coalesceFile(link, file)
}

const WEAK_EXTERNAL = SYMBOL_WEAK_DEF | SYMBOL_EXTERNAL
const SPECIAL = SYMBOL_ABSOLUTE | SYMBOL_THREAD_LOCAL
