// Instructions of the synthetic functions. A function keeps its checksum in one register (ebx, w19): each step adds a value
// that it reaches through a relocation and multiplies by 33.
import * as C from '../../src/formats/macho/constants.ts'
import type { Arch } from '../../src/types.ts'
import { type ObjectSection, R_EXTERN, R_PCREL, R_WORD, relocate } from './objectFile.ts'

const BRANCH = R_PCREL | R_WORD | R_EXTERN
const ABSOLUTE = R_WORD | R_EXTERN

/** `text` is __text; symbols are ids of the object. */
export interface Code {
  /** Frame and first value; what follows is skipped when the argument is 0. Returns the place of the branch. */
  begin(text: ObjectSection, value: number): number
  end(text: ObjectSection, branch: number): void
  call(text: ObjectSection, argument: number, symbol: number): void
  /** Calls through a pointer in __data. */
  callPointer(text: ObjectSection, argument: number, symbol: number): void
  /** Adds the word at symbol + addend. */
  load(text: ObjectSection, symbol: number, addend: number): void
  /** Adds the word that the symbol's GOT entry leads to. */
  loadFromGot(text: ObjectSection, symbol: number): void
  /** Adds the word that the pointer at the symbol leads to. */
  loadThrough(text: ObjectSection, symbol: number): void
  /** Adds the first four characters; `target` as `stringTarget` says. */
  loadString(text: ObjectSection, target: number): void
  /** A frameless function that returns `value` and the first four characters of a string. */
  leaf(text: ObjectSection, value: number, target: number): void
  /** Compact unwind encodings (compact_unwind_encoding.h) of the two kinds of functions. */
  frameEncoding: number
  leafEncoding: number
  /** clang names strings by a linker-private symbol on arm64, by section and offset on x86_64. */
  stringTarget: 'symbol' | 'offset'
}

/** Number of __cstring in every object that has code; x86_64 refers to it. */
export const CSTRING_SECTION = 3

function put(text: ObjectSection, ...bytes: number[]): void {
  for (const byte of bytes) text.bytes.u8(byte)
}

const addEax = [0x01, 0xc3]
const addAtRax = [0x03, 0x18]

function times33x86(text: ObjectSection): void {
  put(text, 0x6b, 0xdb, 33)
}

function displacement(text: ObjectSection, symbol: number, type: number, addend = 0): void {
  relocate(text, symbol, BRANCH, type)
  text.bytes.u32(addend)
}

function stringAddress(text: ObjectSection, register: number, offset: number): void {
  put(text, 0x48, 0x8d, register)
  relocate(text, CSTRING_SECTION, R_PCREL | R_WORD, C.X86_64_RELOC_SIGNED)
  text.bytes.u32(offset)
}

function argument86(text: ObjectSection, argument: number): void {
  if (argument === 0) return put(text, 0x31, 0xff)
  put(text, 0xbf)
  text.bytes.u32(argument)
}

const x86_64: Code = {
  frameEncoding: 0x01010001,
  leafEncoding: 0x02010000,
  stringTarget: 'offset',
  begin(text, value) {
    put(text, 0x55, 0x48, 0x89, 0xe5, 0x53, 0x50, 0xbb)
    text.bytes.u32(value)
    put(text, 0x85, 0xff, 0x0f, 0x84)
    text.bytes.u32(0)
    return text.bytes.length
  },
  end(text, branch) {
    new DataView(text.bytes.bytes.buffer).setUint32(branch - 4, text.bytes.length - branch, true)
    put(text, 0x89, 0xd8, 0x48, 0x83, 0xc4, 0x08, 0x5b, 0x5d, 0xc3)
  },
  call(text, argument, symbol) {
    argument86(text, argument)
    put(text, 0xe8)
    displacement(text, symbol, C.X86_64_RELOC_BRANCH)
    put(text, ...addEax)
    times33x86(text)
  },
  callPointer(text, argument, symbol) {
    argument86(text, argument)
    put(text, 0xff, 0x15)
    displacement(text, symbol, C.X86_64_RELOC_SIGNED)
    put(text, ...addEax)
    times33x86(text)
  },
  load(text, symbol, addend) {
    put(text, 0x03, 0x1d)
    displacement(text, symbol, C.X86_64_RELOC_SIGNED, addend)
    times33x86(text)
  },
  loadFromGot(text, symbol) {
    put(text, 0x48, 0x8b, 0x05)
    displacement(text, symbol, C.X86_64_RELOC_GOT_LOAD)
    put(text, ...addAtRax)
    times33x86(text)
  },
  loadThrough(text, symbol) {
    put(text, 0x48, 0x8b, 0x05)
    displacement(text, symbol, C.X86_64_RELOC_SIGNED)
    put(text, ...addAtRax)
    times33x86(text)
  },
  loadString(text, offset) {
    stringAddress(text, 0x05, offset)
    put(text, ...addAtRax)
    times33x86(text)
  },
  leaf(text, value, offset) {
    put(text, 0xb8)
    text.bytes.u32(value)
    stringAddress(text, 0x0d, offset)
    put(text, 0x03, 0x01, 0xc3)
  },
}

const ADRP_X8 = 0x90000008
const ADD_X8_X8 = 0x91000108
const LDR_X8_X8 = 0xf9400108
const LDR_W8_X8 = 0xb9400108
const BLR_X8 = 0xd63f0100
const BL = 0x94000000
const ADD_W19_W19_W8 = 0x0b080273
const ADD_W19_W19_W0 = 0x0b000273
const ADD_W19_W19_W19_LSL_5 = 0x0b131673
const ADD_W0_W0_W8 = 0x0b080000
const CBZ_W0 = 0x34000000
const RET = 0xd65f03c0

function insn(text: ObjectSection, ...words: number[]): void {
  for (const word of words) text.bytes.u32(word)
}

/** movz and movk. */
function constant(text: ObjectSection, register: number, value: number): void {
  insn(text, 0x52800000 | ((value & 0xffff) << 5) | register, 0x72a00000 | ((value >>> 16) << 5) | register)
}

function page(text: ObjectSection, symbol: number, low: number, type: number, addend = 0): void {
  relocate(text, symbol, BRANCH, type, addend)
  insn(text, ADRP_X8)
  relocate(text, symbol, ABSOLUTE, type + 1, addend)
  insn(text, low)
}

function addLoaded(text: ObjectSection): void {
  insn(text, ADD_W19_W19_W8, ADD_W19_W19_W19_LSL_5)
}

const arm64: Code = {
  frameEncoding: 0x04000001,
  leafEncoding: 0x02000000,
  stringTarget: 'symbol',
  begin(text, value) {
    // stp x20, x19, [sp, #-32]!; stp x29, x30, [sp, #16]; add x29, sp, #16
    insn(text, 0xa9be4ff4, 0xa9017bfd, 0x910043fd)
    constant(text, 19, value)
    insn(text, CBZ_W0)
    return text.bytes.length - 4
  },
  end(text, branch) {
    const distance = (text.bytes.length - branch) / 4
    new DataView(text.bytes.bytes.buffer).setUint32(branch, CBZ_W0 | (distance << 5), true)
    // mov w0, w19; ldp x29, x30, [sp, #16]; ldp x20, x19, [sp], #32
    insn(text, 0x2a1303e0, 0xa9417bfd, 0xa8c24ff4, RET)
  },
  call(text, argument, symbol) {
    insn(text, 0x52800000 | (argument << 5))
    relocate(text, symbol, BRANCH, C.ARM64_RELOC_BRANCH26)
    insn(text, BL, ADD_W19_W19_W0, ADD_W19_W19_W19_LSL_5)
  },
  callPointer(text, argument, symbol) {
    page(text, symbol, LDR_X8_X8, C.ARM64_RELOC_PAGE21)
    insn(text, 0x52800000 | (argument << 5), BLR_X8, ADD_W19_W19_W0, ADD_W19_W19_W19_LSL_5)
  },
  load(text, symbol, addend) {
    page(text, symbol, LDR_W8_X8, C.ARM64_RELOC_PAGE21, addend)
    addLoaded(text)
  },
  loadFromGot(text, symbol) {
    page(text, symbol, LDR_X8_X8, C.ARM64_RELOC_GOT_LOAD_PAGE21)
    insn(text, LDR_W8_X8)
    addLoaded(text)
  },
  loadThrough(text, symbol) {
    page(text, symbol, LDR_X8_X8, C.ARM64_RELOC_PAGE21)
    insn(text, LDR_W8_X8)
    addLoaded(text)
  },
  loadString(text, symbol) {
    page(text, symbol, ADD_X8_X8, C.ARM64_RELOC_PAGE21)
    insn(text, LDR_W8_X8)
    addLoaded(text)
  },
  leaf(text, value, symbol) {
    constant(text, 0, value)
    page(text, symbol, ADD_X8_X8, C.ARM64_RELOC_PAGE21)
    insn(text, LDR_W8_X8, ADD_W0_W0_W8, RET)
  },
}

export function codeFor(arch: Arch): Code {
  return arch === 'arm64' ? arm64 : x86_64
}
