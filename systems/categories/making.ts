// A section of the linker's own that is filled from front to back with blocks that hold pointers: bytes, and a relocation record a pointer,
// both in the internal arena.
import { BLOCK_KEPT, BLOCK_LIVE } from '../../components/blocks.ts'
import {
  addInternalBlock,
  addInternalSection,
  addInternalSymbol,
  internalBytes,
  nameOf,
} from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { CONTENT_REGULAR, ORDER_ASCENDING } from '../../components/sections.ts'
import {
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_OMITTED,
  SYMBOL_SYNTHETIC,
  TARGET_IMPORT,
} from '../../components/symbols.ts'
import { R_UNSIGNED } from '../../src/arch/arch.ts'
import { writeU32 } from '../../src/core/bytes.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { type Pointee, readPointee } from '../kernels/pointee.ts'
import type { Site } from '../kernels/references.ts'

/** r_extern and r_length of a relocation record's last byte. */
const EXTERN_8_BYTES = 0x8 | (3 << 1)
/** Blocks hold pointers. */
const ALIGN_POW2 = 3

export interface Making {
  section: number
  /** Byte positions in the internal arena: where the contents begin, the next byte, where the records begin. */
  from: number
  at: number
  records: number
  /** Records so far, and before the block at hand. */
  count: number
  begun: number
  /** The last byte of a record of a pointer. */
  form: number
  /** The next row for what a pointer leads to. */
  label: number
}

/** Room for `bytes` and `pointers` in a new section; `label` is the first of the rows for what those lead to. */
export function beginSection(
  link: Link,
  segment: string,
  name: string,
  flags: number,
  bytes: number,
  pointers: number,
  label: number,
): Making {
  const section = addInternalSection(link, segment, name, flags, ALIGN_POW2, CONTENT_REGULAR)
  const from = internalBytes(link, bytes, 2 ** ALIGN_POW2)
  const records = internalBytes(link, pointers * macho.RELOCATION_SIZE, 8)
  link.sections.Relocations.position[section] = records
  link.sections.Relocations.order[section] = ORDER_ASCENDING
  const type = link.arch.attributes.findIndex((is) => (is & R_UNSIGNED) !== 0)
  const form = (type << 4) | EXTERN_8_BYTES
  return { section, form, from, at: from, records, count: 0, begun: 0, label }
}

/** The block of all since `start`. */
export function endBlock(link: Link, making: Making, start: number): number {
  const { section, at, count, begun } = making
  const block = addInternalBlock(link, section, at - start, ALIGN_POW2, BLOCK_KEPT | BLOCK_LIVE, start)
  link.blocks.Relocations.first[block] = begun
  link.blocks.Relocations.count[block] = count - begun
  link.sections.Relocations.count[section] = making.begun = count
  return block
}

/** A symbol that is local to the image, and begins a block that is still to be made. */
export function addLocal(link: Link, text: string): number {
  const symbol = addInternalSymbol(link, nameOf(link, text), 0, 0, 0)
  link.symbols.Definition.flags[symbol] &= ~SYMBOL_EXTERNAL
  return symbol
}

/** A pointer to a row of the internal file. */
export function putPointer(link: Link, making: Making, symbol: number): void {
  const word = (making.form << 24) | (symbol - link.files.Ranges.symbol[link.internal.file])
  const { bytes } = link.arenas.list[link.internal.arena]
  const record = making.records + making.count++ * macho.RELOCATION_SIZE
  writeU32(bytes, record, making.at - making.from)
  writeU32(bytes, record + 4, word >>> 0)
  making.at += 8
}

/** A pointer to `offset` bytes into a block, or before it: the addend says it, as the offset of a symbol cannot be less than 0. */
export function putPlace(link: Link, making: Making, block: number, offset: number): void {
  const { Definition, Reference } = link.symbols
  const { bytes } = link.arenas.list[link.internal.arena]
  const label = making.label++
  writeU32(bytes, making.at, offset >>> 0)
  writeU32(bytes, making.at + 4, Math.floor(offset / 4294967296) >>> 0)
  Definition.block[label] = block
  Definition.flags[label] = SYMBOL_DEFINED | SYMBOL_OMITTED | SYMBOL_SYNTHETIC
  Reference.target[label] = label
  putPointer(link, making, label)
}

/** A pointer to what another image has, or dyld may replace. */
export function putImport(link: Link, making: Making, made: number): void {
  const { Definition, Reference } = link.symbols
  const label = making.label++
  Definition.name[label] = link.imports.Library.name[made]
  Definition.flags[label] = SYMBOL_EXTERNAL
  Reference.target[label] = (TARGET_IMPORT | made) >>> 0
  putPointer(link, making, label)
}

/** The same pointer as that of record `record` of the entered section. */
export function copyPointer(link: Link, making: Making, site: Site, record: number, to: Pointee): void {
  readPointee(link, site, record, to)
  if (to.made === 0) return putPlace(link, making, to.block, to.offset)
  // The addend: a place is exact already.
  copyBytes(link, making, site, site.words[site.records + record * 2], 8)
  making.at -= 8
  putImport(link, making, to.made)
}

/** Bytes of the entered section from `offset` on. */
export function copyBytes(link: Link, making: Making, site: Site, offset: number, size: number): void {
  const from = site.contents + offset
  link.arenas.list[link.internal.arena].bytes.set(site.bytes.subarray(from, from + size), making.at)
  making.at += size
}

/** A word of 32 bits. */
export function putWord(link: Link, making: Making, value: number): void {
  writeU32(link.arenas.list[link.internal.arena].bytes, making.at, value)
  making.at += 4
}
