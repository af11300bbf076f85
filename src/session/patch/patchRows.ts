// The rows of the symbol table after an object has other symbols: its own are made anew, the others move. The last rows stay where they
// are, for there is room in front of the table; names stay where they are, for those of each file have room.
import type { Link, StabTable } from '../../../components/link.ts'
import { type Listing, listFile } from '../../../systems/listSymbols/byFile.ts'
import { localFilter } from '../../../systems/listSymbols/localFilter.ts'
import { debugUnits } from '../../../systems/kernels/debugUnits.ts'
import { nameRoom, rowRoom } from '../../../systems/kernels/linkeditRooms.ts'
import { EMPTY_NAME, NLIST_WORDS, writeNlist, writeRoom } from '../../../systems/writeSymtab.ts'
import { defineLocals, defineSomeExternals } from '../../../systems/writeSymtab/defined.ts'
import { nameLocals } from '../../../systems/writeSymtab/names.ts'
import { ByteSink } from '../../core/bytes.ts'
import { NLIST_SIZE } from '../../formats/macho/constants.ts'
import type { DirtyPages } from './dirtyPages.ts'
import { markRows, moveRuns, type Run, replaceBytes, symbolWords } from './tailBytes.ts'
import { type Part, type Parts, rowsWithStab, stabsAgain, stabsOf } from './stabsAgain.ts'

/** Rows that a table begins with, and where its parts begin. */
interface Places {
  room: number
  locals: number
  externals: number
  undefineds: number
}

/** Returns why the symbols cannot be listed within their room, in words. */
export function patchRows(link: Link, file: number, dirty: DirtyPages): string {
  const { table, files } = link
  const { symbols } = files.Ranges
  const [locals, externals] = [new Uint32Array(symbols[file]), new Uint32Array(symbols[file])]
  const listing: Listing = { locals, localCount: 0, externals, externalCount: 0 }
  listFile(link, file, localFilter(link), listing)
  const { Rows } = files
  const before = placesOf(link)
  const parts: Parts = {
    locals: { at: Rows.local[file], old: Rows.locals[file], now: listing.localCount },
    externals: { at: Rows.external[file], old: Rows.externals[file], now: listing.externalCount },
    stabs: stabsOf(link, file),
  }
  if (!nameExternals(link, file, listing, parts.externals, dirty))
    return 'has more or longer names than there is room for'
  splice(table, 'locals', table.localCount, parts.locals, locals)
  splice(table, 'externals', table.externals.length, parts.externals, externals)
  table.localCount += parts.locals.now - parts.locals.old
  table.externalCount += parts.externals.now - parts.externals.old
  shiftFiles(link, file, parts)
  const isMapped = !link.settings.stripDebug && debugUnits({ ...link, order: Uint32Array.of(file) }).has(file)
  if (parts.stabs.at >= 0 !== (isMapped && rowsWithStab(link, file, parts).length > 0))
    return 'comes into or out of the debug map'
  const stabs = parts.stabs.at < 0 ? table.stabs : stabsAgain(link, file, parts)
  const count = stabs.count + table.localCount + table.thunks.length + table.externalCount + table.undefineds.length
  const total = link.linkedit.symbols!.bytes.length / NLIST_SIZE
  if (rowRoom(link, count) !== total) return 'has more or fewer symbols than there is room for'
  parts.stabs.now += stabs.count - table.stabs.count
  table.stabs = stabs
  table.room = total - count
  link.symtab.locals = table.room + stabs.count + table.localCount + table.thunks.length
  link.symtab.externals = table.externalCount
  return writeRows(link, file, parts, before, dirty)
}

function placesOf({ table, symtab }: Link): Places {
  const { locals, externals } = symtab
  return {
    room: table.room,
    locals: table.room + table.stabs.count,
    externals: locals,
    undefineds: locals + externals,
  }
}

/** A list that stays as long is not given to its owner again: an array that is read by pages would be taken for a plain one. */
function splice<K extends string>(
  owner: Record<K, Uint32Array>,
  key: K,
  length: number,
  { at, old, now }: Part,
  fresh: Uint32Array,
): void {
  const rows = owner[key]
  if (old === now) return rows.set(fresh.subarray(0, now), at)
  const made = new Uint32Array(length - old + now)
  made.set(rows.subarray(0, at))
  made.set(fresh.subarray(0, now), at)
  made.set(rows.subarray(at + old, length), at + now)
  owner[key] = made
}

function shiftFiles(link: Link, file: number, { locals, externals }: Parts): void {
  const { Rows } = link.files
  const order = [...link.order, link.internal.file]
  Rows.locals[file] = locals.now
  Rows.externals[file] = externals.now
  for (const other of order.slice(order.indexOf(file) + 1)) {
    Rows.local[other] += locals.now - locals.old
    Rows.external[other] += externals.now - externals.old
  }
}

/** Names in the externals' buffer and in the string table; false when they leave their room. */
function nameExternals(link: Link, file: number, { externals }: Listing, part: Part, dirty: DirtyPages): boolean {
  const { Rows } = link.files
  const { externalNames: names, externalStrings } = link.table
  const { arena, offset, length } = link.names.Text
  const start = Rows.externalNames[file]
  const room = Rows.externalRoom[file]
  const rows = Array.from(externals.subarray(0, part.now), (symbol) => link.symbols.Definition.name[symbol])
  const size = rows.reduce((sum, name) => sum + length[name] + 1, 0)
  if (nameRoom(size) !== room) return false
  const made = new Uint8Array(room)
  const places = new Uint32Array(part.now)
  let at = 0
  rows.forEach((name, i) => {
    places[i] = start + at
    made.set(link.arenas.list[arena[name]].bytes.subarray(offset[name], offset[name] + length[name]), at)
    at += length[name] + 1
  })
  names.bytes.set(made, start)
  const lengths = Uint32Array.from(rows, (name) => length[name])
  splice(names, 'offset', names.offset.length, part, places)
  splice(names, 'length', names.length.length, part, lengths)
  replaceBytes(link, dirty, link.linkedit.strings!.offset + externalStrings + start, made)
  return true
}

function writeRows(link: Link, file: number, parts: Parts, before: Places, dirty: DirtyPages): string {
  const { table } = link
  const words = symbolWords(link)
  const now = placesOf(link)
  const { at } = parts.stabs
  const texts = at < 0 ? [] : [0, 1].map((i) => words[(before.room + at + i) * NLIST_WORDS])
  moveRuns(link, runsOf(parts, before, now), dirty)
  if (now.room > before.room) {
    writeRoom({ words, at: before.room * NLIST_WORDS }, now.room - before.room)
    markRows(link, dirty, before.room, now.room)
  }
  if (!writeOwnLocals(link, file, words, now.locals + parts.locals.at, dirty))
    return 'has more or longer names than there is room for'
  writeOwnExternals(link, words, now.externals, parts.externals)
  if (at >= 0) {
    writeOwnStabs(table.stabs, words, now, parts.stabs)
    texts.forEach((text, i) => {
      words[(now.room + at + i) * NLIST_WORDS] = text
    })
    markRows(link, dirty, now.room + at, now.room + at + parts.stabs.now)
  }
  for (const [start, part] of [
    [now.locals, parts.locals],
    [now.externals, parts.externals],
  ] as const)
    markRows(link, dirty, start + part.at, start + part.at + part.now)
  return ''
}

/** Rows of all objects but the one: what lies before its own in each part, and behind. */
function runsOf({ stabs, locals, externals }: Parts, before: Places, now: Places): Run[] {
  const runs: Run[] = []
  const add = (from: number, to: number, { at, old, now: own }: Part, count: number) => {
    if (at > 0) runs.push({ from, to, count: at })
    if (count > at + old) runs.push({ from: from + at + old, to: to + at + own, count: count - at - old })
  }
  const none = { at: 0, old: 0, now: 0 }
  add(before.room, now.room, stabs.at < 0 ? none : stabs, before.locals - before.room)
  add(before.locals, now.locals, locals, before.externals - before.locals)
  add(before.externals, now.externals, externals, before.undefineds - before.externals)
  return runs
}

/** False when the names leave their room. */
function writeOwnLocals(link: Link, file: number, words: Uint32Array, row: number, dirty: DirtyPages): boolean {
  const { Rows } = link.files
  const [from, count] = [Rows.local[file], Rows.locals[file]]
  const strings = new ByteSink(0)
  strings.bytes = new Uint8Array(Rows.localRoom[file])
  const { locals } = link.table
  nameLocals(link, locals, words, row * NLIST_WORDS, strings, from, from + count)
  if (nameRoom(strings.length) !== Rows.localRoom[file]) return false
  for (let i = 0; i < count; i++) words[(row + i) * NLIST_WORDS] += Rows.localNames[file]
  defineLocals(link, words, row * NLIST_WORDS, locals.subarray(from, from + count), count)
  const names = new Uint8Array(Rows.localRoom[file])
  names.set(strings.finish())
  replaceBytes(link, dirty, link.linkedit.strings!.offset + Rows.localNames[file], names)
  return true
}

function writeOwnExternals(link: Link, words: Uint32Array, first: number, { at, now }: Part): void {
  const { externals, externalNames, externalStrings } = link.table
  for (let i = at; i < at + now; i++) words[(first + i) * NLIST_WORDS] = externalStrings + externalNames.offset[i]
  defineSomeExternals(link, words, (first + at) * NLIST_WORDS, externals.subarray(at, at + now))
}

/** The texts of N_SO and N_OSO stay where they are. */
function writeOwnStabs(stabs: StabTable, words: Uint32Array, { room, locals }: Places, { at, now }: Part): void {
  const writing = { words, at: (room + at) * NLIST_WORDS }
  for (let i = at; i < at + now; i++) {
    const row = stabs.row[i]
    const name = row === 0 ? EMPTY_NAME : words[(locals + row - 1) * NLIST_WORDS]
    writeNlist(writing, name, stabs.type[i], stabs.section[i], stabs.desc[i], stabs.value[i])
  }
}
