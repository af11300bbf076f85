// Who could define a name that nobody defines: unloaded objects (archive members, --start-lib) and dylibs.
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
  FILE_RESOLVED,
} from '../../components/files.ts'
import { nameOf } from '../../components/internal.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { internName, MAX_NAME_LENGTH, WHERE_UNDEFINED } from '../../components/names.ts'
import { hashBytes } from '../../src/core/hash.ts'
import { FormatError, toText } from '../../src/core/bytes.ts'
import { error } from '../../src/core/messages.ts'
import { EXPORT_WEAK } from '../../src/formats/exportTable.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { type ObjectHeader, readObjectHeader } from '../../src/formats/macho/object.ts'
import { isForeign } from '../kernels/architecture.ts'
import { findInDylibs } from '../kernels/imports.ts'
import { wantMessenger } from '../kernels/messageNames.ts'
import { shownName } from '../kernels/places.ts'
import { ranksBefore } from '../kernels/ranks.ts'
import { tablesArena } from '../kernels/symbolTables.ts'

/** Puts the indexes of archives that have come into play, and the definitions of lazy objects, into the resolver. */
export function offerMembers(link: Link): void {
  const { files } = link
  for (let file = 1; file <= files.count; file++) {
    const flags = files.Source.flags[file]
    if (flags & FILE_RESOLVED) continue
    if (files.Source.kind[file] === FILE_ARCHIVE && flags & FILE_LOADED) {
      files.Source.flags[file] |= FILE_RESOLVED
      offerArchive(link, file)
    } else if (files.Source.kind[file] === FILE_OBJECT && flags & FILE_LAZY && !(flags & FILE_LOADED)) {
      if (!isForeign(link, file)) offerObject(link, file)
      else files.Source.flags[file] |= FILE_RESOLVED
    }
  }
}

function offer(link: Link, name: number, file: number): void {
  const { member } = link.names.Offer
  if (member[name] === 0 || ranksBefore(link, file, member[name])) member[name] = file
}

/** -all_load of an archive that was named, -force_load of any. */
export function isLoadedWhole({ files, settings }: Link, archive: number): boolean {
  const flags = files.Source.flags[archive]
  return (settings.allLoad === true && (flags & FILE_EXPLICIT) !== 0) || (flags & FILE_FORCE_LOAD) !== 0
}

/** Without an index each member is looked into. Bitcode is one that others could read. */
function failOther(link: Link, archive: number, file: number): void {
  if (link.files.Source.flags[file] & FILE_BROKEN) return
  const text = `${fileText(link, archive)}: couldn't process child: ${otherText(link, file)}`
  error(link.messages, 'unknown-member', text, locate(link, file))
}

function offerArchive(link: Link, file: number): void {
  const { files, names } = link
  const archive = link.archives[files.Detail.archive[file]]
  if (isForeignArchive(link, file)) return
  if (!archive.hasIndex) {
    const all = isLoadedWhole(link, file)
    for (let member = file + 1; member <= files.count && files.Order.parent[member] === file; member++) {
      if (files.Source.kind[member] === FILE_OTHER && !all) failOther(link, file, member)
      offerObject(link, member)
    }
    return
  }
  const arena = files.Source.arena[file]
  const { bytes } = link.arenas.list[arena]
  const start = files.Source.position[file]
  const { index } = archive
  for (let i = 0; i < index.count; i++) {
    const at = start + index.nameOffset[i]
    const length = index.nameLength[i]
    if (length > MAX_NAME_LENGTH) continue
    const name = internName(names, link.arenas, arena, at, length, hashBytes(bytes, at, at + length))
    offer(link, name, file + 1 + index.member[i])
  }
}

/** An archive whose first member is for another processor is left out whole (ld64.lld looks no further). */
function isForeignArchive(link: Link, archive: number): boolean {
  const { files } = link
  const first = archive + 1
  if (files.Order.parent[first] !== archive || files.Source.kind[first] !== FILE_OBJECT) return false
  return isForeign(link, first, archive)
}

/** -ObjC loads what defines a class, by the archive's index. Returns how many members were loaded. */
export function loadClasses(link: Link, archive: number): number {
  const { files } = link
  const { index } = link.archives[files.Detail.archive[archive]]
  const { bytes } = link.arenas.list[files.Source.arena[archive]]
  let loaded = 0
  for (let i = 0; i < index.count; i++) {
    const at = files.Source.position[archive] + index.nameOffset[i]
    const file = archive + 1 + index.member[i]
    if (files.Source.kind[file] !== FILE_OBJECT || files.Source.flags[file] & FILE_LOADED) continue
    const name = toText(bytes, at, at + index.nameLength[i])
    if (!name.startsWith('_OBJC_CLASS_$_')) continue
    files.Source.flags[file] |= FILE_LOADED
    link.loadedBecause.push(file, nameOf(link, name))
    loaded++
  }
  return loaded
}

/** `'path': No such file or directory` of a member of a thin archive. */
export function missingText(link: Link, file: number): string {
  return `'${link.paths[link.files.Source.path[file]]}': No such file or directory`
}

/** Of a member that is no object. */
export function otherText(link: Link, file: number): string {
  return `${link.paths[link.files.Source.path[file]]} has unhandled file type`
}

function failMember(link: Link, file: number, name: number): void {
  const text = `could not get the member defining symbol ${shownName(link, name)}: ${missingText(link, file)}`
  error(
    link.messages,
    'missing-member',
    `${fileText(link, link.files.Order.parent[file])}: ${text}`,
    locate(link, file),
  )
}

/** As in load: how often, on average, a byte of the string table may be part of a name. */
const MAX_SHARING = 64

/** The external definitions of an object that is not loaded, from its nlist records. */
function offerObject(link: Link, file: number): void {
  const { files } = link
  if (files.Source.kind[file] !== FILE_OBJECT) return
  const arena = link.arenas.list[files.Source.arena[file]]
  try {
    const header = readObjectHeader(arena.bytes, files.Source.position[file], files.Source.size[file])
    offerSymbols(link, file, header)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    files.Source.flags[file] |= FILE_BROKEN
  }
}

function offerSymbols(link: Link, file: number, header: ObjectHeader): void {
  const arenaIndex = tablesArena(link, file)
  const { bytes, words } = link.arenas.list[arenaIndex]
  const end = header.strings + header.stringsSize
  let spelled = 0
  for (let i = 0; i < header.symbolCount; i++) {
    const at = header.nlist / 4 + i * 4
    const type = words[at + 1] & 0xff
    if (type & macho.N_STAB || (type & macho.N_EXT) === 0) continue
    if ((type & macho.N_TYPE) === macho.N_UNDF && words[at + 2] === 0) continue
    const start = header.strings + words[at]
    let to = start
    while (to < end && bytes[to] !== 0) to++
    spelled += to - start
    if (spelled > header.stringsSize * MAX_SHARING) return
    if (to < end && to > start && to - start <= MAX_NAME_LENGTH)
      offer(link, internName(link.names, link.arenas, arenaIndex, start, to - start, hashBytes(bytes, start, to)), file)
  }
}

/**
 * Gives each undefined name its provider of lowest rank: loads members, notes dylibs. A weak export of a dylib gives way to
 * any member, and to a later dylib's strong one, as in ld64.lld. Returns how many members were loaded.
 */
export function provide(link: Link): number {
  const { names, files } = link
  const { Resolution, Offer } = names
  let loaded = 0
  for (let name = 1; name <= names.count; name++) {
    if (Resolution.where[name] !== WHERE_UNDEFINED) continue
    if (Offer.dylib[name] === 0) findInDylibs(link, name)
    const member = Offer.member[name]
    if (member === 0 && Offer.dylib[name] === 0) loaded += wantMessenger(link, name)
    if (member === 0 || files.Source.flags[member] & FILE_LOADED) continue
    const dylib = Offer.dylib[name]
    const dylibFirst = dylib !== 0 && link.dylibs[dylib - 1].rank < files.Order.rank[member]
    if (dylibFirst && !(Offer.exportFlags[name] & EXPORT_WEAK)) continue
    files.Source.flags[member] |= FILE_LOADED
    if (files.Source.kind[member] === FILE_MISSING) failMember(link, member, name)
    link.loadedBecause.push(member, name)
    loaded++
  }
  return loaded
}

/** Active dylibs by rank, each followed by what it re-exports; made anew when one becomes active. */
export function orderDylibs(link: Link): number[] {
  const order: number[] = []
  const seen = new Set<number>()
  const active = link.dylibs.map((_, index) => index).filter((index) => link.dylibs[index].active)
  active.sort((a, b) => link.dylibs[a].rank - link.dylibs[b].rank || a - b)
  const pending = active.reverse()
  while (pending.length > 0) {
    const index = pending.pop()!
    if (seen.has(index)) continue
    seen.add(index)
    order.push(index)
    for (let child = link.dylibs[index].children.length - 1; child >= 0; child--)
      pending.push(link.dylibs[index].children[child])
  }
  return order
}
