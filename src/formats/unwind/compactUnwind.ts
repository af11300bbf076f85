// Layout of an entry of an object's __LD,__compact_unwind (<mach-o/compact_unwind_encoding.h>, 64-bit form). The pointers
// carry relocations; `encoding` has the mode and UNWIND_HAS_LSDA, never a personality index.
//   0 codeStart:8 | 8 codeLen:4 | 12 compactUnwindEncoding:4 | 16 personality:8 | 24 lsda:8
export const COMPACT_UNWIND_ENTRY_SIZE = 32
export const COMPACT_UNWIND_FUNCTION = 0
export const COMPACT_UNWIND_LENGTH = 8
export const COMPACT_UNWIND_ENCODING = 12
export const COMPACT_UNWIND_PERSONALITY = 16
export const COMPACT_UNWIND_LSDA = 24
