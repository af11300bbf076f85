// Input __TEXT,__eh_frame: a row of CIE and FDE records (DWARF 5 section 6.4 as changed by the LSB core, "Exception Frames").
//   CIE: length:4 (0xffffffff, then :8) | 0:4 | version:1 | augmentation, NUL | code align uleb | data align sleb |
//        return register (:1 in version 1, else uleb) | with 'z': augmentation length uleb, then a field a letter
//   FDE: length | distance back to the CIE:4 | function | function length | with 'z': length uleb, LSDA | instructions
import { cstringEnd, FormatError, readI32, readU16, readU32 } from '../core/bytes.ts'
import type { Arch } from '../types.ts'
import {
  UNWIND_ARM64_MODE_DWARF,
  UNWIND_X86_64_DWARF_SECTION_OFFSET,
  UNWIND_X86_64_MODE_DWARF,
} from './unwind/constants.ts'

export const DW_EH_PE_absptr = 0x00
export const DW_EH_PE_udata2 = 0x02
export const DW_EH_PE_udata4 = 0x03
export const DW_EH_PE_udata8 = 0x04
export const DW_EH_PE_signed = 0x08
export const DW_EH_PE_sdata2 = 0x0a
export const DW_EH_PE_sdata4 = 0x0b
export const DW_EH_PE_sdata8 = 0x0c
export const DW_EH_PE_pcrel = 0x10
export const DW_EH_PE_indirect = 0x80
export const DW_EH_PE_omit = 0xff
const FORMAT_MASK = 0x0f
const APPLICATION_MASK = 0x70

export const EH_CIE = 0
export const EH_FDE = 1

/**
 * Records in file order. `at` is where a record starts, from the start of the section; the other places are from the start
 * of the record, and 0 means that the record has no such field. A CIE's encodings are those of its FDEs; its
 * `functionAt`, `lengthAt` and `lsdaAt` are 0. `personalityAt` and `personalityEncoding` are set on CIEs only.
 */
export interface EhFrames {
  count: number
  kind: Uint8Array
  at: Uint32Array
  /** Bytes of the record, its length field included. */
  size: Uint32Array
  /** Row of the CIE; a CIE names itself. */
  cie: Uint32Array
  /** Place of the 4-byte CIE pointer: 4, or 12 after a 64-bit length. */
  cieAt: Uint8Array
  functionAt: Uint32Array
  lengthAt: Uint32Array
  lsdaAt: Uint32Array
  personalityAt: Uint32Array
  functionEncoding: Uint8Array
  lsdaEncoding: Uint8Array
  personalityEncoding: Uint8Array
}

/** CIE pointers that relocations give, ascending by `at`: place of the field and of the CIE, both in the section. */
export interface CiePointers {
  at: Uint32Array
  cie: Uint32Array
}

/** Encoding of a __unwind_info entry that says "see the FDE", with offset 0. */
export function fdeEncodingFor(arch: Arch): number {
  return arch === 'arm64' ? UNWIND_ARM64_MODE_DWARF : UNWIND_X86_64_MODE_DWARF
}

/** The same with the FDE's offset in the output's __eh_frame. Past 24 bits the hint is 0: the unwinder then searches from the start. */
export function fdeEncoding(arch: Arch, fdeOffset: number): number {
  return fdeEncodingFor(arch) | (fdeOffset <= UNWIND_X86_64_DWARF_SECTION_OFFSET ? fdeOffset : 0)
}

/** Bytes a pointer of this encoding takes; 0 for DW_EH_PE_omit and for formats without a fixed width. */
export function ehPointerWidth(encoding: number): number {
  if (encoding === DW_EH_PE_omit) return 0
  const format = encoding & FORMAT_MASK
  if (format === DW_EH_PE_absptr || format === DW_EH_PE_signed) return 8
  const low = format & 0x07
  if (low === DW_EH_PE_udata2) return 2
  if (low === DW_EH_PE_udata4) return 4
  return low === DW_EH_PE_udata8 ? 8 : 0
}

/** The bare value of the field, before pc-relative or indirect; exact when its magnitude is below 2^53. Bounds are the caller's. */
export function readEhPointer(bytes: Uint8Array, at: number, encoding: number): number {
  const width = ehPointerWidth(encoding)
  const signed = (encoding & DW_EH_PE_signed) !== 0 || (encoding & APPLICATION_MASK) === DW_EH_PE_pcrel
  if (width === 8) return readU32(bytes, at) + (signed ? readI32(bytes, at + 4) : readU32(bytes, at + 4)) * 4294967296
  if (width === 4) return signed ? readI32(bytes, at) : readU32(bytes, at)
  return signed ? (readU16(bytes, at) << 16) >> 16 : readU16(bytes, at)
}

/**
 * Splits the __eh_frame section bytes[from, to) into records and finds their fields. A zero length ends the section.
 * `pointers` are needed for objects whose CIE pointers have relocations (`ld -r`). Throws FormatError, offsets in `bytes`.
 */
export function splitEhFrame(bytes: Uint8Array, from: number, to: number, pointers?: CiePointers): EhFrames {
  if (from > to || to > bytes.length) {
    throw new FormatError('eh-frame-bounds', `section from ${from} to ${to} in ${bytes.length} bytes`, from)
  }
  const frames = reserve(countRecords(bytes, from, to))
  splitRecords(frames, bytes, from, to)
  linkCies(frames, bytes, from, pointers)
  for (let i = 0; i < frames.count; i++) if (frames.kind[i] === EH_CIE) readCie(frames, i, bytes, from)
  for (let i = 0; i < frames.count; i++) if (frames.kind[i] === EH_FDE) readFde(frames, i, bytes, from)
  return frames
}

/** Room for one record, for readCieAt. */
export function createFrame(): EhFrames {
  return reserve(1)
}

/** Reads the CIE bytes[at, at + size) into row 0 of `frame`: its encodings. Throws FormatError, offsets in `bytes`. */
export function readCieAt(frame: EhFrames, bytes: Uint8Array, at: number, size: number): void {
  frame.at[0] = 0
  frame.size[0] = size
  frame.cieAt[0] = readU32(bytes, at) === 0xffffffff ? 12 : 4
  frame.personalityAt[0] = 0
  readCie(frame, 0, bytes, at)
}

function reserve(count: number): EhFrames {
  return {
    count,
    kind: new Uint8Array(count),
    at: new Uint32Array(count),
    size: new Uint32Array(count),
    cie: new Uint32Array(count),
    cieAt: new Uint8Array(count),
    functionAt: new Uint32Array(count),
    lengthAt: new Uint32Array(count),
    lsdaAt: new Uint32Array(count),
    personalityAt: new Uint32Array(count),
    functionEncoding: new Uint8Array(count),
    lsdaEncoding: new Uint8Array(count),
    personalityEncoding: new Uint8Array(count),
  }
}

/** Size of the record at `at`, its length field included; 0 at the end of the section. */
function recordSize(bytes: Uint8Array, at: number, to: number): number {
  if (to - at < 4) throw new FormatError('eh-frame-truncated', `expected a record, got ${to - at} bytes`, at)
  let length = readU32(bytes, at)
  if (length === 0) return 0
  let field = 4
  if (length === 0xffffffff) {
    if (to - at < 12) throw new FormatError('eh-frame-truncated', `expected a 64-bit length, got ${to - at} bytes`, at)
    length = readU32(bytes, at + 4) + readU32(bytes, at + 8) * 4294967296
    field = 12
  }
  if (length < 4 || length > to - at - field) {
    const text = `record of ${length} bytes, expected 4 to ${to - at - field}`
    throw new FormatError('eh-frame-length', text, at)
  }
  return field + length
}

function countRecords(bytes: Uint8Array, from: number, to: number): number {
  let count = 0
  for (let at = from; at < to; count++) {
    const size = recordSize(bytes, at, to)
    if (size === 0) break
    at += size
  }
  return count
}

function splitRecords(frames: EhFrames, bytes: Uint8Array, from: number, to: number): void {
  let at = from
  for (let i = 0; i < frames.count; i++) {
    frames.at[i] = at - from
    frames.size[i] = recordSize(bytes, at, to)
    frames.cieAt[i] = readU32(bytes, at) === 0xffffffff ? 12 : 4
    at += frames.size[i]
  }
}

/** Tells CIEs from FDEs and finds the CIE of every FDE. */
function linkCies(frames: EhFrames, bytes: Uint8Array, from: number, pointers: CiePointers | undefined): void {
  const { count, at, cieAt, kind, cie } = frames
  let next = 0
  const target = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const field = at[i] + cieAt[i]
    const distance = readU32(bytes, from + field)
    while (pointers && next < pointers.at.length && pointers.at[next] < field) next++
    const relocated = pointers !== undefined && next < pointers.at.length && pointers.at[next] === field
    kind[i] = relocated || distance !== 0 ? EH_FDE : EH_CIE
    target[i] = relocated ? pointers.cie[next] : field - distance
  }
  for (let i = 0; i < count; i++) {
    cie[i] = kind[i] === EH_CIE ? i : findRecord(frames, target[i])
    if (cie[i] === count || kind[cie[i]] !== EH_CIE) {
      const text = `cie pointer to offset ${target[i]}, where no cie starts`
      throw new FormatError('eh-frame-cie', text, from + at[i] + cieAt[i])
    }
  }
}

/** Row of the record that starts at `place`, or `count`. */
function findRecord(frames: EhFrames, place: number): number {
  const { at, count } = frames
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at[middle] < place) low = middle + 1
    else high = middle
  }
  return low < count && at[low] === place ? low : count
}

function readCie(frames: EhFrames, row: number, bytes: Uint8Array, from: number): void {
  const start = from + frames.at[row]
  const end = start + frames.size[row]
  let at = start + frames.cieAt[row] + 4
  requireRoom(at, 1, end)
  const version = bytes[at++]
  if (version !== 1 && version !== 3) {
    throw new FormatError('eh-frame-version', `expected a cie of version 1 or 3, got ${version}`, at - 1)
  }
  const letters = at
  const lettersEnd = cstringEnd(bytes, at, end)
  requireRoom(lettersEnd, 1, end)
  at = skipLeb(bytes, lettersEnd + 1, end)
  at = skipLeb(bytes, at, end)
  at = version === 1 ? at + 1 : skipLeb(bytes, at, end)
  frames.functionEncoding[row] = DW_EH_PE_absptr
  frames.lsdaEncoding[row] = DW_EH_PE_omit
  frames.personalityEncoding[row] = DW_EH_PE_omit
  requireRoom(at, 0, end)
  if (lettersEnd === letters) return
  if (bytes[letters] !== 0x7a) {
    throw new FormatError('eh-frame-augmentation', `expected an augmentation that starts with 'z'`, letters)
  }
  const data = skipLeb(bytes, at, end)
  const length = readUleb(bytes, at, data)
  requireRoom(data, length, end)
  readAugmentation(frames, row, bytes, start, letters + 1, lettersEnd, data, data + length)
}

// B: return addresses signed with the B key; G: tagged stack; S: signal frame. None has a field.
const LETTER_B = 0x42
const LETTER_G = 0x47
const LETTER_L = 0x4c
const LETTER_P = 0x50
const LETTER_R = 0x52
const LETTER_S = 0x53

/** Letters after 'z'. An unknown one is refused: a pointer behind it would be lost. */
function readAugmentation(
  frames: EhFrames,
  row: number,
  bytes: Uint8Array,
  start: number,
  letters: number,
  lettersEnd: number,
  at: number,
  end: number,
): void {
  for (; letters < lettersEnd; letters++) {
    const letter = bytes[letters]
    if (letter === LETTER_S || letter === LETTER_B || letter === LETTER_G) continue
    if (letter !== LETTER_L && letter !== LETTER_P && letter !== LETTER_R) {
      throw new FormatError(
        'eh-frame-augmentation',
        `augmentation letter 0x${letter.toString(16)} is not known`,
        letters,
      )
    }
    requireRoom(at, 1, end)
    const encoding = checkEncoding(bytes, at, letter)
    at++
    if (letter === LETTER_L) frames.lsdaEncoding[row] = encoding
    else if (letter === LETTER_R) frames.functionEncoding[row] = encoding
    else {
      const width = ehPointerWidth(encoding)
      requireRoom(at, width, end)
      frames.personalityEncoding[row] = encoding
      frames.personalityAt[row] = width === 0 ? 0 : at - start
      at += width
    }
  }
}

/** Fixed-width, absolute or pc-relative pointers are what linkers know; only a personality may be indirect, only a function not absent. */
function checkEncoding(bytes: Uint8Array, at: number, letter: number): number {
  const encoding = bytes[at]
  if (encoding === DW_EH_PE_omit && letter !== LETTER_R) return encoding
  const application = encoding & APPLICATION_MASK
  const plain = application === 0 || application === DW_EH_PE_pcrel
  const indirect = (encoding & DW_EH_PE_indirect) !== 0
  if (ehPointerWidth(encoding) === 0 || !plain || (indirect && letter !== LETTER_P)) {
    const text = `pointer encoding 0x${encoding.toString(16)} for '${String.fromCharCode(letter)}' is not known`
    throw new FormatError('eh-frame-encoding', text, at)
  }
  return encoding
}

function readFde(frames: EhFrames, row: number, bytes: Uint8Array, from: number): void {
  const start = from + frames.at[row]
  const end = start + frames.size[row]
  const cie = frames.cie[row]
  const encoding = frames.functionEncoding[cie]
  const width = ehPointerWidth(encoding)
  let at = start + frames.cieAt[row] + 4
  requireRoom(at, width * 2, end)
  frames.functionEncoding[row] = encoding
  frames.lsdaEncoding[row] = frames.lsdaEncoding[cie]
  frames.personalityEncoding[row] = DW_EH_PE_omit
  frames.functionAt[row] = at - start
  frames.lengthAt[row] = at - start + width
  at += width * 2
  const lsdaWidth = ehPointerWidth(frames.lsdaEncoding[cie])
  if (lsdaWidth === 0) return
  const data = skipLeb(bytes, at, end)
  const length = readUleb(bytes, at, data)
  requireRoom(data, length, end)
  if (length === 0) return
  requireRoom(data, lsdaWidth, data + length)
  frames.lsdaAt[row] = data - start
}

function requireRoom(at: number, need: number, end: number): void {
  if (need > end - at) throw new FormatError('eh-frame-truncated', `expected ${need} bytes, got ${end - at}`, at)
}

function skipLeb(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) if (bytes[at++] < 128) return at
  throw new FormatError('eh-frame-truncated', 'expected the end of a leb128 number, got the end of the record', at)
}

/** Value of the number in [at, end), which skipLeb has found to be whole. */
function readUleb(bytes: Uint8Array, at: number, end: number): number {
  if (end - at > 10)
    throw new FormatError('eh-frame-length', `expected a leb128 number, got ${end - at} bytes of it`, at)
  let value = 0
  for (let scale = 1; at < end; at++, scale *= 128) value += (bytes[at] & 127) * scale
  return value
}
