// The exported names of one dylib, in columns, found through an open-addressing hash index.
import { FormatError, fromText, toText } from '../core/bytes.ts'
import { hashBytes, sameBytes } from '../core/hash.ts'

/** Bits of `ExportTable.flags`. */
export const EXPORT_WEAK = 1
export const EXPORT_THREAD_LOCAL = 2
export const EXPORT_REEXPORT = 4
export const EXPORT_ABSOLUTE = 8

/** Most bytes of names one table takes; an export trie can spell far more than it stores. */
const MAX_NAME_BYTES = 0x10000000

/** Lookups in texts before all of their names become rows. In a cold process so many take 2 to 4 ms, libSystem's 4,500 rows 12 to 13 ms. */
const MAX_TEXT_LOOKUPS = 64

/**
 * Set of exported names.
 *
 * bytes            names, one after another, no separators
 * offset, length   u32 a row: the name is bytes[offset, offset + length)
 * hash             u32 a row: hashBytes of the name
 * flags            u8 a row: EXPORT_*
 * index            u32, power of two long, at most half full: row + 1, or 0 for an empty slot; linear probing from
 *                  hash & (index.length - 1)
 * unread           names that become rows when they are first asked for; null where all are rows
 */
export interface ExportTable {
  bytes: Uint8Array
  offset: Uint32Array
  length: Uint32Array
  hash: Uint32Array
  flags: Uint8Array
  index: Uint32Array
  count: number
  unread: UnreadExports | null
}

/** Names without flags in `texts`, separated by white space, and how many of them may still be looked up there. */
interface UnreadExports {
  texts: readonly string[]
  left: number
}

/** Growing columns of names to come; equal names may be added more than once. */
export interface ExportTableBuilder {
  bytes: Uint8Array
  used: number
  length: Uint32Array
  flags: Uint8Array
  count: number
}

/** `names` and `nameBytes` are guesses of the final size. */
export function createExportTableBuilder(names = 256, nameBytes = names * 32): ExportTableBuilder {
  return {
    bytes: new Uint8Array(nameBytes),
    used: 0,
    length: new Uint32Array(names),
    flags: new Uint8Array(names),
    count: 0,
  }
}

function reserve(builder: ExportTableBuilder, nameBytes: number): void {
  if (builder.used + nameBytes > MAX_NAME_BYTES)
    throw new FormatError('too-many-exports', `exported names take more than ${MAX_NAME_BYTES} bytes`, 0)
  if (builder.used + nameBytes > builder.bytes.length) {
    const grown = new Uint8Array(Math.max(builder.bytes.length * 2, builder.used + nameBytes))
    grown.set(builder.bytes.subarray(0, builder.used))
    builder.bytes = grown
  }
  if (builder.count < builder.length.length) return
  const rows = Math.max(16, builder.count * 2)
  const length = new Uint32Array(rows)
  const flags = new Uint8Array(rows)
  length.set(builder.length)
  flags.set(builder.flags)
  builder.length = length
  builder.flags = flags
}

/** Adds the name bytes[from, from + length). Throws FormatError `too-many-exports` past 256 MiB of names. */
export function addExport(
  builder: ExportTableBuilder,
  bytes: Uint8Array,
  from: number,
  length: number,
  flags: number,
): void {
  reserve(builder, length)
  const target = builder.bytes
  let at = builder.used
  for (let i = from, to = from + length; i < to; i++) target[at++] = bytes[i]
  builder.used = at
  builder.length[builder.count] = length
  builder.flags[builder.count++] = flags
}

function writeText(builder: ExportTableBuilder, text: string): void {
  const start = builder.used
  const target = builder.bytes
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 127) {
      const encoded = fromText(text)
      target.set(encoded, start)
      builder.used = start + encoded.length
      return
    }
    target[start + i] = unit
  }
  builder.used = start + text.length
}

/** Adds the name `prefix + text` in UTF-8. */
export function addExportText(builder: ExportTableBuilder, text: string, flags: number, prefix = ''): void {
  reserve(builder, (prefix.length + text.length) * 3)
  const start = builder.used
  if (prefix.length > 0) writeText(builder, prefix)
  writeText(builder, text)
  builder.length[builder.count] = builder.used - start
  builder.flags[builder.count++] = flags
}

/** The row that holds the name bytes[from, from + length), or -1. `hash` is hashBytes of it. */
export function findExport(table: ExportTable, bytes: Uint8Array, from: number, length: number, hash: number): number {
  const index = table.index
  const mask = index.length - 1
  for (let slot = hash & mask; index[slot] !== 0; slot = (slot + 1) & mask) {
    const row = index[slot] - 1
    if (table.hash[row] !== hash || table.length[row] !== length) continue
    if (sameBytes(table.bytes, table.offset[row], bytes, from, length)) return row
  }
  return table.unread === null ? -1 : readExport(table, table.unread, bytes, from, length, hash)
}

function readExport(
  table: ExportTable,
  unread: UnreadExports,
  bytes: Uint8Array,
  from: number,
  length: number,
  hash: number,
): number {
  if (unread.left-- === 0) {
    readAllExports(table)
    return findExport(table, bytes, from, length, hash)
  }
  const name = toText(bytes, from, from + length)
  if (name === '' || /\s/.test(name) || !unread.texts.some((text) => holdsWord(text, name))) return -1
  return addRow(table, bytes, from, length, hash)
}

function holdsWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1))
    if (isBetweenWords(text, at - 1) && isBetweenWords(text, at + word.length)) return true
  return false
}

function isBetweenWords(text: string, at: number): boolean {
  return at < 0 || at >= text.length || text.charCodeAt(at) <= 0x20
}

/** For a table that createTextExports made: its columns have room for MAX_TEXT_LOOKUPS rows more, its bytes grow. */
function addRow(table: ExportTable, bytes: Uint8Array, from: number, length: number, hash: number): number {
  const row = table.count++
  const at = row === 0 ? 0 : table.offset[row - 1] + table.length[row - 1]
  if (at + length > table.bytes.length) {
    const grown = new Uint8Array((at + length) * 2)
    grown.set(table.bytes)
    table.bytes = grown
  }
  table.bytes.set(bytes.subarray(from, from + length), at)
  table.offset[row] = at
  table.length[row] = length
  table.hash[row] = hash
  insertRow(table, row)
  return row
}

function insertRow({ index, hash }: ExportTable, row: number): void {
  const mask = index.length - 1
  let slot = hash[row] & mask
  while (index[slot] !== 0) slot = (slot + 1) & mask
  index[slot] = row + 1
}

function indexSize(count: number): number {
  let size = 4
  while (size < count * 2) size *= 2
  return size
}

/** A repeated name keeps its first row; a strong definition takes the place of a weak one (ld64.lld). */
function insertRows(table: ExportTable, builder: ExportTableBuilder): number {
  const { offset, length, hash, flags, bytes } = table
  let at = 0
  for (let i = 0; i < builder.count; i++) {
    const size = builder.length[i]
    const nameHash = hashBytes(bytes, at, at + size)
    const found = findExport(table, bytes, at, size, nameHash)
    if (found < 0) {
      const row = table.count++
      offset[row] = at
      length[row] = size
      hash[row] = nameHash
      flags[row] = builder.flags[i]
      insertRow(table, row)
    } else if ((flags[found] & EXPORT_WEAK) !== 0 && (builder.flags[i] & EXPORT_WEAK) === 0) {
      flags[found] = builder.flags[i]
    }
    at += size
  }
  return table.count
}

function emptyTable(bytes: Uint8Array, rows: number): ExportTable {
  return {
    bytes,
    offset: new Uint32Array(rows),
    length: new Uint32Array(rows),
    hash: new Uint32Array(rows),
    flags: new Uint8Array(rows),
    index: new Uint32Array(indexSize(rows)),
    count: 0,
    unread: null,
  }
}

/** Hashes and indexes what was added, in its order, without repeats. The builder must not be used afterwards. */
export function createExportTable(builder: ExportTableBuilder): ExportTable {
  const rows = builder.count
  const table = emptyTable(builder.bytes.slice(0, builder.used), rows)
  const count = insertRows(table, builder)
  if (count === rows) return table
  table.offset = table.offset.slice(0, count)
  table.length = table.length.slice(0, count)
  table.hash = table.hash.slice(0, count)
  table.flags = table.flags.slice(0, count)
  return table
}

/**
 * The names in `texts`, separated by white space, which are looked up there: a small link asks for a handful of thousands.
 * Those that are in `builder` too have the flags that they have there, and are rows at once.
 */
export function createTextExports(texts: readonly string[], builder: ExportTableBuilder): ExportTable {
  const table = emptyTable(builder.bytes, builder.count + MAX_TEXT_LOOKUPS)
  insertRows(table, builder)
  table.unread = { texts, left: MAX_TEXT_LOOKUPS }
  return table
}

/** Makes rows of all names, for who goes over them; the rows of before are void. */
export function readAllExports(table: ExportTable): void {
  if (table.unread === null) return
  const builder = createExportTableBuilder(8192)
  for (const text of table.unread.texts)
    for (const name of text.split(/\s+/)) {
      if (name !== '') addExportText(builder, name, 0)
    }
  const known = { ...table }
  Object.assign(table, createExportTable(builder))
  for (let row = 0; row < known.count; row++) {
    if (known.flags[row] === 0) continue
    const found = findExport(table, known.bytes, known.offset[row], known.length[row], known.hash[row])
    table.flags[found] = known.flags[row]
  }
}

/** A new table: `table` without the names in `removed`, then the strong names in `added`. The names of `table` stay as they are. */
export function amendExports(table: ExportTable, removed: readonly string[], added: readonly string[]): ExportTable {
  readAllExports(table)
  const gone = new Uint8Array(table.count)
  for (const name of removed) {
    const row = findExportText(table, name)
    if (row >= 0) gone[row] = 1
  }
  const builder = createExportTableBuilder(table.count + added.length, table.bytes.length)
  for (let row = 0; row < table.count; row++) {
    if (gone[row] === 0) addExport(builder, table.bytes, table.offset[row], table.length[row], table.flags[row])
  }
  for (const name of added) addExportText(builder, name, 0)
  return createExportTable(builder)
}

/** `findExport` by a string; for cold paths. */
export function findExportText(table: ExportTable, name: string): number {
  const bytes = fromText(name)
  return findExport(table, bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length))
}
