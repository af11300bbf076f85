// Ad-hoc signing of finished Mach-O files, ours or not.
import { alignUp } from './core/align.ts'
import { FormatError, fromText, readU32be, writeU32, writeU32be, writeU64 } from './core/bytes.ts'
import { sha256Into } from './core/sha256.ts'
import * as S from './formats/codesign.ts'
import { type FatSlice, isFat, readFat } from './formats/fat.ts'
import * as C from './formats/macho/constants.ts'
import { findSegment, type Image, type ImageSegment, readImage } from './formats/macho/image.ts'
import type { Host } from './host/host.ts'

export interface SignOptions {
  /** Default: that of the signature replaced, else the base name of the install name, else `a.out`. */
  identifier?: string
  /** log2 of the signature's page size; default 14 for arm64 and 12 for others. */
  pageShift?: number
  /** For a native SHA-256. */
  host?: Pick<Host, 'sha256'>
}

const SIGNATURE_COMMAND_SIZE = 16

function refuse(id: string, text: string, offset = 0): never {
  throw new FormatError(id, text, offset)
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The identifier of the signature that is there; a signature that cannot be read gives none. */
function oldIdentifier(image: Image): string | null {
  const range = image.tables.get(C.LC_CODE_SIGNATURE)
  if (range === undefined) return null
  try {
    return S.readSignature(image.bytes, range.offset, range.size).directories[0]?.identifier || null
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}

function chooseIdentifier(image: Image, options: SignOptions): Uint8Array {
  const name = options.identifier ?? oldIdentifier(image) ?? baseName(image.id?.name ?? '')
  return fromText(name === '' ? 'a.out' : name)
}

function isArm(image: Image): boolean {
  return image.cpuType === C.CPU_TYPE_ARM64
}

/** The kernel maps a signed file by __LINKEDIT's range: the signature must be its end, and it the end of the file. */
function signableLinkedit(image: Image): ImageSegment {
  const linkedit = findSegment(image, '__LINKEDIT')
  if (linkedit === null) refuse('sign-no-linkedit', 'there is no __LINKEDIT segment to hold a signature')
  const end = linkedit.fileOffset + linkedit.fileSize
  if (end !== image.bytes.length) {
    refuse(
      'sign-trailing-data',
      `__LINKEDIT ends at 0x${end.toString(16)}, the file at 0x${image.bytes.length.toString(16)}`,
    )
  }
  for (const segment of image.segments) {
    if (segment !== linkedit && segment.vmAddress > linkedit.vmAddress) {
      refuse('sign-linkedit-not-last', `segment ${segment.name} follows __LINKEDIT in memory`, segment.at)
    }
  }
  return linkedit
}

/** Where the code to be signed ends: at the old signature, or at the end of the file. */
function codeEnd(image: Image, linkedit: ImageSegment): number {
  const old = image.tables.get(C.LC_CODE_SIGNATURE)
  if (old === undefined || old.size === 0) return image.bytes.length
  const last = old.offset >= linkedit.fileOffset && old.offset + old.size <= image.bytes.length
  if (!last || old.offset + old.size < image.bytes.length - 16) {
    refuse('sign-signature-not-last', `the signature at 0x${old.offset.toString(16)} is not the end of __LINKEDIT`)
  }
  return old.offset
}

/** Bytes between the load commands and the first contents of the file. */
function headerRoom(image: Image): number {
  let first = findSegment(image, '__TEXT')?.fileSize ?? 0
  for (const section of image.sections) {
    const type = section.flags & C.SECTION_TYPE
    const zerofill = type === C.S_ZEROFILL || type === C.S_GB_ZEROFILL || type === C.S_THREAD_LOCAL_ZEROFILL
    if (!zerofill && section.size > 0 && section.offset < first) first = section.offset
  }
  return first - C.HEADER_SIZE - image.commandsSize
}

/** Writes LC_CODE_SIGNATURE over the old one or after the last command; `target` holds the header already. */
function placeCommand(image: Image, target: Uint8Array, offset: number, size: number): void {
  let at = image.commands.find((command) => command.cmd === C.LC_CODE_SIGNATURE)?.at
  if (at === undefined) {
    const room = headerRoom(image)
    if (room < SIGNATURE_COMMAND_SIZE) {
      refuse(
        'sign-no-header-room',
        `LC_CODE_SIGNATURE needs 16 bytes after the load commands, there are ${Math.max(room, 0)}`,
      )
    }
    at = C.HEADER_SIZE + image.commandsSize
    writeU32(target, 16, image.commands.length + 1)
    writeU32(target, 20, image.commandsSize + SIGNATURE_COMMAND_SIZE)
    writeU32(target, at, C.LC_CODE_SIGNATURE)
    writeU32(target, at + 4, SIGNATURE_COMMAND_SIZE)
  }
  writeU32(target, at + 8, offset)
  writeU32(target, at + 12, size)
}

/** The kernel maps whole pages, so the size in memory changes only where their number does. */
function resizeLinkedit(image: Image, linkedit: ImageSegment, target: Uint8Array): void {
  const fileSize = target.length - linkedit.fileOffset
  const page = isArm(image) || linkedit.vmSize % 0x4000 === 0 ? 0x4000 : 0x1000
  const mapped = alignUp(fileSize, page)
  const fits = linkedit.vmSize >= fileSize && linkedit.vmSize <= mapped
  writeU64(target, linkedit.at + 32, fits ? linkedit.vmSize : mapped)
  writeU64(target, linkedit.at + 48, fileSize)
}

function signThin(bytes: Uint8Array, options: SignOptions): Uint8Array {
  const image = readImage(bytes)
  const linkedit = signableLinkedit(image)
  const text = findSegment(image, '__TEXT')
  const identifier = chooseIdentifier(image, options)
  const pageShift = options.pageShift ?? (isArm(image) ? 14 : 12)
  const end = codeEnd(image, linkedit)
  const codeLimit = alignUp(end, 16)
  const size = S.signatureSize(codeLimit, identifier.length, pageShift)
  if (codeLimit + size > 0xffffffff) refuse('sign-too-large', 'the signature would end past 4 GiB')
  const target = new Uint8Array(codeLimit + size)
  target.set(bytes.subarray(0, end))
  placeCommand(image, target, codeLimit, size)
  resizeLinkedit(image, linkedit, target)
  const hashesAt = S.writeSignature(target, codeLimit, {
    codeLimit,
    identifier,
    pageShift,
    execSegBase: text?.fileOffset ?? 0,
    execSegLimit: text?.fileSize ?? 0,
    execSegFlags: image.fileType === C.MH_EXECUTE ? S.CS_EXECSEG_MAIN_BINARY : 0,
  })
  const sha256 = options.host?.sha256.bind(options.host) ?? sha256Into
  const pages = S.pageCount(codeLimit, pageShift)
  S.hashPages({ bytes: target, offset: 0 }, 0, pages, codeLimit, pageShift, sha256, target, hashesAt)
  return target
}

/** Writes offset and size of the slice whose fat_arch (`wide`: fat_arch_64) stands at `at`. */
function writeSliceRange(target: Uint8Array, at: number, wide: boolean, offset: number, size: number): void {
  if (!wide) {
    writeU32be(target, at + 8, offset)
    return writeU32be(target, at + 12, size)
  }
  writeU32be(target, at + 8, Math.floor(offset / 4294967296))
  writeU32be(target, at + 12, offset % 4294967296)
  writeU32be(target, at + 16, Math.floor(size / 4294967296))
  writeU32be(target, at + 20, size % 4294967296)
}

/** Rows of `slices` by offset; slices that overlap would be signed twice. */
function orderSlices(slices: readonly FatSlice[]): number[] {
  const order = slices.map((_, i) => i).sort((a, b) => slices[a].offset - slices[b].offset)
  for (let k = 1; k < order.length; k++) {
    const before = slices[order[k - 1]]
    const { offset, align } = slices[order[k]]
    if (offset < before.offset + before.size) refuse('fat-slice-overlap', 'two slices overlap', offset)
    if (align > 32) refuse('fat-slice-align', `got a slice alignment of 2^${align}, expected at most 2^32`, offset)
  }
  return order
}

function signUniversal(bytes: Uint8Array, options: SignOptions): Uint8Array {
  const slices = readFat(bytes)
  const order = orderSlices(slices)
  const wide = readU32be(bytes, 0) === C.FAT_MAGIC_64
  const parts = slices.map((slice) => signThin(bytes.subarray(slice.offset, slice.offset + slice.size), options))
  const offsets = slices.map((slice) => slice.offset)
  let end = order.length === 0 ? bytes.length : offsets[order[0]]
  const header = end
  for (const row of order) {
    offsets[row] = end === header ? header : alignUp(end, 2 ** slices[row].align)
    end = offsets[row] + parts[row].length
  }
  if (end > 0xffffffff) refuse('sign-too-large', 'the universal file would end past 4 GiB')
  const target = new Uint8Array(end)
  target.set(bytes.subarray(0, header))
  for (const row of order) {
    writeSliceRange(target, 8 + row * (wide ? 32 : 20), wide, offsets[row], parts[row].length)
    target.set(parts[row], offsets[row])
  }
  return target
}

/**
 * Signs a 64-bit Mach-O ad hoc, each slice of a universal one, and returns new bytes. A signature that is there is
 * replaced (its entitlements and requirements are not kept); otherwise LC_CODE_SIGNATURE is added in the header's padding.
 * Throws FormatError: those of `readImage` and `readFat`, `sign-no-linkedit`, `sign-trailing-data`, `sign-too-large`,
 * `sign-linkedit-not-last`, `sign-signature-not-last`, `sign-no-header-room`, `fat-slice-overlap`, `fat-slice-align`.
 */
export function sign(bytes: Uint8Array, options: SignOptions = {}): Uint8Array {
  return isFat(bytes) ? signUniversal(bytes, options) : signThin(bytes, options)
}
