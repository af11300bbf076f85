// writeSymtab: the symbol table and its strings, and data in code.
// Reads: link.table, symbols, names, imports, stabs. Writes: linkedit.symbols, strings, dataInCode.
// After writeDyldInfo, before writeHeader. Cost: one visit a symbol and its name's bytes.

import type { Link, LinkeditName } from '../components/link.ts'
import { runKernel } from '../components/mirror.ts'
import { IMPORT_WEAK, IMPORT_WEAK_DEF } from '../components/imports.ts'
import { TARGET_IMPORT } from '../components/symbols.ts'
import { ByteSink, fromText } from '../src/core/bytes.ts'
import { countTo } from '../src/core/pool.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { nameRoom, tableRoom } from './kernels/linkeditRooms.ts'
import { dataInCode } from './writeSymtab/dataInCode.ts'
import { addName, addString, measureNames } from './writeSymtab/names.ts'
import {
  createRowJob,
  measureNameChunks,
  nameFile,
  type RowJob,
  rowChunks,
  writeHidden,
} from './writeSymtab/rowChunks.ts'
import { reserveTail } from './writeSymtab/reserveTail.ts'
import { type NameSlots, shareName, shareNames } from './writeSymtab/shareNames.ts'

export const NLIST_WORDS = macho.NLIST_SIZE / 4

/** ld64 has no name at 0; the string table begins with a blank and an empty name behind it. */
export const EMPTY_NAME = 1
const NAMES_START = 2

/** nlist_64 as words: n_strx; n_type, n_sect, n_desc; n_value in two. */
export interface Writing {
  words: Uint32Array
  at: number
  strings: ByteSink
}

const TABLES: readonly LinkeditName[] = ['symbols', 'strings', 'dataInCode']

/** What the kernels read of the link. */
const PARTS = ['arenas', 'files', 'symbols', 'blocks', 'sections', 'outputs', 'names', 'headerBlock'] as const

export async function writeSymtab(link: Link): Promise<void> {
  const { locals, externals, undefineds } = link.symtab
  const { table } = link
  if (link.settings.dataInCode) link.linkedit.dataInCode = { bytes: dataInCode(link), offset: 0 }
  const job = createRowJob(link)
  if (job.names !== null) await runKernel(link, 'measureNameChunks', PARTS, measureNameChunks, job, job.fileChunks)
  reserveTail(link, (locals + externals + undefineds) * macho.NLIST_SIZE, stringsBound(link, job))
  const writing = writeInto(link.linkedit.symbols!.bytes, link.linkedit.strings!.bytes)
  writing.strings.u8(0x20)
  writing.strings.u8(0)
  writeRoom(writing, table.room)
  writing.at += table.stabs.count * NLIST_WORDS
  const firstName = writing.at
  nameAll(link, job, writing)
  await writeDefinitions(link, job, writing)
  for (const made of table.undefineds) writeUndefined(link, writing, made)
  const slots = link.settings.deduplicateSymbolStrings ? shareAll(link, writing, firstName) : null
  padStrings(link, writing.strings)
  table.stabs.strings = writing.strings.length
  writeStabs(link, writing, slots)
  padStrings(link, writing.strings)
  writing.strings.alignTo(8)
  link.linkedit.strings!.bytes = writing.strings.finish()
  link.visited.rows += locals + externals + undefineds
  for (const name of TABLES) link.visited.written += link.linkedit[name]?.bytes.length ?? 0
}

/** Rows in front of the table that stand for nothing. */
export function writeRoom(writing: Pick<Writing, 'words' | 'at'>, rows: number): void {
  for (let row = 0; row < rows; row++) writeNlist(writing, EMPTY_NAME, macho.N_OPT, 0, 0, 0)
}

/** The padded layout has room behind the names, and behind the texts of the debug map. */
function padStrings(link: Link, strings: ByteSink): void {
  const room = tableRoom(link, 'strings', strings.length) - strings.length
  strings.reserve(room)
  strings.length += room
}

function writeInto(symbols: Uint8Array, strings: Uint8Array): Writing {
  const words = new Uint32Array(symbols.buffer, symbols.byteOffset, symbols.length / 4)
  const sink = new ByteSink(0)
  sink.bytes = strings
  return { words, at: 0, strings: sink }
}

/**
 * Every name in full, unless objects share them between symbols: pages that are not written cost nothing. Where the places of names are
 * known before, there is room behind each for a whole string table.
 */
function stringsBound(link: Link, { names, files }: RowJob): number {
  const { length } = link.names.Text
  let bound = 65536
  for (const file of link.order) bound += link.files.Tables.stringsSize[file]
  for (const made of link.table.undefineds) bound += length[link.imports.Library.name[made]] + 1
  for (let i = 0; names !== null && i < files.length; i++) bound += nameRoom(names[i])
  return bound
}

/** The row at hand; the next one follows. */
export function writeNlist(
  writing: Pick<Writing, 'words' | 'at'>,
  strx: number,
  type: number,
  section: number,
  desc: number,
  value: number,
): void {
  const { words, at } = writing
  words[at] = strx
  words[at + 1] = type | (section << 8) | (desc << 16)
  words[at + 2] = value
  words[at + 3] = Math.floor(value / 4294967296)
  writing.at = at + 4
}

/** The names of locals and thunks, or, where they are measured, their places; the rows of thunks whole, and without threads of private externals. */
function nameAll(link: Link, job: RowJob, writing: Writing): void {
  const { table } = link
  const { words, strings } = writing
  job.localsAt = writing.at
  for (let i = 0; i < job.files.length; i++) nameNext(link, job, i, writing)
  // Private external names, which no file lists.
  const last = job.files[job.files.length - 1]
  const listed = link.files.Rows.local[last] + link.files.Rows.locals[last]
  job.hidden = table.locals.subarray(listed, table.localCount)
  job.hiddenAt = job.localsAt + listed * NLIST_WORDS
  if (job.names === null) writeHidden(link, job, words, strings)
  else job.hiddenNames = leaveRoom(strings, measureNames(link, job.hidden))
  writing.at += table.localCount * NLIST_WORDS
  for (const thunk of table.thunks) writeThunk(link, writing, thunk)
}

/** Returns where it begins. */
function leaveRoom(strings: ByteSink, size: number): number {
  const start = strings.length
  strings.reserve(size)
  strings.length = start + size
  return start
}

/** The padded layout has room behind the names of each file. */
function nameNext(link: Link, job: RowJob, i: number, { words, strings }: Writing): void {
  const { Rows } = link.files
  const file = job.files[i]
  const start = strings.length
  if (job.names === null) nameFile(link, job, file, words, job.localsAt + Rows.local[file] * NLIST_WORDS, strings)
  else {
    strings.length += job.names[i]
    job.names[i] = start
  }
  if (!job.padded) return
  Rows.localNames[file] = start
  Rows.localRoom[file] = nameRoom(strings.length - start)
  strings.reserve(start + Rows.localRoom[file] - strings.length)
  strings.length = start + Rows.localRoom[file]
}

/** What is left of locals, and the externals; not on other threads where the strings have moved out of the tail. */
async function writeDefinitions(link: Link, job: RowJob, writing: Writing): Promise<void> {
  const { strings, words } = writing
  const { externalNames, externalCount } = link.table
  link.table.externalStrings = strings.length
  strings.reserve(externalNames.bytes.length)
  Object.assign(job, { words, externalsAt: writing.at, strings: strings.bytes, externalStrings: strings.length })
  if (strings.bytes.buffer === link.tail.buffer) await runKernel(link, 'rowChunks', PARTS, rowChunks, job, job.chunks)
  else rowChunks(link, job, countTo(job.chunks))
  strings.length += externalNames.bytes.length
  writing.at += externalCount * NLIST_WORDS
}

const THUNK = fromText('.thunk.')

/** `_name.thunk.0`, with the addend behind the name where there is one. */
function writeThunk(link: Link, writing: Writing, thunk: number): void {
  const { Thunk } = link.thunks
  const { Target } = link.branchTargets
  const of = Thunk.of[thunk]
  const target = Target.target[of]
  const { name } = target & TARGET_IMPORT ? link.imports.Library : link.symbols.Definition
  const strx = addName(link, writing.strings, name[target & 0x7fffffff])
  writing.strings.length--
  if (Target.addend[of] !== 0) addText(writing.strings, `+${Target.addend[of]}`)
  writing.strings.append(THUNK)
  addDigits(writing.strings, Thunk.sequence[thunk])
  writing.strings.u8(0)
  const section = link.outputs.Section.index[Thunk.output[thunk]]
  writeNlist(writing, strx, macho.N_PEXT | macho.N_SECT, section, 0, Thunk.address[thunk])
}

function addText(strings: ByteSink, text: string): void {
  strings.append(fromText(text))
}

/** Most sequences have one digit; a text for each of them took three times as long as the row. */
function addDigits(strings: ByteSink, value: number): void {
  if (value < 10) strings.u8(0x30 + value)
  else addText(strings, `${value}`)
}

/** Also for a patch that lists the undefined names anew. */
export function writeUndefined(link: Link, writing: Writing, made: number): void {
  const { Library } = link.imports
  const ordinal = Library.ordinal[made]
  const encoded =
    ordinal === macho.BIND_SPECIAL_DYLIB_FLAT_LOOKUP
      ? macho.DYNAMIC_LOOKUP_ORDINAL
      : ordinal === macho.BIND_SPECIAL_DYLIB_MAIN_EXECUTABLE
        ? macho.EXECUTABLE_ORDINAL
        : ordinal
  const flags = Library.flags[made]
  const desc =
    ((encoded & 0xff) << 8) |
    (flags & IMPORT_WEAK_DEF ? macho.N_WEAK_DEF : 0) |
    (flags & IMPORT_WEAK ? macho.N_WEAK_REF : 0)
  writeNlist(writing, addName(link, writing.strings, Library.name[made]), macho.N_EXT | macho.N_UNDF, 0, desc, 0)
}

function shareAll(link: Link, { words, at, strings }: Writing, firstName: number): NameSlots {
  const slots = shareNames(words, firstName, at, strings, NAMES_START, link.table.stabs.texts.length)
  link.visited.rows += (at - firstName) / NLIST_WORDS
  link.visited.hashed += strings.length
  return slots
}

/**
 * Stabs stand before all symbols (and behind the room of the table), their texts behind all names. A stab of a symbol shares the symbol's
 * name, unless no strings are to be shared.
 */
function writeStabs(link: Link, writing: Writing, slots: NameSlots | null): void {
  const { stabs, room } = link.table
  const copies = link.settings.deduplicateSymbolStrings === false
  writing.at = room * NLIST_WORDS
  for (let i = 0; i < stabs.count; i++) {
    let strx = EMPTY_NAME
    if (stabs.text[i] >= 0) strx = addStabText(writing.strings, slots, stabs.texts[stabs.text[i]])
    else if (stabs.row[i] !== 0) {
      strx = writing.words[(room + stabs.count + stabs.row[i] - 1) * NLIST_WORDS]
      if (copies) strx = copyName(writing.strings, strx)
    }
    writeNlist(writing, strx, stabs.type[i], stabs.section[i], stabs.desc[i], stabs.value[i])
  }
  if (slots !== null) link.visited.probes += slots.probes
}

function addStabText(strings: ByteSink, slots: NameSlots | null, text: string): number {
  const bytes = fromText(text)
  if (slots !== null) return shareName(slots, strings, bytes, 0, bytes.length)
  return addString(strings, bytes, 0, bytes.length)
}

function copyName(strings: ByteSink, from: number): number {
  const { bytes } = strings
  return addString(strings, bytes, from, bytes.indexOf(0, from))
}
