// An image that was linked before it is edited: it stays where it is, and what edits bring stands behind it, in segments of their own
// in front of __LINKEDIT, which is made anew. Its symbols are blocks with one range of ids, in the order of its symbol table.
import { EDIT_EXPORTED, EDIT_HIDDEN } from '../../../components/edits.ts'
import type { ChainedFixups } from '../../formats/dyld/chainedFixups.ts'
import type { BindRows } from '../../formats/dyld/bind.ts'
import {
  BIND_SPECIAL_DYLIB_WEAK_LOOKUP,
  NLIST_SIZE,
  S_THREAD_LOCAL_VARIABLES,
  SECTION_TYPE,
} from '../../formats/macho/constants.ts'
import { UNWIND_HEADER_SIZE, UNWIND_INDEX_ENTRY_SIZE } from '../../formats/unwind/constants.ts'
import type { Image, ImageSection } from '../../formats/macho/image.ts'
import type { State } from '../state.ts'
import { isSameString } from '../strings.ts'
import type { OpenOptions } from '../types.ts'

/** Offset of n_sect in struct nlist_64. */
const NLIST_SECTION = 5
/** Of `Base.exportFlags`: not in the export trie. */
export const NOT_EXPORTED = 0xff

/** Names in dyld's tables are rows of the image's strings. */
export interface Base {
  image: Image
  /** Its header and load commands, with the bytes behind them that they may grow into. */
  header: Uint8Array
  /** Where its segments end, in the file and in memory. */
  end: number
  addressEnd: number
  /** Place in the file of its first segment that dyld writes to. */
  dataStart: number
  /** Segments in front of __LINKEDIT; the block of an address in segment i is in output `firstOutput + i`. */
  segments: number
  firstOutput: number
  /** Ids of the blocks: `firstBlock` and `count - 1` more. By their order the rows of the symbol table, 16 bytes each. */
  firstBlock: number
  count: number
  rows: Uint8Array
  /** By the same order: the block that has taken a function's place, and the flags in the export trie. */
  bodies: Uint32Array
  exportFlags: Uint8Array
  /** Addresses where something begins or ends, ascending; null until it is asked for. */
  bounds: Float64Array | null
  /**
   * Entries of the export trie that do not follow from a symbol: resolved functions, absolute values, re-exports. `owners`: the block of
   * that name, with which an entry goes, or 0.
   */
  exports: {
    owners: number[]
    strings: number[]
    flags: number[]
    addresses: number[]
    others: number[]
    importStrings: number[]
  }
  /** What each entry of its indirect table leads to, as a block or TARGET_IMPORT | import, else 0; and the entry as it was. */
  indirect: { owners: Uint32Array; words: Uint32Array }
  /** Rows of dyld's table of imports, in images with chains. */
  imports: Omit<ChainedFixups['imports'], 'names'> & { names: Uint32Array }
  binds: BindRows
  weakBinds: BindRows
  /** Strings of strong definitions that override weak ones. */
  overrides: Uint32Array
  /** Tables that stay as they are. */
  lazyBind: Uint8Array
  functionStarts: Uint8Array
  dataInCode: Uint8Array
  /** The file as it was given, the bytes that were put in front of it, and the options it was opened with. */
  source: Uint8Array
  room: number
  /** Bytes that were put behind its segments for what is zero by its section. */
  zeros: number
  options: OpenOptions
  /** Names, EDIT_* and flags in the export trie of its blocks, and flags of its imports, before the first edit. */
  original: { strings: Uint32Array; flags: Uint16Array; exportFlags: Uint8Array; importFlags: Uint8Array }
  /** Its binds before the first edit. */
  allBinds: BindRows
  allWeakBinds: BindRows
  /** Its unwind information and room in front of the code for what edits add to it; null where they bring none. */
  unwind: LinkedUnwind | null
  /** The name in its signature. */
  identifier: string | null
  libraries: number
  /** Contents of functions and variables before the first edit, to be put back. */
  saved: Map<number, Saved>
}

/** Words are those of the table's header; `personalities` and the last entry of the index count from the image base. */
export interface LinkedUnwind {
  /** Where the section's header is among the load commands; where the new table goes in the file, and its room. */
  headerAt: number
  offset: number
  room: number
  table: Uint8Array
  commons: number
  commonCount: number
  personalities: number[]
  index: number
  /** Of the index, without the last. */
  pages: number
  /** From where on it says nothing. */
  codeEnd: number
  lsdas: number
  lsdaCount: number
}

export interface Saved {
  bytes: Uint8Array
  /** Of a variable, by 4 bytes: kinds of pointers. */
  kinds: Uint8Array | null
}

/** Of a table without entries: header, and the index with its end. */
export const EMPTY_UNWIND_SIZE = UNWIND_HEADER_SIZE + UNWIND_INDEX_ENTRY_SIZE

/** Where dyld looks for unwind information. */
export function unwindSectionOf({ sections }: Image): ImageSection | null {
  return (
    sections.find(({ segment, name, size }) => segment === '__TEXT' && name === '__unwind_info' && size > 0) ?? null
  )
}

/** Whether the block is one of the file that was opened. */
export function isLinked({ base }: State, block: number): boolean {
  return base !== null && block >= base.firstBlock && block < base.firstBlock + base.count
}

/** Of a block of the file. */
export function addressOfLinked(state: State, block: number): number {
  const { section, offset } = state.blocks.Place
  return state.outputs.Extent.address[section[block]] + offset[block]
}

/** Whether its symbol is the descriptor of a thread-local variable. */
export function isLinkedVariable(state: State, block: number): boolean {
  if (!isLinked(state, block)) return false
  const section = sectionOf(state, state.base!, block)
  return section !== null && (section.flags & SECTION_TYPE) === S_THREAD_LOCAL_VARIABLES
}

/** The section of the block's symbol, if it has bytes there: behind its end another may begin. */
export function sectionOf(state: State, { image, rows, firstBlock }: Base, block: number): ImageSection | null {
  const section = image.sections[rows[(block - firstBlock) * NLIST_SIZE + NLIST_SECTION] - 1]
  const distance = section === undefined ? -1 : addressOfLinked(state, block) - section.address
  return distance >= 0 && distance < section.size ? section : null
}

/** Whether the file has binds to the block's name of which dyld takes the one definition for all images. */
export function isBoundByName(state: State, block: number): boolean {
  const { imports, allWeakBinds, original, firstBlock } = state.base!
  if ((original.flags[block - firstBlock] & (EDIT_EXPORTED | EDIT_HIDDEN)) !== EDIT_EXPORTED) return false
  const string = state.blocks.Entry.string[block]
  for (let i = 0; i < imports.count; i++)
    if (imports.ordinals[i] === BIND_SPECIAL_DYLIB_WEAK_LOOKUP && isSameString(state, imports.names[i], string))
      return true
  for (let i = 0; i < allWeakBinds.count; i++) if (isSameString(state, allWeakBinds.names[i], string)) return true
  return false
}
