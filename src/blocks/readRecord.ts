// Reads the record of an edited image (record.ts) into plain values. Nothing in it is trusted.
import { EDIT_EXPORTED, EDIT_PLACED, EDIT_REEXPORT } from '../../components/edits.ts'
import { FormatError, readU32, toText } from '../core/bytes.ts'
import { hashBytes } from '../core/hash.ts'
import { type Cursor, cursorOver, readByte, readSleb, readUleb } from '../formats/dyld/cursor.ts'
import {
  CHANGED_EXPORT,
  CHANGED_FUNCTION,
  CHANGED_NAME,
  CHANGED_VARIABLE,
  type RecordedLinks,
  readOriginal,
  readStrong,
} from './linked/record.ts'
import { RECORD_LINKED, RECORD_MAGIC, RECORD_START } from './record.ts'
import type { BlockLine } from './types.ts'

export interface RecordedReference {
  offset: number
  type: number
  width: number
  /** Twice the number of a block, or that of an import and 1. */
  target: number
  addend: number
}

export interface RecordedBlock {
  /** Offset of its part of the record in the file. */
  at: number
  name: string
  flags: number
  import: number
  resolver: number
  section: number
  alignPow2: number
  size: number
  offset: number
  /** Compact unwind encoding, 0 for none. */
  unwind: number
  references: RecordedReference[]
  /** Number and 1, or 0. */
  source: number
  lines: BlockLine[]
}

export interface RecordedImport {
  at: number
  name: string
  ordinal: number
  flags: number
}

/** A block of a linked file that is another now. */
export interface RecordedChange {
  at: number
  number: number
  changes: number
  /** Of CHANGED_NAME, else ''. */
  name: string
  flags: number
  resolver: number
  /** Of a function and a variable; that of a variable has its place in the file as offset. */
  contents: RecordedBlock | null
}

export interface EditRecord {
  /** Of a linked file. */
  linked: (RecordedLinks & { bytes: Uint8Array | null; changes: RecordedChange[] }) | null
  flags: number
  headerPad: number
  entry: string
  output: string
  sources: string[]
  imports: RecordedImport[]
  blocks: RecordedBlock[]
}

/** The fewest bytes that one takes: counts are held against them. */
const [IMPORT_SIZE, BLOCK_SIZE, REFERENCE_SIZE, LINE_SIZE, CHANGE_SIZE] = [3, 2, 5, 3, 2]

/**
 * `original`: it says what a linked file was.
 * @throws FormatError `bad-edit-record` and those of numbers, each with the offset in `bytes`.
 */
export function readRecord(bytes: Uint8Array, from: number, to: number, original = true): EditRecord {
  if (to - from < RECORD_START || readU32(bytes, from) !== RECORD_MAGIC)
    throw new FormatError('bad-edit-record', 'the record of blocks does not begin as one', from)
  if (hashBytes(bytes, from + RECORD_START, to) !== readU32(bytes, from + 4))
    throw new FormatError('bad-edit-record', 'the record of blocks is damaged', from)
  const cursor = cursorOver(bytes, from + RECORD_START, to)
  const [flags, headerPad] = [readUleb(cursor), readUleb(cursor)]
  const [entry, output] = [readName(cursor), readName(cursor)]
  const links = flags & RECORD_LINKED ? readStrong(cursor, readName) : null
  const file = links !== null && original ? readOriginal(cursor) : null
  const sources = readList(cursor, 1, readName)
  const imports = readList(cursor, IMPORT_SIZE, readImport)
  const blocks = readList(cursor, BLOCK_SIZE, readBlock)
  const changes = links === null ? [] : readList(cursor, CHANGE_SIZE, readChange)
  if (cursor.at !== to)
    throw new FormatError('bad-edit-record', `${to - cursor.at} bytes are left of the record of blocks`, cursor.at)
  const linked = links === null ? null : { ...links, bytes: file, changes }
  return { linked, flags, headerPad, entry, output, sources, imports, blocks }
}

function readList<T>(cursor: Cursor, size: number, read: (cursor: Cursor) => T): T[] {
  const { at } = cursor
  const count = readUleb(cursor)
  const most = Math.floor((cursor.end - cursor.at) / size)
  if (count > most) throw new FormatError('bad-edit-record', `expected at most ${most} in the list, got ${count}`, at)
  const list: T[] = []
  for (let i = 0; i < count; i++) list.push(read(cursor))
  return list
}

function readName(cursor: Cursor): string {
  const { at } = cursor
  const length = readUleb(cursor)
  if (length > cursor.end - cursor.at)
    throw new FormatError('bad-edit-record', `a name of ${length} bytes is longer than the record`, at)
  cursor.at += length
  return toText(cursor.bytes, cursor.at - length, cursor.at)
}

function readImport(cursor: Cursor): RecordedImport {
  const { at } = cursor
  return { at, name: readName(cursor), ordinal: readSleb(cursor), flags: readUleb(cursor) }
}

const NO_CONTENTS = {
  import: 0,
  resolver: 0,
  section: 0,
  alignPow2: 0,
  size: 0,
  offset: 0,
  unwind: 0,
  references: [],
  source: 0,
  lines: [],
}

function readBlock(cursor: Cursor): RecordedBlock {
  const { at } = cursor
  const name = readName(cursor)
  const flags = readUleb(cursor)
  const block: RecordedBlock = { at, name, flags, ...NO_CONTENTS }
  if (flags & EDIT_REEXPORT) return { ...block, import: readUleb(cursor) }
  if (flags & EDIT_EXPORTED) block.resolver = readUleb(cursor)
  return flags & EDIT_PLACED ? readContents(cursor, block) : block
}

function readContents(cursor: Cursor, block: RecordedBlock): RecordedBlock {
  block.section = readUleb(cursor)
  block.alignPow2 = readUleb(cursor)
  block.size = readUleb(cursor)
  block.offset = readUleb(cursor)
  block.unwind = readUleb(cursor)
  block.references = readList(cursor, REFERENCE_SIZE, readReference)
  block.source = readUleb(cursor)
  if (block.source !== 0) block.lines = readList(cursor, LINE_SIZE, readLine)
  return block
}

function readChange(cursor: Cursor): RecordedChange {
  const { at } = cursor
  const [number, changes] = [readUleb(cursor), readUleb(cursor)]
  const name = changes & CHANGED_NAME ? readName(cursor) : ''
  const exported = (changes & CHANGED_EXPORT) !== 0
  const [flags, resolver] = exported ? [readUleb(cursor), readUleb(cursor)] : [0, 0]
  const block: RecordedBlock = { at, name, flags: 0, ...NO_CONTENTS }
  let contents = changes & CHANGED_FUNCTION ? readContents(cursor, block) : null
  if (changes & CHANGED_VARIABLE) {
    const [offset, size] = [readUleb(cursor), readUleb(cursor)]
    contents = { ...block, offset, size, references: readList(cursor, REFERENCE_SIZE, readReference) }
  }
  return { at, number, changes, name, flags, resolver, contents }
}

function readLine(cursor: Cursor): BlockLine {
  return { offset: readUleb(cursor), line: readUleb(cursor), column: readUleb(cursor) }
}

function readReference(cursor: Cursor): RecordedReference {
  const offset = readUleb(cursor)
  const [type, width] = [readByte(cursor), readByte(cursor)]
  return { offset, type, width, target: readUleb(cursor), addend: readSleb(cursor) }
}
