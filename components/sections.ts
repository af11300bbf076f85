// Sections of input objects. A file's sections are one contiguous range, in the order of its headers.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

/** What the linker does with a section's contents. */
export const CONTENT_REGULAR = 0
export const CONTENT_ZEROFILL = 1
/** Literals, one block each, folded by content. */
export const CONTENT_CSTRING = 2
export const CONTENT_LITERAL = 3
/** `__LD,__compact_unwind`: read by the unwind system, not copied. */
export const CONTENT_COMPACT_UNWIND = 4
/** `__TEXT,__eh_frame`: a block a record. */
export const CONTENT_EH_FRAME = 5
/** DWARF, `__LLVM`, addrsig, cg profile: not copied. */
export const CONTENT_DROPPED = 6
/** `__DATA,__objc_imageinfo`: folded into one. */
export const CONTENT_IMAGE_INFO = 7
/** Records of a fixed size that hold references (`__cfstring`): a block each. */
export const CONTENT_RECORDS = 8
/** `__mod_init_func` that becomes `__init_offsets`. */
export const CONTENT_INIT_POINTERS = 9

/** Relocation records by address; 0 where a section has none. */
export const ORDER_ASCENDING = 1
export const ORDER_DESCENDING = 2

export function createSections(rows: number, shared: boolean) {
  /** `type` is the whole flags word of section_64; `address` is that of the input file. */
  const Header = columns(
    rows,
    { file: 'u32', address: 'f64', size: 'f64', flags: 'u32', alignPow2: 'u8', content: 'u8', name: 'u32' },
    shared,
  )
  /** Byte position of the contents in the file's arena; 0 for zero-fill. */
  const Bytes = columns(rows, { position: 'u32' }, shared)
  /** Byte position and count of relocation_info records. `sorted`: 1 ascending, 2 descending. */
  const Relocations = columns(rows, { position: 'u32', count: 'u32', order: 'u8' }, shared)
  /** Its blocks, ascending by input offset, and the output section they go to. */
  const Blocks = columns(rows, { first: 'u32', count: 'u32', output: 'u32' }, shared)
  /** Rebases and binds of its live blocks, at most. */
  const Fixups = columns(rows, { rebases: 'u32', binds: 'u32' }, shared)
  const components = { Header, Bytes, Relocations, Blocks, Fixups }
  return { world: createKind(components, { reserve: rows }), count: 0, ...components }
}

export type Sections = ReturnType<typeof createSections>
