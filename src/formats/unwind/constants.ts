// Numbers of <mach-o/compact_unwind_encoding.h>, spelled as Apple spells them, and the layout of __TEXT,__unwind_info.
import type { Arch } from '../../types.ts'

export const UNWIND_SECTION_VERSION = 1
export const UNWIND_SECOND_LEVEL_REGULAR = 2
export const UNWIND_SECOND_LEVEL_COMPRESSED = 3

// Bits of an encoding that do not depend on the architecture.
export const UNWIND_IS_NOT_FUNCTION_START = 0x80000000
export const UNWIND_HAS_LSDA = 0x40000000
export const UNWIND_PERSONALITY_MASK = 0x30000000
export const UNWIND_PERSONALITY_SHIFT = 28
/** A personality is a 2-bit index counted from 1. */
export const UNWIND_PERSONALITIES_MAX = 3

export const UNWIND_X86_64_MODE_MASK = 0x0f000000
export const UNWIND_X86_64_MODE_RBP_FRAME = 0x01000000
export const UNWIND_X86_64_MODE_STACK_IMMD = 0x02000000
export const UNWIND_X86_64_MODE_STACK_IND = 0x03000000
export const UNWIND_X86_64_MODE_DWARF = 0x04000000
export const UNWIND_X86_64_DWARF_SECTION_OFFSET = 0x00ffffff
export const UNWIND_ARM64_MODE_MASK = 0x0f000000
export const UNWIND_ARM64_MODE_FRAMELESS = 0x02000000
export const UNWIND_ARM64_MODE_DWARF = 0x03000000
export const UNWIND_ARM64_MODE_FRAME = 0x04000000
export const UNWIND_ARM64_DWARF_SECTION_OFFSET = 0x00ffffff

// unwind_info_section_header: version, then (section offset, count) of common encodings, personalities and index.
//   0 version | 4 commonEncodingsArraySectionOffset | 8 commonEncodingsArrayCount
//   12 personalityArraySectionOffset | 16 personalityArrayCount | 20 indexSectionOffset | 24 indexCount
export const UNWIND_HEADER_SIZE = 28
// Index entry: 0 functionOffset | 4 secondLevelPagesSectionOffset | 8 lsdaIndexArraySectionOffset
// The last one is a sentinel: functionOffset is the end of the covered range, the page offset is 0.
export const UNWIND_INDEX_ENTRY_SIZE = 12
// LSDA index entry: 0 functionOffset | 4 lsdaOffset
export const UNWIND_LSDA_ENTRY_SIZE = 8
export const UNWIND_PAGE_SIZE = 4096
// Regular page: 0 kind | 4 entryPageOffset:16 | 6 entryCount:16; entry: 0 functionOffset | 4 encoding
export const UNWIND_REGULAR_HEADER_SIZE = 8
export const UNWIND_REGULAR_ENTRY_SIZE = 8
export const UNWIND_REGULAR_ENTRIES_MAX = (UNWIND_PAGE_SIZE - UNWIND_REGULAR_HEADER_SIZE) / UNWIND_REGULAR_ENTRY_SIZE
// Compressed page: 0 kind | 4 entryPageOffset:16 | 6 entryCount:16 | 8 encodingsPageOffset:16 | 10 encodingsCount:16
// entry: encodingIndex:8 << 24 | offset from the page's first function:24
export const UNWIND_COMPRESSED_HEADER_SIZE = 12
export const UNWIND_COMPRESSED_WORDS = (UNWIND_PAGE_SIZE - UNWIND_COMPRESSED_HEADER_SIZE) / 4
export const UNWIND_COMPRESSED_OFFSET_MASK = 0x00ffffff
/** Indexes below the number of common encodings name those; the others, up to 255, the page's own. */
export const UNWIND_COMMON_ENCODINGS_MAX = 127
export const UNWIND_PAGE_ENCODINGS_MAX = 256

/** Whether neighbours with this encoding may share one entry (`STACK_IND` reads the size from the function's own code). */
export function foldsEncoding(arch: Arch, encoding: number): boolean {
  return arch !== 'x86_64' || (encoding & UNWIND_X86_64_MODE_MASK) !== UNWIND_X86_64_MODE_STACK_IND
}
