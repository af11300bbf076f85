// resolve: gives every external name its meaning: global, tentative, or undefined with someone to ask for it.
// Reads: symbols and archives' indexes of the newly loaded files, dylib exports. Writes: names, file flags (what to load next).
// Runs in turn with load until a round loads nothing. The result depends on ranks alone. Cost: one resolver access an external
// symbol, and for each still undefined name one look into each dylib.

import {
  FILE_ARCHIVE,
  FILE_BROKEN,
  FILE_EXPLICIT,
  FILE_FORCE_LOAD,
  FILE_LAZY,
  FILE_LOADED,
  FILE_MISSING,
  FILE_OBJECT,
  FILE_OTHER,
  FILE_PARSED,
  FILE_RESOLVED,
} from '../components/files.ts'
import { nameOf } from '../components/internal.ts'
import { fileText, type Link, locate } from '../components/link.ts'
import { NAME_WANTED, WHERE_STALE, WHERE_UNDEFINED, WHERE_UNKNOWN } from '../components/names.ts'
import { SYMBOL_EXTERNAL } from '../components/symbols.ts'
import { mergeSymbol } from './resolve/merge.ts'
import { warn } from '../src/core/messages.ts'
import { keepSettled, takeSettled } from './kernels/settled.ts'
import { WHY_ALL_LOAD, WHY_FORCE_LOAD, WHY_LINKER_OPTION, WHY_OBJC, WHY_TEXTS } from './kernels/whyLoaded.ts'
import { isObjectiveC } from './resolve/objectiveC.ts'
import {
  isLoadedWhole,
  loadClasses,
  missingText,
  offerMembers,
  orderDylibs,
  otherText,
  provide,
} from './resolve/offers.ts'

/** Returns whether something more has to be loaded. */
export function resolve(link: Link): boolean {
  const isSettled = link.entry === 0 && takeSettled(link)
  if (link.entry === 0) wantNames(link)
  const { files, settings } = link
  let forced = 0
  for (let file = 1; file <= files.count; file++) {
    const flags = files.Source.flags[file]
    if (files.Source.kind[file] === FILE_ARCHIVE && flags & FILE_LOADED && !(flags & FILE_RESOLVED))
      forced += forceMembers(link, file)
    if (settings.loadObjC && flags & FILE_LAZY && !(flags & FILE_LOADED)) forced += forceLazy(link, file)
    if (files.Source.kind[file] !== FILE_OBJECT || (flags & (FILE_PARSED | FILE_RESOLVED)) !== FILE_PARSED) continue
    files.Source.flags[file] |= FILE_RESOLVED
    if (isSettled && link.kept!.from[file] !== 0) mergeStale(link, file)
    else mergeFile(link, file)
  }
  offerMembers(link)
  link.dylibOrder = orderDylibs(link)
  const isMore = provide(link) + forced > 0
  if (!isMore) keepSettled(link)
  return isMore
}

/** Of an object that says what it said, names that others say something else of. */
function mergeStale(link: Link, file: number): void {
  const { name } = link.symbols.Definition
  const { where } = link.names.Settled
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++)
    if (where[name[symbol]] === WHERE_STALE) mergeSymbol(link, file, symbol)
}

function mergeFile(link: Link, file: number): void {
  const { files, symbols } = link
  const { flags, name } = symbols.Definition
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++)
    if (flags[symbol] & SYMBOL_EXTERNAL && name[symbol] !== 0) mergeSymbol(link, file, symbol)
  link.visited.rows += end - first
}

/** -all_load, -force_load, -ObjC: members that are loaded whether something refers to them or not. */
function forceMembers(link: Link, archive: number): number {
  const { files, settings } = link
  const flags = files.Source.flags[archive]
  const explicit = (flags & FILE_EXPLICIT) !== 0
  const all = isLoadedWhole(link, archive)
  if (!all && !(settings.loadObjC && explicit)) return 0
  const why = !all ? WHY_OBJC : !explicit ? WHY_LINKER_OPTION : flags & FILE_FORCE_LOAD ? WHY_FORCE_LOAD : WHY_ALL_LOAD
  let forced = all ? 0 : loadClasses(link, archive)
  for (let file = archive + 1; file <= files.count && files.Order.parent[file] === archive; file++) {
    if (files.Source.kind[file] === FILE_MISSING) reportMissingMember(link, file, why)
    if (files.Source.kind[file] === FILE_OTHER && all) reportOther(link, file, why)
    if (files.Source.kind[file] !== FILE_OBJECT || files.Source.flags[file] & FILE_LOADED) continue
    if (!all && !isObjectiveC(link, file)) continue
    files.Source.flags[file] |= FILE_LOADED
    link.loadedBecause.push(file, why)
    forced++
  }
  return forced
}

/** -ObjC: an object between --start-lib and --end-lib is loaded like a member. */
function forceLazy(link: Link, file: number): number {
  if (link.files.Source.kind[file] !== FILE_OBJECT || !isObjectiveC(link, file)) return 0
  link.files.Source.flags[file] |= FILE_LOADED
  link.loadedBecause.push(file, WHY_OBJC)
  return 1
}

/** A member of a thin archive that is not there costs a warning while nothing refers to it. */
function reportMissingMember(link: Link, file: number, why: number): void {
  if (link.settings.warnThinArchiveMissingMembers === false) return
  const { files } = link
  const what = why === WHY_OBJC ? 'failed to open' : 'failed to load'
  const text = `${fileText(link, files.Order.parent[file])}: ${WHY_TEXTS[why]} ${what} archive member: ${missingText(link, file)}`
  warn(link.messages, 'missing-member', text, locate(link, file))
}

/** A member that is no object, which bitcode is to those that can read it. */
function reportOther(link: Link, file: number, why: number): void {
  const { files } = link
  if (files.Source.flags[file] & FILE_BROKEN) return
  const text = `${WHY_TEXTS[why]} failed to load archive member: ${otherText(link, file)}`
  warn(link.messages, 'unknown-member', `${fileText(link, files.Order.parent[file])}: ${text}`, locate(link, file))
}

/** Names that options refer to: the entry point, -u, exported names without wildcards. */
function wantNames(link: Link): void {
  const { settings } = link
  if (settings.outputType === 'execute') link.entry = want(link, settings.entry ?? '_main')
  else link.entry = -1
  for (const text of settings.forceUndefined ?? []) want(link, text)
  for (const text of settings.exportedSymbols ?? []) if (!/[*?[\]]/.test(text)) want(link, text)
}

function want(link: Link, text: string): number {
  const name = nameOf(link, text)
  const { Resolution } = link.names
  if (Resolution.where[name] === WHERE_UNKNOWN) Resolution.where[name] = WHERE_UNDEFINED
  Resolution.flags[name] |= NAME_WANTED
  return name
}
