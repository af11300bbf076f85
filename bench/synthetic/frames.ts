// Unwind information of the synthetic functions: __compact_unwind, and on x86_64 the __eh_frame that clang writes beside it.
import * as C from '../../src/formats/macho/constants.ts'
import { addSection, type ObjectFile, R_QUAD, relocate } from './objectFile.ts'

const COMPACT_UNWIND = 4
const EH_FRAME = 5
const TEXT = 1

// DWARF: length | id | version 1, "zR" | code align 1 | data align -8 | return register 16 | augmentation: 1 byte, pcrel | cfa rsp+8, rip at cfa-8
// biome-ignore format: a table
const CIE = [0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0x7a, 0x52, 0, 1, 0x78, 0x10, 1, 0x10, 0x0c, 7, 8, 0x90, 1, 0, 0]
/** Length of the rest, then offset of the CIE, start, length of the function. */
const FDE_LENGTH = 0x24
// push rbp; mov rbp, rsp; push rbx
const FRAME_RULES = [0x41, 0x0e, 0x10, 0x86, 2, 0x43, 0x0d, 6, 0x41, 0x83, 3]
const RULES_SIZE = 15

/** Adds the sections; they are the fifth and sixth. */
export function unwindSections(object: ObjectFile): void {
  addSection(object, '__LD', '__compact_unwind', C.S_ATTR_DEBUG, 3)
  if (object.arch === 'arm64') return
  const flags = C.S_COALESCED + C.S_ATTR_NO_TOC + C.S_ATTR_STRIP_STATIC_SYMS + C.S_ATTR_LIVE_SUPPORT
  const frames = addSection(object, '__TEXT', '__eh_frame', flags, 3)
  for (const byte of CIE) frames.bytes.u8(byte)
}

// __compact_unwind entry: function:64 length:32 encoding:32 personality:64 lsda:64
export function unwindFunction(object: ObjectFile, start: number, length: number, encoding: number): void {
  const compact = object.sections[COMPACT_UNWIND]
  relocate(compact, TEXT, R_QUAD, C.X86_64_RELOC_UNSIGNED)
  compact.bytes.u64(start)
  compact.bytes.u32(length)
  compact.bytes.u32(encoding)
  compact.bytes.u64(0)
  compact.bytes.u64(0)
  if (object.arch === 'x86_64') addFrame(object, start, length, (encoding & 0x0f000000) === 0x01000000)
}

function addFrame(object: ObjectFile, start: number, length: number, framed: boolean): void {
  const { bytes, selfRelative } = object.sections[EH_FRAME]
  bytes.u32(FDE_LENGTH)
  bytes.u32(bytes.length)
  selfRelative.push(bytes.length)
  bytes.u64(start)
  bytes.u64(length)
  bytes.u8(0)
  for (let i = 0; i < RULES_SIZE; i++) bytes.u8(framed ? (FRAME_RULES[i] ?? 0) : 0)
}
