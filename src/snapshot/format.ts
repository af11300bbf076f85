// The file of a snapshot: records, of which the first holds everything and each further one what has changed since.
//
// A record, in little-endian words:
//    0  magic, 'COLS' 'NAPS'       2  FORMAT       3  sequence, from 0
//    4  id of the snapshot, the same in all records; every hash of the file is seeded with it
//    5  bytes of the whole record (low, high)
//    7  bytes and hash (2 words) of the front: JSON, what decides whether there is anything to do
//   10  bytes and hash of the skeleton: JSON, values and views (graph.ts)
//   13  words and hash of the index
//   16  hash of words 0 to 15
//   18  the front, the skeleton, the index, each in whole words; then chunks (chunks.ts)
// The index:
//    0  number of runs
//    1  runs of five words: buffer, first chunk, chunks, place (low, high): from where the record's chunks begin,
//       with IN_OUTPUT in the file of the output, ZERO: nowhere, all of it is zero
//       then for each chunk that is not zero its hash, two words
import { FormatError, fromText, toText } from '../core/bytes.ts'
import type { Host } from '../host/host.ts'
import { hashOf } from './chunks.ts'

export const FORMAT = 2
export const HEADER_BYTES = 72
const MAGIC = [0x534c4f43, 0x5350414e]
export const IN_OUTPUT = 0x80000000
export const ZERO = 0xffffffff
export const RUN_WORDS = 5

const FRONT = 1
const SKELETON = 2
const INDEX = 3
const HEADER = 4

/** Where the parts of a record lie in the file. */
export interface Extent {
  /** First byte of the record and of the one behind it. */
  at: number
  end: number
  words: Uint32Array
}

/** The file as far as it is whole. */
export interface SnapshotFile {
  path: string
  id: number
  records: Extent[]
  /** There are bytes behind the last whole record. */
  torn: boolean
}

export function damaged(text: string, offset: number): FormatError {
  return new FormatError('damaged-snapshot', text, offset)
}

/** Null when there is no such file. @throws FormatError for a file that does not begin with a whole record, HostError when it cannot be read */
export function openSnapshotFile(host: Host, path: string): SnapshotFile | null {
  const stat = host.stat(path)
  if (stat === null) return null
  if (!stat.isFile) throw damaged('is no file', 0)
  // In a folder that others may write to: it says what the output is made of.
  if (stat.isForeign) throw damaged('belongs to someone else', 0)
  const file: SnapshotFile = { path, id: 0, records: [], torn: false }
  let at = 0
  while (at < stat.size) {
    const words = readHeader(host, path, at, stat.size)
    const extent = words === null ? null : { at, end: at + words[5] + words[6] * 2 ** 32, words }
    if (extent === null || !isNext(file, extent, stat.size)) break
    file.records.push(extent)
    file.id = extent.words[4]
    at = extent.end
  }
  if (file.records.length === 0) throw damaged(stat.size === 0 ? 'is empty' : 'does not begin as one', 0)
  file.torn = at < stat.size
  return file
}

/** Null where there is no whole header. @throws FormatError for one of another version of the format */
function readHeader(host: Host, path: string, at: number, size: number): Uint32Array | null {
  if (at + HEADER_BYTES > size) return null
  const words = new Uint32Array(HEADER_BYTES / 4)
  const bytes = new Uint8Array(words.buffer)
  if (host.readInto(path, bytes, 0, HEADER_BYTES, at) !== HEADER_BYTES) return null
  if (words[0] !== MAGIC[0] || words[1] !== MAGIC[1]) return null
  if (words[2] !== FORMAT) throw damaged(`has format ${words[2]}, expected ${FORMAT}`, at + 8)
  const [first, second] = hashOf(bytes.subarray(0, 64), words[4], HEADER)
  return first === words[16] && second === words[17] ? words : null
}

function isNext(file: SnapshotFile, { at, end, words }: Extent, size: number): boolean {
  const parts = HEADER_BYTES + padded(words[7]) + padded(words[10]) + words[13] * 4
  if (end > size || end < at + parts) return false
  return words[3] === file.records.length && (words[3] === 0 || words[4] === file.id)
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4
}

/** The front of the newest record. @throws FormatError when it is not what was written */
export function readFront(host: Host, file: SnapshotFile): unknown {
  const record = file.records[file.records.length - 1]
  return readText(host, file, record, record.at + HEADER_BYTES, 7, FRONT, 'front')
}

/** JSON's null. */
const NONE = 4

/** The newest skeleton; null where no record has one. @throws FormatError when it is not what was written */
export function readSkeleton(host: Host, file: SnapshotFile): unknown {
  const record = file.records.findLast(({ words }) => words[10] > NONE)
  if (record === undefined) return null
  const at = record.at + HEADER_BYTES + padded(record.words[7])
  return readText(host, file, record, at, 10, SKELETON, 'skeleton')
}

/** The index of a record, and where its chunks begin. @throws FormatError when it is not what was written */
export function readIndex(host: Host, file: SnapshotFile, record: Extent): { index: Uint32Array; chunks: number } {
  const { words } = record
  const at = record.at + HEADER_BYTES + padded(words[7]) + padded(words[10])
  const bytes = readPart(host, file, record, at, words[13] * 4, 13, INDEX, 'index')
  return { index: new Uint32Array(bytes.buffer), chunks: at + bytes.length }
}

function readText(
  host: Host,
  file: SnapshotFile,
  record: Extent,
  at: number,
  word: number,
  kind: number,
  name: string,
): unknown {
  const bytes = readPart(host, file, record, at, record.words[word], word, kind, name)
  try {
    return JSON.parse(toText(bytes, 0, bytes.length))
  } catch {
    throw damaged(`has a ${name} that cannot be read`, at)
  }
}

/** `word` of the header is followed by the hash. */
function readPart(
  host: Host,
  { path, id }: SnapshotFile,
  { words, end }: Extent,
  at: number,
  size: number,
  word: number,
  kind: number,
  name: string,
): Uint8Array {
  const bytes = new Uint8Array(at + size <= end ? size : 0)
  const got = host.readInto(path, bytes, 0, bytes.length, at)
  const [first, second] = hashOf(bytes, id, kind)
  if (got !== size || first !== words[word + 1] || second !== words[word + 2])
    throw damaged(`has another ${name} than was written`, at)
  return bytes
}

/** What a record is made of: values for JSON (`skeleton` null: none), the index, and the chunks, side by side. */
export interface RecordParts {
  id: number
  sequence: number
  front: unknown
  skeleton: unknown
  index: Uint32Array
  chunks: readonly Uint8Array[]
}

/** The bytes of a record, in pieces. */
export function encodeRecord({ id, sequence, front, skeleton, index, chunks }: RecordParts): Uint8Array[] {
  const texts = [front, skeleton].map((part) => fromText(part === null ? 'null' : JSON.stringify(part)))
  const head = new Uint8Array(HEADER_BYTES + padded(texts[0].length) + padded(texts[1].length))
  head.set(texts[0], HEADER_BYTES)
  head.set(texts[1], HEADER_BYTES + padded(texts[0].length))
  const rows = new Uint8Array(index.buffer, index.byteOffset, index.byteLength)
  const size = chunks.reduce((sum, { length }) => sum + length, head.length + rows.length)
  const words = new Uint32Array(head.buffer, 0, HEADER_BYTES / 4)
  words.set([...MAGIC, FORMAT, sequence, id, size % 2 ** 32, Math.floor(size / 2 ** 32)])
  words.set([texts[0].length, ...hashOf(texts[0], id, FRONT)], 7)
  words.set([texts[1].length, ...hashOf(texts[1], id, SKELETON)], 10)
  words.set([index.length, ...hashOf(rows, id, INDEX)], 13)
  words.set(hashOf(head.subarray(0, 64), id, HEADER), 16)
  return [head, rows, ...chunks]
}
