// What the checks of one image share: the image, address lookups, what other checks found, and where messages go.
import { FormatError } from '../core/bytes.ts'
import type { Sha256 } from '../formats/codesign.ts'
import * as C from '../formats/macho/constants.ts'
import {
  findSegment,
  type Image,
  type ImageSection,
  type ImageSegment,
  type TableRange,
} from '../formats/macho/image.ts'
import type { Message, Severity } from '../types.ts'
import type { Fixups } from './collectFixups.ts'

/** A damaged file may be wrong in every row; what is past this many messages is counted, not kept. */
const MESSAGE_LIMIT = 200

export interface Check {
  image: Image
  bytes: Uint8Array
  sha256: Sha256
  messages: Message[]
  dropped: number
  /** File named in messages; `member` is the architecture of a slice of a universal file. */
  file: string
  member: string | null
  /** Offset of the image in the file. */
  base: number
  text: ImageSegment | null
  linkedit: ImageSegment | null
  /** Sections that are not empty, by address, for `sectionAt`. */
  byAddress: ImageSection[]
  fixups: Fixups
  functionStarts: Float64Array
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`
}

export function createCheck(
  image: Image,
  sha256: Sha256,
  messages: Message[],
  place: { file: string; member: string | null; base: number },
): Check {
  return {
    image,
    bytes: image.bytes,
    sha256,
    messages,
    dropped: 0,
    ...place,
    text: findSegment(image, '__TEXT'),
    linkedit: findSegment(image, '__LINKEDIT'),
    byAddress: image.sections.filter((section) => section.size > 0).sort((a, b) => a.address - b.address),
    fixups: { keys: new Float64Array(0), binds: new Map(), weakBinds: new Map(), lazyBinds: new Map() },
    functionStarts: new Float64Array(0),
  }
}

function say(check: Check, severity: Severity, id: string, text: string, offset: number | null): void {
  if (check.messages.length >= MESSAGE_LIMIT) {
    check.dropped++
    return
  }
  const location: Message['location'] = { file: check.file }
  if (check.member !== null) location.member = check.member
  if (offset !== null) location.offset = check.base + offset
  check.messages.push({ severity, id, text, location, notes: [] })
}

/** `offset` counts from the image's header. */
export function fail(check: Check, id: string, text: string, offset: number | null = null): void {
  say(check, 'error', id, text, offset)
}

export function warn(check: Check, id: string, text: string, offset: number | null = null): void {
  say(check, 'warning', id, text, offset)
}

/** Runs a reader; a FormatError becomes a message, its offset counted from `from`. Other errors are bugs and pass. */
export function guard(check: Check, id: string, what: string, from: number, read: () => void): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    fail(check, id, `${what}: ${error.message}`, from + error.offset)
  }
}

/** Index of the last of `count` ascending items that is not above `value`, -1 when there is none. */
export function lastAtMost(count: number, at: (index: number) => number, value: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at(middle) <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}

export function sectionAt(check: Check, address: number): ImageSection | null {
  const { byAddress } = check
  const found = byAddress[lastAtMost(byAddress.length, (i) => byAddress[i].address, address)]
  return found !== undefined && address < found.address + found.size ? found : null
}

export function segmentAt(check: Check, address: number): ImageSegment | null {
  for (const segment of check.image.segments) {
    if (address >= segment.vmAddress && address < segment.vmAddress + segment.vmSize) return segment
  }
  return null
}

export function isCode(section: ImageSection | null): boolean {
  return section !== null && (section.flags & (C.S_ATTR_PURE_INSTRUCTIONS | C.S_ATTR_SOME_INSTRUCTIONS)) !== 0
}

export function sectionType(section: ImageSection): number {
  return section.flags & C.SECTION_TYPE
}

export function isZerofill(section: ImageSection): boolean {
  const type = sectionType(section)
  return type === C.S_ZEROFILL || type === C.S_GB_ZEROFILL || type === C.S_THREAD_LOCAL_ZEROFILL
}

export function isX86(check: Check): boolean {
  return check.image.cpuType === C.CPU_TYPE_X86_64
}

export function sectionName(section: ImageSection): string {
  return `${section.segment},${section.name}`
}

/** The section's bytes; empty where it has none in the file. */
export function contents(check: Check, section: ImageSection): Uint8Array {
  const inFile = !isZerofill(section) && section.offset + section.size <= check.bytes.length
  return inFile ? check.bytes.subarray(section.offset, section.offset + section.size) : new Uint8Array(0)
}

/** File offset of `address`, or -1 where `size` bytes from it are not in the file. */
export function fileOffset(check: Check, address: number, size: number): number {
  const segment = segmentAt(check, address)
  if (segment === null) return -1
  const delta = address - segment.vmAddress
  const offset = segment.fileOffset + delta
  return delta + size <= segment.fileSize && offset + size <= check.bytes.length ? offset : -1
}

/** The bytes of a table, or null where it is not in the file (which `checkLinkedit` reports). */
export function tableBytes(check: Check, range: TableRange): Uint8Array | null {
  const end = range.offset + range.size
  return end <= check.bytes.length ? check.bytes.subarray(range.offset, end) : null
}

export function findSection(check: Check, segment: string, name: string): ImageSection | null {
  return check.image.sections.find((section) => section.name === name && section.segment === segment) ?? null
}
