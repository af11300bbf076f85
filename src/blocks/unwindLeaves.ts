// Which blocks of code stand in which page of __unwind_info: a page has room for the blocks of a stretch of code, and is split when that
// has too many. So a block that comes or goes changes one page, and what leads to pages.
import { createUnwindLeaves, EDIT_PLACED, type UnwindLeaves } from '../../components/edits.ts'
import { alignUp } from '../core/align.ts'
import { aliveCount, highestId, removeEntity } from '../ecs.ts'
import {
  UNWIND_INDEX_ENTRY_SIZE,
  UNWIND_LSDA_ENTRY_SIZE,
  UNWIND_PAGE_SIZE,
  UNWIND_REGULAR_ENTRIES_MAX,
  UNWIND_REGULAR_ENTRY_SIZE,
  UNWIND_REGULAR_HEADER_SIZE,
} from '../formats/unwind/constants.ts'
import type { LinkedUnwind } from './linked/base.ts'
import { type State, takeRow } from './state.ts'

/** Header and personalities stand in front of all else. */
export const UNWIND_PAGES_START = 64
/** A regular page with one entry, from which on there is nothing. */
export const UNWIND_END_PAGE_SIZE = UNWIND_REGULAR_HEADER_SIZE + UNWIND_REGULAR_ENTRY_SIZE

export interface Unwind {
  leaves: UnwindLeaves
  /** The leaf of the lowest addresses. */
  first: number
  dirty: number[]
  /** By leaf: pairs of a function and its language-specific data, as of the last flush. */
  lsdas: (Uint32Array | undefined)[]
  lsdaCount: number
  /** By index: the target, 0 of one that is free, and how many blocks have it. */
  personalities: number[]
  uses: number[]
  /** The table of a linked file, in front of that of edits. */
  linked: LinkedUnwind | null
}

export function createUnwind(): Unwind {
  const lists = { dirty: [], lsdas: [], personalities: [], uses: [] }
  return { leaves: createUnwindLeaves(16), first: 0, lsdaCount: 0, linked: null, ...lists }
}

/** Bytes of the section: header, pages, the index with its sentinel, language-specific data. */
export function unwindSize({ unwind }: State): number {
  if (unwind === null) return 0
  const lsdas = (unwind.linked?.lsdaCount ?? 0) + unwind.lsdaCount
  return indexStart(unwind) + (indexCount(unwind) + 1) * UNWIND_INDEX_ENTRY_SIZE + lsdas * UNWIND_LSDA_ENTRY_SIZE
}

/** Where pages begin: behind header and personalities, and a linked file's table with a page that ends it. */
export function pagesStart({ linked }: Unwind): number {
  if (linked === null) return UNWIND_PAGES_START
  return alignUp(UNWIND_PAGES_START + linked.table.length, 4) + UNWIND_END_PAGE_SIZE
}

export function indexStart(unwind: Unwind): number {
  return pagesStart(unwind) + highestId(unwind.leaves.world) * UNWIND_PAGE_SIZE
}

/** Entries without the last one, which is the end of all. */
export function indexCount({ leaves, linked }: Unwind): number {
  return aliveCount(leaves.world) + (linked === null ? 0 : linked.pages + 1)
}

export function touchLeaf({ unwind, blocks }: State, block: number): void {
  const leaf = blocks.Entry.leaf[block]
  if (unwind !== null && leaf !== 0) markLeaf(unwind, leaf)
}

function markLeaf({ leaves, dirty }: Unwind, leaf: number): void {
  if (leaves.Leaf.dirty[leaf] === 0) dirty.push(leaf)
  leaves.Leaf.dirty[leaf] = 1
}

/** `before` is 0 for the first. */
function addLeaf({ leaves }: Unwind, block: number, before: number, next: number): number {
  const leaf = takeRow(leaves, [leaves.Leaf])
  const { Leaf } = leaves
  Leaf.first[leaf] = block
  Leaf.count[leaf] = Leaf.dirty[leaf] = 0
  Leaf.previous[leaf] = before
  Leaf.next[leaf] = next
  if (before !== 0) Leaf.next[before] = leaf
  if (next !== 0) Leaf.previous[next] = leaf
  return leaf
}

/** A block of code has its place. */
export function joinLeaf(state: State, block: number): void {
  const { unwind, blocks } = state
  if (unwind === null) return
  const { leaf: leafOf } = blocks.Entry
  const before = leafOf[blocks.Neighbour.previous[block]]
  if (before === 0 && unwind.first === 0) unwind.first = addLeaf(unwind, block, 0, 0)
  const leaf = before || unwind.first
  const { Leaf } = unwind.leaves
  if (before === 0) Leaf.first[leaf] = block
  leafOf[block] = leaf
  Leaf.count[leaf]++
  markLeaf(unwind, leaf)
  if (Leaf.count[leaf] > UNWIND_REGULAR_ENTRIES_MAX) splitLeaf(state, unwind, leaf)
}

/** The second half gets a page of its own. */
function splitLeaf({ blocks }: State, unwind: Unwind, leaf: number): void {
  const { next } = blocks.Neighbour
  const { leaf: leafOf } = blocks.Entry
  const { leaves } = unwind
  const kept = leaves.Leaf.count[leaf] >>> 1
  let block = leaves.Leaf.first[leaf]
  for (let i = 0; i < kept; i++) block = next[block]
  const made = addLeaf(unwind, block, leaf, leaves.Leaf.next[leaf])
  const { count } = leaves.Leaf
  count[made] = count[leaf] - kept
  count[leaf] = kept
  for (let i = 0; i < count[made]; i++, block = next[block]) leafOf[block] = made
  markLeaf(unwind, made)
}

/** A block of code leaves its place, and has not left its neighbours yet. */
export function leaveLeaf({ unwind, blocks }: State, block: number): void {
  const { leaf: leafOf } = blocks.Entry
  const leaf = leafOf[block]
  if (unwind === null || leaf === 0) return
  const { Leaf, world } = unwind.leaves
  leafOf[block] = 0
  markLeaf(unwind, leaf)
  if (--Leaf.count[leaf] > 0) {
    if (Leaf.first[leaf] === block) Leaf.first[leaf] = blocks.Neighbour.next[block]
    return
  }
  const [before, next] = [Leaf.previous[leaf], Leaf.next[leaf]]
  if (before !== 0) Leaf.next[before] = next
  else unwind.first = next
  if (next !== 0) Leaf.previous[next] = before
  unwind.lsdas[leaf] = undefined
  removeEntity(world, leaf)
}

/** All anew, each page full. */
export function buildLeaves(state: State): void {
  const { blocks, rooms, sections, unwind } = state
  if (unwind === null) return
  unwind.leaves = createUnwindLeaves(16)
  unwind.first = 0
  unwind.dirty.length = unwind.lsdas.length = 0
  const { flags } = blocks.Place
  const { leaf: leafOf } = blocks.Entry
  let leaf = 0
  for (let block = rooms.Room.first[sections.text]; block !== 0; block = blocks.Neighbour.next[block]) {
    if ((flags[block] & EDIT_PLACED) === 0) continue
    if (leaf === 0 || unwind.leaves.Leaf.count[leaf] === UNWIND_REGULAR_ENTRIES_MAX) {
      const before = leaf
      leaf = addLeaf(unwind, block, before, 0)
      if (before === 0) unwind.first = leaf
      markLeaf(unwind, leaf)
    }
    leafOf[block] = leaf
    unwind.leaves.Leaf.count[leaf]++
  }
}
