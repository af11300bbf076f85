// Reads an object in two parts: its symbols and strings, which load has read when it is done, to an arena of their own, so that they
// can go while the rest stays. Other files are read whole.
import type { Arena } from '../../components/arena.ts'
import { FormatError, readU32 } from '../../src/core/bytes.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { type ObjectHeader, readObjectHeader } from '../../src/formats/macho/object.ts'
import type { Host } from '../../src/host/host.ts'
import { kindOf } from './kindOf.ts'

/** Most objects are smaller; of larger ones the load commands are within this. It fits the L2 cache, so that copies out of it are cheap. */
const SCRATCH = 512 << 10

export function createReadScratch(): Uint8Array {
  return new Uint8Array(SCRATCH)
}

export interface SplitRead {
  /** Bytes that were there. */
  got: number
  split: boolean
}

/**
 * Reads a file of `size` bytes to `position` of `arena`, and from its symbol table on to the same place of `tables`, if it is an object
 * in which nothing else lies behind that. @throws HostError
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
  const most = Math.min(size, scratch.length)
  let got = host.readInto(path, scratch, 0, most, 0)
  const point = placeParts(scratch, 0, got, size, arena, tables, position)
  if (got === most && got < point) got += host.readInto(path, arena.bytes, position + got, point - got, got)
  if (got >= Math.max(most, point) && got < size)
    got += host.readInto(path, tables.bytes, position + got, size - got, got)
  return { got, split: point < size }
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
  if (there < macho.HEADER_SIZE || kindOf(bytes, from, there) !== 'object') return size
  const commandsEnd = macho.HEADER_SIZE + readU32(bytes, from + 20)
  if (commandsEnd > there) return size
  try {
    const header = readObjectHeader(bytes, from, size)
    const point = Math.min(header.nlist, header.strings) - from
    const end = Math.max(commandsEnd, endOfRest(bytes, from, header))
    return header.symbolCount > 0 && end <= point ? point : size
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    return size
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
