// __unwind_info: a regular page for each leaf, then the index, then language-specific data. Only what differs is written.
import {
  UNWIND_HAS_LSDA,
  UNWIND_HEADER_SIZE,
  UNWIND_INDEX_ENTRY_SIZE,
  UNWIND_LSDA_ENTRY_SIZE,
  UNWIND_PAGE_SIZE,
  UNWIND_REGULAR_ENTRY_SIZE,
  UNWIND_REGULAR_HEADER_SIZE,
  UNWIND_SECOND_LEVEL_REGULAR,
  UNWIND_SECTION_VERSION,
} from '../formats/unwind/constants.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { readU32, writeU16, writeU32 } from '../core/bytes.ts'
import { sameBytes } from '../core/hash.ts'
import { blockAddress, definitionOf, gotAddress, gotOf, symbolAddress } from './entries.ts'
import type { LinkedUnwind } from './linked/base.ts'
import { usedSize } from './space.ts'
import { markPages, type State, UNWIND_LSDA } from './state.ts'
import {
  indexCount,
  indexStart,
  pagesStart,
  type Unwind,
  UNWIND_END_PAGE_SIZE,
  UNWIND_PAGES_START,
  unwindSize,
} from './unwindLeaves.ts'

/** Bytes that are compared, and written, at once. */
const PIECE = 4096

export function writeUnwind(state: State): void {
  const { unwind } = state
  if (unwind === null) return
  const { Leaf } = unwind.leaves
  if (state.relocated) for (let leaf = unwind.first; leaf !== 0; leaf = Leaf.next[leaf]) writeLeaf(state, unwind, leaf)
  else for (const leaf of unwind.dirty) if (Leaf.count[leaf] > 0) writeLeaf(state, unwind, leaf)
  if (!state.relocated && unwind.dirty.length === 0) return
  for (const leaf of unwind.dirty) Leaf.dirty[leaf] = 0
  unwind.dirty.length = 0
  writeHead(state, unwind)
  writeIndex(state, unwind)
}

function startOf({ outputs, sections }: State): number {
  return outputs.Extent.fileOffset[sections.unwind]
}

function put(state: State, at: number, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length; from += PIECE) {
    const to = Math.min(bytes.length, from + PIECE)
    if (sameBytes(state.bytes, at + from, bytes, from, to - from)) continue
    state.bytes.set(bytes.subarray(from, to), at + from)
    markPages(state, at + from, at + to)
  }
}

function writeLeaf(state: State, unwind: Unwind, leaf: number): void {
  const { Leaf } = unwind.leaves
  const { unwind: encodings } = state.blocks.Entry
  const { next } = state.blocks.Neighbour
  const base = state.settings.imageBase
  const page = new Uint8Array(UNWIND_PAGE_SIZE)
  const lsdas: number[] = []
  const count = Leaf.count[leaf]
  writeU32(page, 0, UNWIND_SECOND_LEVEL_REGULAR)
  writeU16(page, 4, UNWIND_REGULAR_HEADER_SIZE)
  writeU16(page, 6, count)
  let at = UNWIND_REGULAR_HEADER_SIZE
  for (let i = 0, block = Leaf.first[leaf]; i < count; i++, block = next[block], at += UNWIND_REGULAR_ENTRY_SIZE) {
    const start = blockAddress(state, block) - base
    writeU32(page, at, start)
    writeU32(page, at + 4, encodings[block])
    if (encodings[block] & UNWIND_HAS_LSDA) lsdas.push(start, lsdaOf(state, block) - base)
  }
  unwind.lsdas[leaf] = Uint32Array.from(lsdas)
  put(state, startOf(state) + pagesStart(unwind) + (leaf - 1) * UNWIND_PAGE_SIZE, page)
}

function lsdaOf(state: State, block: number): number {
  const { Site, Chain } = state.references
  let reference = state.blocks.Links.references[block]
  while (Site.type[reference] !== UNWIND_LSDA) reference = Chain.next[reference]
  const definition = definitionOf(state, Site.target[reference])
  const own = definition & TARGET_IMPORT ? state.imports.Library.symbol[definition & 0x7fffffff] : definition
  return symbolAddress(state, own)
}

/** A place of nobody's repeats a personality that is there. Those of a linked file come first, with the entries they had. */
function writeHead(state: State, unwind: Unwind): void {
  const { personalities, linked } = unwind
  const head = new Uint8Array(UNWIND_PAGES_START)
  const base = state.settings.imageBase
  const there = personalities.find((target) => target !== 0) ?? 0
  const count = there === 0 ? 0 : personalities.length
  const commons = linked === null ? UNWIND_HEADER_SIZE : UNWIND_PAGES_START + linked.commons
  const words = [UNWIND_SECTION_VERSION, commons, linked?.commonCount ?? 0, UNWIND_HEADER_SIZE, count]
  words.push(indexStart(unwind), indexCount(unwind) + 1)
  for (let i = 0; i < count; i++) {
    const own = linked?.personalities[i]
    words.push(own ?? gotAddress(state, gotOf(state, personalities[i] || there)) - base)
  }
  words.forEach((word, i) => {
    writeU32(head, i * 4, word)
  })
  put(state, startOf(state), head)
}

function writeIndex(state: State, unwind: Unwind): void {
  const { leaves, first, lsdas, linked } = unwind
  const { Leaf } = leaves
  const base = state.settings.imageBase
  const index = indexStart(unwind)
  const bytes = new Uint8Array(unwindSize(state) - index)
  let at = 0
  let data = index + (indexCount(unwind) + 1) * UNWIND_INDEX_ENTRY_SIZE
  if (linked !== null) {
    writeLinkedIndex(state, unwind, linked, bytes, data - index)
    at = (linked.pages + 1) * UNWIND_INDEX_ENTRY_SIZE
    data += linked.lsdaCount * UNWIND_LSDA_ENTRY_SIZE
  }
  for (let leaf = first; leaf !== 0; leaf = Leaf.next[leaf], at += UNWIND_INDEX_ENTRY_SIZE) {
    writeU32(bytes, at, blockAddress(state, Leaf.first[leaf]) - base)
    writeU32(bytes, at + 4, pagesStart(unwind) + (leaf - 1) * UNWIND_PAGE_SIZE)
    writeU32(bytes, at + 8, data)
    const pairs = lsdas[leaf]!
    for (let i = 0; i < pairs.length; i++) writeU32(bytes, data - index + i * 4, pairs[i])
    data += (pairs.length / 2) * UNWIND_LSDA_ENTRY_SIZE
  }
  const { text } = state.sections
  writeU32(bytes, at, state.outputs.Extent.address[text] + usedSize(state, text) - base)
  writeU32(bytes, at + 8, data)
  put(state, startOf(state) + index, bytes)
}

/** The table as it was, a page without information from where it ends, its index with both, and its language-specific data at `data`. */
function writeLinkedIndex(state: State, unwind: Unwind, linked: LinkedUnwind, bytes: Uint8Array, data: number): void {
  const { table, index, pages, lsdas, lsdaCount, codeEnd } = linked
  const end = pagesStart(unwind) - UNWIND_END_PAGE_SIZE
  put(state, startOf(state) + UNWIND_PAGES_START, table)
  const page = new Uint8Array(UNWIND_END_PAGE_SIZE)
  writeU32(page, 0, UNWIND_SECOND_LEVEL_REGULAR)
  writeU16(page, 4, UNWIND_REGULAR_HEADER_SIZE)
  writeU16(page, 6, 1)
  writeU32(page, UNWIND_REGULAR_HEADER_SIZE, codeEnd)
  put(state, startOf(state) + end, page)
  const shift = indexStart(unwind) + data - lsdas
  for (let i = 0; i <= pages; i++) {
    const from = index + i * UNWIND_INDEX_ENTRY_SIZE
    const to = i * UNWIND_INDEX_ENTRY_SIZE
    writeU32(bytes, to, i === pages ? codeEnd : readU32(table, from))
    writeU32(bytes, to + 4, i === pages ? end : UNWIND_PAGES_START + readU32(table, from + 4))
    writeU32(bytes, to + 8, readU32(table, from + 8) + shift)
  }
  bytes.set(table.subarray(lsdas, lsdas + lsdaCount * UNWIND_LSDA_ENTRY_SIZE), data)
}
