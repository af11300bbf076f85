// Reads an object in two parts: its symbols and strings, which load has read when it is done, to an arena of their own, so that they
// can go while the rest stays. Other files are read whole.
import type { Arena } from '../../components/arena.ts'
import { FormatError, readU32 } from '../../src/core/bytes.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { type ObjectHeader, readObjectHeader } from '../../src/formats/macho/object.ts'
import type { Host } from '../../src/host/host.ts'
import { skippedRanges } from '../kernels/debugSections.ts'
import { kindOf } from './kindOf.ts'

/** From so many bytes on a file is worth being read by ranges where others are read ahead, whole. */
export const LARGE_FILE = 4 << 20
/** Most objects are smaller. It fits the L2 cache, so that copies out of it are cheap. */
const SCRATCH = 512 << 10
/** Of larger ones so much is read first: the load commands. */
const HEAD = 32 << 10

export function createReadScratch(): Uint8Array {
  return new Uint8Array(SCRATCH)
}

export interface SplitRead {
  /** Bytes that were there. */
  got: number
  split: boolean
  /** Something was left in the file (debugSections.ts). */
  skipped: boolean
  /** Bytes of it. */
  left: number
}

/**
 * Reads a file of `size` bytes to `position` of `arena`, and from its symbol table on to the same place of `tables`, if it is an object
 * in which nothing else lies behind that. Of large objects, DWARF that only messages need is not read. @throws HostError
 */
export function readSplit(
  host: Host,
  path: string,
  size: number,
  arena: Arena,
  tables: Arena,
  position: number,
  scratch: Uint8Array,
): SplitRead {
  const most = size <= scratch.length ? size : HEAD
  const got = host.readInto(path, scratch, 0, most, 0)
  const header = headerIn(scratch, 0, got, size)
  const point = placeParts(scratch, 0, got, size, arena, tables, position)
  if (got < most || got === size) return { got, split: point < size, skipped: false, left: 0 }
  const ranges = header === null ? [] : skippedRanges(scratch, 0, header)
  const skipped = ranges.length > 0 && ranges[ranges.length - 1] > got
  let [at, left] = [got, 0]
  for (let i = 0; i <= ranges.length; i += 2) {
    const to = Math.min(i < ranges.length ? ranges[i] : size, size)
    at = readFrom(host, path, arena, tables, position, point, at, to)
    if (at < to) return { got: at, split: point < size, skipped, left }
    if (i === ranges.length) break
    left += Math.max(0, ranges[i + 1] - at)
    at = Math.max(at, ranges[i + 1])
  }
  return { got: size, split: point < size, skipped, left }
}

/** Reads bytes[at, to) of the file, those from `point` on to `tables`. Returns how far it came. */
function readFrom(
  host: Host,
  path: string,
  arena: Arena,
  tables: Arena,
  position: number,
  point: number,
  at: number,
  to: number,
): number {
  const middle = Math.min(to, Math.max(at, point))
  if (at < middle) at += host.readInto(path, arena.bytes, position + at, middle - at, at)
  if (at >= middle && at < to) at += host.readInto(path, tables.bytes, position + at, to - at, at)
  return at
}

/**
 * Copies the first `there` bytes of a file of `size`, which lie at bytes[from], to where they go. Returns where its symbols and strings
 * begin, `size` in a file that stays in one piece. `from` is a multiple of 8.
 */
export function placeParts(
  bytes: Uint8Array,
  from: number,
  there: number,
  size: number,
  arena: Arena,
  tables: Arena,
  position: number,
): number {
  const point = splitPoint(bytes, from, there, size)
  const first = Math.min(there, point)
  arena.bytes.set(bytes.subarray(from, from + first), position)
  if (point < there) tables.bytes.set(bytes.subarray(from + point, from + there), position + point)
  return point
}

function splitPoint(bytes: Uint8Array, from: number, there: number, size: number): number {
  const header = headerIn(bytes, from, there, size)
  if (header === null) return size
  const point = Math.min(header.nlist, header.strings) - from
  const end = Math.max(macho.HEADER_SIZE + readU32(bytes, from + 20), endOfRest(bytes, from, header))
  return header.symbolCount > 0 && end <= point ? point : size
}

/** null when it is no object, or one with an error, or its load commands are not all there. */
function headerIn(bytes: Uint8Array, from: number, there: number, size: number): ObjectHeader | null {
  if (there < macho.HEADER_SIZE || kindOf(bytes, from, there) !== 'object') return null
  if (macho.HEADER_SIZE + readU32(bytes, from + 20) > there) return null
  try {
    return readObjectHeader(bytes, from, size)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    return null
  }
}

/** The end of what stays: contents and relocations of sections, data in code, hints. */
function endOfRest(bytes: Uint8Array, from: number, header: ObjectHeader): number {
  let end = Math.max(header.dataInCode + header.dataInCodeSize, header.hints + header.hintsSize) - from
  for (let i = 0; i < header.sectionCount; i++) {
    const section = header.sections + i * macho.SECTION_SIZE
    const type = readU32(bytes, section + 64) & macho.SECTION_TYPE
    const isZeroFill =
      type === macho.S_ZEROFILL || type === macho.S_THREAD_LOCAL_ZEROFILL || type === macho.S_GB_ZEROFILL
    if (!isZeroFill) end = Math.max(end, readU32(bytes, section + 48) + readU32(bytes, section + 40))
    const relocations = readU32(bytes, section + 60)
    if (relocations > 0) end = Math.max(end, readU32(bytes, section + 56) + relocations * macho.RELOCATION_SIZE)
  }
  return end
}
