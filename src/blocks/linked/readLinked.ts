// Reads what a linker wrote, for edits to be put behind it. Nothing of the file is trusted.
import { FormatError, readU32 } from '../../core/bytes.ts'
import { ARCHITECTURES } from '../../arch/architectures.ts'
import { readSignature } from '../../formats/codesign.ts'
import * as macho from '../../formats/macho/constants.ts'
import { type Image, type ImageSegment, readImage, type TableRange } from '../../formats/macho/image.ts'
import type { Arch } from '../../types.ts'

export interface LinkedFile {
  image: Image
  arch: Arch
  /** As the segments of edits are aligned. */
  pageSize: number
  fixupChains: boolean
  /** Not position-independent: what is in it keeps its addresses. */
  fixed: boolean
  /** Bytes up to the first section: header, load commands and what they may grow into. */
  room: number
  /** What lies in front of __LINKEDIT. */
  segments: ImageSegment[]
  text: ImageSegment
  end: number
  addressEnd: number
  dataStart: number
  identifier: string | null
}

const FILE_TYPES: readonly number[] = [macho.MH_EXECUTE, macho.MH_DYLIB, macho.MH_BUNDLE]
/** Those of edits have numbers in the same byte. */
const MOST_SECTIONS = 200
const MOST_SEGMENTS = 200

function refuse(text: string, offset: number): never {
  throw new FormatError('not-editable', text, offset)
}

/** @throws FormatError where it is none that edits can be added to. */
export function readLinked(bytes: Uint8Array): LinkedFile {
  const image = readImage(bytes)
  const arch = Object.values(ARCHITECTURES).find(({ cputype }) => cputype === image.cpuType)?.name
  const arm64e = image.cpuType === macho.CPU_TYPE_ARM64 && (image.cpuSubtype & 0xff) === macho.CPU_SUBTYPE_ARM64E
  if (arch === undefined || arm64e) refuse(`got CPU type ${image.cpuType}, subtype ${image.cpuSubtype & 0xff}`, 4)
  if (!FILE_TYPES.includes(image.fileType))
    refuse(`got file type ${image.fileType}, expected an executable, a library or a bundle`, 12)
  const fixupChains = image.tables.has(macho.LC_DYLD_CHAINED_FIXUPS)
  if (!fixupChains && image.dyldInfo === null) refuse('no load command says what dyld is to fix up', 0)
  if (image.symtab === null || image.dysymtab === null) refuse('it has no symbol table', 0)
  checkRange(image, image.symtab.symbolOffset, image.symtab.symbolCount * macho.NLIST_SIZE, 'symbol table')
  checkRange(image, image.symtab.stringOffset, image.symtab.stringSize, 'string table')
  const pageSize = arch === 'arm64' ? 0x4000 : 0x1000
  const segments = checkSegments(image, pageSize)
  const text = segments.find(({ name }) => name === '__TEXT')!
  const data = segments.filter((one) => one.initProtection & macho.VM_PROT_WRITE && one.fileSize > 0)
  const end = image.segments[image.segments.length - 1].fileOffset
  return {
    image,
    arch,
    pageSize,
    fixupChains,
    fixed: image.fileType === macho.MH_EXECUTE && (image.flags & macho.MH_PIE) === 0,
    room: headerRoom(image, text),
    segments,
    text,
    end,
    addressEnd: Math.max(...segments.map(({ vmAddress, vmSize }) => vmAddress + vmSize)),
    dataStart: Math.min(end, ...data.map(({ fileOffset }) => fileOffset)),
    identifier: identifierOf(image),
  }
}

function checkSegments(image: Image, pageSize: number): ImageSegment[] {
  const last = image.segments[image.segments.length - 1]
  if (last?.name !== '__LINKEDIT') refuse('expected __LINKEDIT as the last segment', 0)
  const segments = image.segments.slice(0, -1)
  if (segments.length > MOST_SEGMENTS || image.sections.length > MOST_SECTIONS)
    refuse(`${segments.length} segments with ${image.sections.length} sections are too many`, 0)
  let [address, offset] = [0, 0]
  for (const segment of [...segments, last]) {
    const { at, name, vmAddress, vmSize, fileOffset, fileSize } = segment
    const paged = vmAddress % pageSize === 0 && fileOffset % pageSize === 0
    const inOrder = vmAddress >= address && (fileSize === 0 || fileOffset >= offset) && fileSize <= vmSize
    const whole = segment === last || (vmSize % pageSize === 0 && fileSize % pageSize === 0)
    if (!paged || !inOrder || !whole || vmAddress + vmSize > 2 ** 47)
      refuse(`segment ${name} is not laid out by pages`, at)
    checkRange(image, fileOffset, fileSize, `segment ${name}`)
    for (const section of segment.sections) {
      const inside = section.address >= vmAddress && section.address + section.size <= vmAddress + vmSize
      if (!inside) refuse(`section ${name},${section.name} is not in its segment`, at)
    }
    address = vmAddress + vmSize
    if (fileSize > 0 && segment !== last) offset = fileOffset + fileSize
  }
  const text = segments.find(({ name }) => name === '__TEXT')
  if (text === undefined || text.fileOffset !== 0 || text.fileSize === 0)
    refuse('expected a segment __TEXT at the start of the file', 0)
  if (last.fileOffset < offset || last.fileOffset === 0) refuse('expected __LINKEDIT at the end of the file', last.at)
  return segments
}

export function checkRange({ bytes }: Image, offset: number, size: number, what: string): void {
  if (offset + size > bytes.length) refuse(`${what}: ${size} bytes at ${offset} are past the end of the file`, 0)
}

/** A copy of a table's bytes; none where it has no load command. */
export function tableOf(image: Image, range: TableRange | undefined, what: string): Uint8Array {
  if (range === undefined || range.size === 0) return new Uint8Array(0)
  checkRange(image, range.offset, range.size, what)
  return image.bytes.slice(range.offset, range.offset + range.size)
}

function headerRoom({ commandsSize, sections }: Image, text: ImageSegment): number {
  const offsets = sections
    .filter(({ address, size, offset }) => size > 0 && offset > 0 && address < text.vmAddress + text.vmSize)
    .map(({ offset }) => offset)
  const room = Math.min(text.fileSize, ...offsets)
  if (room < macho.HEADER_SIZE + commandsSize) refuse('a section overlaps the load commands', 0)
  return room
}

function identifierOf({ bytes, tables }: Image): string | null {
  const range = tables.get(macho.LC_CODE_SIGNATURE)
  if (range === undefined) return null
  return readSignature(bytes, range.offset, range.size).directories[0]?.identifier ?? null
}

/** The nlist_64 at `at`. */
export function readSymbol(bytes: Uint8Array, at: number) {
  return {
    string: readU32(bytes, at),
    type: bytes[at + 4],
    section: bytes[at + 5],
    desc: bytes[at + 6] | (bytes[at + 7] << 8),
  }
}
