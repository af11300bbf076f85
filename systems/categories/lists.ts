// The five lists of a category, and where a class has the same: instance methods, class methods, protocols, instance properties, class
// properties. Each is a header and then pointers.
import { BLOCK_COALESCED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { readU32 } from '../../src/core/bytes.ts'
import {
  CATEGORY_CLASS_METHODS,
  CATEGORY_CLASS_PROPERTIES,
  CATEGORY_INSTANCE_METHODS,
  CATEGORY_INSTANCE_PROPERTIES,
  CATEGORY_PROTOCOLS,
  PROPERTY_SIZE,
  PROTOCOL_SIZE,
  READ_ONLY_METHODS,
  READ_ONLY_PROPERTIES,
  READ_ONLY_PROTOCOLS,
} from '../kernels/classFormat.ts'
import { METHOD_SIZE, METHODS_HEADER } from '../kernels/methodFormat.ts'
import { methodRecord } from '../kernels/methodRecords.ts'
import { arenaOfBlock, blockBytes, createPointee, type Pointee, readPointee, recordAt } from '../kernels/pointee.ts'
import { enterSection, type Site } from '../kernels/references.ts'

export const LISTS = 5
export const PROTOCOLS = 2
/** Bytes of the null at the end of a list of protocols. */
export const PROTOCOL_NULL = 8
/** Of each list: its field in a category, that in class_ro_t, and whether the latter is the metaclass's. */
export const CATEGORY_FIELDS: readonly number[] = [
  CATEGORY_INSTANCE_METHODS,
  CATEGORY_CLASS_METHODS,
  CATEGORY_PROTOCOLS,
  CATEGORY_INSTANCE_PROPERTIES,
  CATEGORY_CLASS_PROPERTIES,
]
export const CLASS_FIELDS: readonly number[] = [
  READ_ONLY_METHODS,
  READ_ONLY_METHODS,
  READ_ONLY_PROTOCOLS,
  READ_ONLY_PROPERTIES,
  READ_ONLY_PROPERTIES,
]
export const IS_META: readonly boolean[] = [false, true, false, false, true]
export const ENTRY_SIZES: readonly number[] = [METHOD_SIZE, METHOD_SIZE, PROTOCOL_SIZE, PROPERTY_SIZE, PROPERTY_SIZE]
/** How ld64.lld names merged ones; relative method lists go by these names too. */
export const LIST_NAMES: readonly string[] = [
  '__OBJC_$_INSTANCE_METHODS_',
  '__OBJC_$_CATEGORY_CLASS_METHODS_',
  '__OBJC_CATEGORY_PROTOCOLS_$_',
  '__OBJC_$_PROP_LIST_',
  '__OBJC_$_CLASS_PROP_LIST_',
]
/** Of all lists: entry size and count of methods and properties, a u64 count of protocols. */
export const LIST_HEADER = METHODS_HEADER

export const FIELD_EMPTY = 0
export const FIELD_POINTER = 1
/** Something else than a pointer to a place in this image or to another image. */
export const FIELD_STRANGE = 2

/** Reads the field `offset` bytes into `block`, which must lie in it. */
export function readField(link: Link, site: Site, block: number, offset: number, into: Pointee): number {
  const record = recordAt(link, site, block, offset)
  if (record < 0) return FIELD_EMPTY
  if (!readPointee(link, site, record, into)) return FIELD_STRANGE
  const { flags } = link.blocks.Extent
  if (into.block !== 0 && flags[into.block] & BLOCK_COALESCED) into.block = link.blocks.Placement.leader[into.block]
  return FIELD_POINTER
}

/** How many pointers the list has that `block` is; -1 where the block is not just a list of that kind. */
export function pointersIn(link: Link, site: Site, block: number, list: number): number {
  const { Extent, Relocations } = link.blocks
  const position = blockBytes(link, block, 0)
  if (position < 0 || Extent.size[block] < LIST_HEADER || !(Extent.flags[block] & BLOCK_LIVE)) return -1
  const { bytes } = link.arenas.list[arenaOfBlock(link, block)]
  const [low, high] = [readU32(bytes, position), readU32(bytes, position + 4)]
  const isProtocols = list === PROTOCOLS
  if (isProtocols ? high !== 0 : low !== ENTRY_SIZES[list]) return -1
  const size = LIST_HEADER + (isProtocols ? low : high) * ENTRY_SIZES[list]
  const end = Extent.size[block]
  if (end !== size && !(isProtocols && end === size + PROTOCOL_NULL)) return -1
  const count = (size - LIST_HEADER) / 8
  return Relocations.count[block] === count && arePointers(link, site, block, LIST_HEADER, count) ? count : -1
}

/** Whether the block's records are plain pointers side by side, `from` bytes into it. */
export function arePointers(link: Link, site: Site, block: number, from: number, count: number): boolean {
  const to = createPointee()
  const { section, offset } = link.blocks.Extent
  enterSection(site, link, section[block])
  for (let slot = 0; slot < count; slot++) {
    const record = methodRecord(link, site, block, slot)
    if (site.words[site.records + record * 2] !== offset[block] + from + slot * 8) return false
    if (!readPointee(link, site, record, to)) return false
  }
  return true
}
