// Code signatures: the ad-hoc one a linker writes, and a reader of any. Layouts: <kern/cs_blobs.h>; all numbers are big-endian.
import { FormatError, cstringEnd, fromText, readU32be, toText, writeU32be } from '../core/bytes.ts'
import type { Host } from '../host/host.ts'

export const CSMAGIC_EMBEDDED_SIGNATURE = 0xfade0cc0
export const CSMAGIC_CODEDIRECTORY = 0xfade0c02
export const CSMAGIC_BLOBWRAPPER = 0xfade0b01
export const CSSLOT_CODEDIRECTORY = 0
export const CSSLOT_ALTERNATE_CODEDIRECTORIES = 0x1000
export const CSSLOT_ALTERNATE_CODEDIRECTORY_LIMIT = 0x1005
export const CSSLOT_SIGNATURESLOT = 0x10000
export const CS_SUPPORTSSCATTER = 0x20100
export const CS_SUPPORTSCODELIMIT64 = 0x20300
export const CS_SUPPORTSEXECSEG = 0x20400
export const CS_ADHOC = 0x2
export const CS_LINKER_SIGNED = 0x20000
export const CS_EXECSEG_MAIN_BINARY = 0x1
export const CS_HASHTYPE_SHA1 = 1
export const CS_HASHTYPE_SHA256 = 2
export const CS_HASHTYPE_SHA256_TRUNCATED = 3
export const CS_HASHTYPE_SHA384 = 4
export const CS_SHA256_LEN = 32

export type Sha256 = Host['sha256']

// What a linker writes, at a 16-aligned offset:
//   0    SuperBlob: magic, length, count = 1          12
//   12   BlobIndex: type CSSLOT_CODEDIRECTORY, offset  8, padded to 24
//   24   CodeDirectory, version 0x20400               88
//   112  identifier, NUL, padded so that the hashes stand at a multiple of 16
//   h    one SHA-256 a page of [0, codeLimit)
const DIRECTORY = 24
const DIRECTORY_SIZE = 88
const IDENTIFIER = DIRECTORY + DIRECTORY_SIZE

export interface SignatureFields {
  /** File offset of the signature: everything before it is signed. */
  codeLimit: number
  /** As text, or as its UTF-8 bytes. */
  identifier: string | Uint8Array
  /** log2 of the bytes that one hash covers. */
  pageShift: number
  /** File offset and file size of __TEXT. */
  execSegBase: number
  execSegLimit: number
  /** CS_EXECSEG_MAIN_BINARY for an executable. */
  execSegFlags: number
}

export function pageCount(codeLimit: number, pageShift: number): number {
  return Math.ceil(codeLimit / 2 ** pageShift)
}

function hashesStart(identifierLength: number): number {
  return Math.ceil((IDENTIFIER + identifierLength + 1) / 16) * 16
}

/** Bytes that `writeSignature` and `hashPages` fill; a multiple of 16. `identifierLength` is in bytes, without a NUL. */
export function signatureSize(codeLimit: number, identifierLength: number, pageShift: number): number {
  return hashesStart(identifierLength) + pageCount(codeLimit, pageShift) * CS_SHA256_LEN
}

function writeU64be(bytes: Uint8Array, at: number, value: number): void {
  writeU32be(bytes, at, Math.floor(value / 4294967296))
  writeU32be(bytes, at + 4, value % 4294967296)
}

function writeSuperBlob(target: Uint8Array, at: number, size: number): void {
  writeU32be(target, at, CSMAGIC_EMBEDDED_SIGNATURE)
  writeU32be(target, at + 4, size)
  writeU32be(target, at + 8, 1)
  writeU32be(target, at + 12, CSSLOT_CODEDIRECTORY)
  writeU32be(target, at + 16, DIRECTORY)
}

function writeDirectory(target: Uint8Array, at: number, length: number, hashes: number, f: SignatureFields): void {
  const wide = f.codeLimit > 0xffffffff
  writeU32be(target, at, CSMAGIC_CODEDIRECTORY)
  writeU32be(target, at + 4, length)
  writeU32be(target, at + 8, CS_SUPPORTSEXECSEG)
  writeU32be(target, at + 12, CS_ADHOC | CS_LINKER_SIGNED)
  writeU32be(target, at + 16, hashes)
  writeU32be(target, at + 20, DIRECTORY_SIZE)
  writeU32be(target, at + 28, pageCount(f.codeLimit, f.pageShift))
  writeU32be(target, at + 32, wide ? 0xffffffff : f.codeLimit)
  target[at + 36] = CS_SHA256_LEN
  target[at + 37] = CS_HASHTYPE_SHA256
  target[at + 39] = f.pageShift
  writeU64be(target, at + 56, wide ? f.codeLimit : 0)
  writeU64be(target, at + 64, f.execSegBase)
  writeU64be(target, at + 72, f.execSegLimit)
  writeU64be(target, at + 80, f.execSegFlags)
}

/**
 * Writes an ad-hoc, linker-signed signature at target[at, at + signatureSize(...)) without its page hashes, which
 * `hashPages` fills. Returns the index in `target` of the first hash. Source: <kern/cs_blobs.h>, ld64.lld's output.
 */
export function writeSignature(target: Uint8Array, at: number, fields: SignatureFields): number {
  const name = typeof fields.identifier === 'string' ? fromText(fields.identifier) : fields.identifier
  const size = signatureSize(fields.codeLimit, name.length, fields.pageShift)
  const hashes = hashesStart(name.length)
  target.fill(0, at, at + hashes)
  writeSuperBlob(target, at, size)
  writeDirectory(target, at + DIRECTORY, size - DIRECTORY, hashes - DIRECTORY, fields)
  target.set(name, at + IDENTIFIER)
  return at + hashes
}

/** A run of the file: bytes[0] is at file offset `offset`. */
export interface FileRun {
  bytes: Uint8Array
  offset: number
}

/**
 * Hashes pages [fromPage, toPage) of `run` into target[hashesAt + page * 32 ..]. Each page must lie whole in the run,
 * so where an image is two buffers the second one begins at a page boundary. The last page ends at `codeLimit`.
 */
export function hashPages(
  run: FileRun,
  fromPage: number,
  toPage: number,
  codeLimit: number,
  pageShift: number,
  sha256: Sha256,
  target: Uint8Array,
  hashesAt: number,
): void {
  const pageSize = 2 ** pageShift
  for (let page = fromPage; page < toPage; page++) {
    const from = page * pageSize
    const to = Math.min(from + pageSize, codeLimit)
    sha256(run.bytes, from - run.offset, to - run.offset, target, hashesAt + page * CS_SHA256_LEN)
  }
}

/** One CodeDirectory. `at` and `hashesAt` are indices in the bytes given to `readSignature`. */
export interface CodeDirectory {
  at: number
  length: number
  version: number
  flags: number
  identifier: string
  hashType: number
  hashSize: number
  /** 0: one hash covers everything. */
  pageShift: number
  codeLimit: number
  codeSlots: number
  specialSlots: number
  hashesAt: number
  /** null before version 0x20400. */
  execSeg: { base: number; limit: number; flags: number } | null
  /** True for a directory of the old kind that hashes scattered ranges. */
  scattered: boolean
}

export interface Signature {
  /** Bytes of the SuperBlob, at most those the load command names. */
  length: number
  directories: CodeDirectory[]
  /** True where there is a certificate's signature that is not empty. */
  hasCms: boolean
}

function readU64be(bytes: Uint8Array, at: number): number {
  return readU32be(bytes, at) * 4294967296 + readU32be(bytes, at + 4)
}

function bad(text: string, offset: number): never {
  throw new FormatError('bad-code-signature', `code signature: ${text}`, offset)
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

function readIdentifier(bytes: Uint8Array, at: number, length: number): string {
  const offset = readU32be(bytes, at + 20)
  if (offset >= length) bad(`identifier at ${hex(offset)} is past the code directory's ${hex(length)} bytes`, at + 20)
  const end = cstringEnd(bytes, at + offset, at + length)
  if (end === at + length) bad('identifier is not terminated', at + offset)
  return toText(bytes, at + offset, end)
}

function readLimits(bytes: Uint8Array, at: number, version: number): Pick<CodeDirectory, 'codeLimit' | 'execSeg'> {
  const wide = version >= CS_SUPPORTSCODELIMIT64 ? readU64be(bytes, at + 56) : 0
  const codeLimit = wide === 0 ? readU32be(bytes, at + 32) : wide
  if (version < CS_SUPPORTSEXECSEG) return { codeLimit, execSeg: null }
  const execSeg = {
    base: readU64be(bytes, at + 64),
    limit: readU64be(bytes, at + 72),
    flags: readU64be(bytes, at + 80),
  }
  return { codeLimit, execSeg }
}

function headerSize(version: number): number {
  if (version >= CS_SUPPORTSEXECSEG) return DIRECTORY_SIZE
  if (version >= CS_SUPPORTSCODELIMIT64) return 64
  return version >= CS_SUPPORTSSCATTER ? 48 : 44
}

/** `end` is where the directory's blob ends; at least 12 bytes are there. */
function readDirectory(bytes: Uint8Array, at: number, end: number): CodeDirectory {
  const length = end - at
  const version = readU32be(bytes, at + 8)
  if (version < 0x20000 || version > 0x2ffff)
    bad(`got code directory version ${hex(version)}, expected 0x2xxxx`, at + 8)
  if (length < headerSize(version)) bad(`code directory has ${length} bytes, expected ${headerSize(version)}`, at)
  const hashOffset = readU32be(bytes, at + 16)
  const specialSlots = readU32be(bytes, at + 24)
  const codeSlots = readU32be(bytes, at + 28)
  const hashSize = bytes[at + 36]
  const fits = hashOffset >= specialSlots * hashSize && hashOffset + codeSlots * hashSize <= length
  if (!fits)
    bad(`hashes (${specialSlots} + ${codeSlots} at ${hex(hashOffset)}) are not inside the code directory`, at + 16)
  return {
    at,
    length,
    version,
    flags: readU32be(bytes, at + 12),
    identifier: readIdentifier(bytes, at, length),
    hashType: bytes[at + 37],
    hashSize,
    pageShift: bytes[at + 39],
    ...readLimits(bytes, at, version),
    codeSlots,
    specialSlots,
    hashesAt: at + hashOffset,
    scattered: version >= CS_SUPPORTSSCATTER && readU32be(bytes, at + 44) !== 0,
  }
}

function isDirectorySlot(type: number): boolean {
  if (type === CSSLOT_CODEDIRECTORY) return true
  return type >= CSSLOT_ALTERNATE_CODEDIRECTORIES && type < CSSLOT_ALTERNATE_CODEDIRECTORY_LIMIT
}

/** End of the blob at `at`, which must have 8 bytes of header and end by `end`. */
function blobEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at + 8 > end) bad('blob header is past the end', at)
  const length = readU32be(bytes, at + 4)
  if (length < 8 || length > end - at) bad(`blob of ${hex(length)} bytes, ${hex(end - at)} are there`, at)
  return at + length
}

/**
 * Reads the signature at bytes[at, at + size) (the range LC_CODE_SIGNATURE names): every code directory of any hash
 * type; requirements and entitlements are passed over. Throws FormatError `bad-code-signature`. Source: <kern/cs_blobs.h>.
 */
export function readSignature(bytes: Uint8Array, at: number, size: number): Signature {
  if (at > bytes.length || size > bytes.length - at) bad(`${hex(at)}+${hex(size)} is past the end of the file`, at)
  if (size < 12) bad(`got ${size} bytes, expected at least 12`, at)
  if (readU32be(bytes, at) !== CSMAGIC_EMBEDDED_SIGNATURE) bad(`got magic ${hex(readU32be(bytes, at))}`, at)
  const end = blobEnd(bytes, at, at + size)
  const count = readU32be(bytes, at + 8)
  if (12 + count * 8 > end - at) bad(`${count} blobs do not fit in ${end - at} bytes`, at + 8)
  const signature: Signature = { length: end - at, directories: [], hasCms: false }
  // Eight slots are defined beside the alternate directories; a signature with hundreds is made to waste time.
  if (count > 64) bad(`got ${count} blobs, expected at most 64`, at + 8)
  for (let i = 0; i < count; i++) {
    const type = readU32be(bytes, at + 12 + i * 8)
    const blob = at + readU32be(bytes, at + 16 + i * 8)
    const to = blobEnd(bytes, blob, end)
    if (type === CSSLOT_SIGNATURESLOT) signature.hasCms = to > blob + 8
    if (!isDirectorySlot(type)) continue
    if (to < blob + 12 || readU32be(bytes, blob) !== CSMAGIC_CODEDIRECTORY) bad('slot holds no code directory', blob)
    signature.directories.push(readDirectory(bytes, blob, to))
  }
  return signature
}
