// Thunks of a link that is patched: whether a full link would have the same ones at the same places, and their code.
import { dataViewOf } from '../../core/pages.ts'
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import type { Thunks } from '../../../components/thunks.ts'
import { placeBlocks, sizeSection } from '../../../systems/allocate/place.ts'
import {
  extendBranchesAlone,
  hasBranches,
  isBranchTarget,
  outgrownCode,
  placeWithThunks,
} from '../../../systems/allocate/thunks.ts'
import { pairedAddend } from '../../../systems/kernels/branches.ts'
import { createSite, enterSection, type Site } from '../../../systems/kernels/references.ts'
import { listThunks } from '../../../systems/numberSymbols.ts'
import { writeThunk } from '../../../systems/relocate/thunks.ts'
import { R_BRANCH } from '../../arch/arch.ts'
import { alignUp } from '../../core/align.ts'
import { createMessages } from '../../core/messages.ts'
import { type DirtyPages, markChanges } from './dirtyPages.ts'

/** Whether code is so long that a branch may need a thunk. */
export function mayHaveThunks(link: Link): boolean {
  return link.thunks.count > 0 || codeLists(link).some((list) => outgrownCode(link, list) !== null)
}

/** By segment, its code and stubs in order. */
function codeLists(link: Link): number[][] {
  const { Section, Extent } = link.outputs
  const lists = new Map<number, number[]>()
  for (let output = 1; output <= link.outputs.count; output++) {
    if (!isBranchTarget(link, output)) continue
    const segment = Section.segment[output]
    lists.set(segment, [...(lists.get(segment) ?? []), output])
  }
  const inOrder = (a: number, b: number) => Extent.address[a] - Extent.address[b] || Section.index[a] - Section.index[b]
  return [...lists].sort(([a], [b]) => a - b).map(([, list]) => list.sort(inOrder))
}

/**
 * Whether two versions of an object of the same shape (both as of `loadAlone`) are one to the layout of thunks: blocks of the same
 * sizes, with branches at the same places to the same targets.
 */
export function haveSameBranches(before: Link, after: Link): boolean {
  for (let section = 1; section <= before.files.Ranges.sections[1]; section++) {
    const [old, now] = [before, after].map((link) => branchesOf(link, section))
    if (old.length !== now.length || old.some((word, i) => word !== now[i])) return false
  }
  return true
}

/** Sizes and alignments of the blocks, then place, symbol and addend of each branch. */
function branchesOf(link: Link, section: number): number[] {
  const { attributes } = link.arch
  const { size, alignPow2 } = link.blocks.Extent
  const { first, count } = link.sections.Blocks
  const records = link.sections.Relocations.count[section]
  const found: number[] = []
  const site: Site = createSite()
  enterSection(site, link, section)
  for (let i = 0; i < records; i++) {
    const word = site.words[site.records + i * 2 + 1]
    if ((attributes[word >>> 28] & R_BRANCH) === 0 || (word & 0x08000000) === 0) continue
    found.push(site.words[site.records + i * 2], word & 0xffffff, pairedAddend(link, site, i))
  }
  for (let block = first[section]; block < first[section] + count[section]; block++)
    found.push(size[block], alignPow2[block])
  return found
}

/**
 * Lays out the code again, as allocate does, and compares: every branch that may not reach counts, those of objects that are as
 * before too. Returns what is not as it is in the link, in words; empty when everything is.
 */
export function otherThunks(link: Link): string {
  const { thunks, branchTargets, messages } = link
  const { Placement } = link.blocks
  const { Extent, Section } = link.outputs
  const kept = [Placement.address, Extent.size, Section.alignPow2].map((column) => [column, column.slice()] as const)
  link.messages = createMessages()
  try {
    for (const list of codeLists(link)) layOut(link, list)
    if (link.messages.list.length > 0) return link.messages.list[0].text
    if (!isSame(link, thunks, branchTargets)) return 'needs other thunks, or the same ones at other places'
    const misplaced = strayBlock(link, kept[0][1] as Float64Array)
    return misplaced ? 'has blocks that thunks move' : ''
  } finally {
    for (const [column, values] of kept) column.set(values as never)
    Object.assign(link, { thunks, branchTargets, messages })
  }
}

function layOut(link: Link, list: readonly number[]): void {
  link.thunks = { ...link.thunks, count: 0 }
  for (const output of list) sizeSection(link, output)
  const extension = extendBranchesAlone(link, list)
  for (const output of list)
    if (extension !== null && hasBranches(link, output)) placeWithThunks(link, extension, output)
    else placeBlocks(link, output)
}

function isSame(link: Link, thunks: Thunks, targets: Link['branchTargets']): boolean {
  const now = link.thunks
  if (now.count !== thunks.count) return false
  for (let thunk = 1; thunk <= now.count; thunk++) {
    const [of, old] = [now.Thunk.of[thunk], thunks.Thunk.of[thunk]]
    const same =
      now.Thunk.address[thunk] === thunks.Thunk.address[thunk] &&
      now.Thunk.output[thunk] === thunks.Thunk.output[thunk] &&
      link.branchTargets.Target.target[of] === targets.Target.target[old] &&
      link.branchTargets.Target.addend[of] === targets.Target.addend[old]
    if (!same) return false
  }
  const listed = listThunks(link)
  return listed.length === link.table.thunks.length && listed.every((thunk, i) => thunk === link.table.thunks[i])
}

/** Whether a live block of code lies elsewhere than `before` says. */
function strayBlock(link: Link, before: Float64Array): boolean {
  const { flags } = link.blocks.Extent
  const { address } = link.blocks.Placement
  for (let block = 1; block <= link.blocks.count; block++)
    if (address[block] !== before[block] && (flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) return true
  return false
}

/** Writes the thunks, whose targets may have moved. */
export function rewriteThunks(link: Link, dirty: DirtyPages): void {
  const view = dataViewOf(link.image)
  for (let thunk = 1; thunk <= link.thunks.count; thunk++) {
    const at = placeOf(link, thunk)
    const before = link.image.slice(at, at + link.arch.thunkSize)
    writeThunk(link, view, thunk)
    markChanges(link, dirty, at, before)
  }
}

function placeOf({ thunks, outputs }: Link, thunk: number): number {
  const output = thunks.Thunk.output[thunk]
  return thunks.Thunk.address[thunk] + outputs.Extent.fileOffset[output] - outputs.Extent.address[output]
}

/** A region whose blocks are placed again while thunks among them stay. */
export interface Among {
  /** Of the last block that was placed: its end, and where that would be in the region without thunks. */
  end: number
  offset: number
  /** The first thunk that may follow. */
  thunk: number
}

export function createAmong(link: Link, start: number): Among {
  return { end: start, offset: 0, thunk: thunkFrom(link, (thunk) => link.thunks.Thunk.address[thunk] < start) }
}

/** The address of the next block, as allocate gives it: `offset` in the region without thunks, `size` at `align`. */
export function placeAmong(link: Link, among: Among, offset: number, size: number, align: number): number {
  const { address } = link.thunks.Thunk
  const gap = offset - among.offset
  for (; among.thunk <= link.thunks.count && address[among.thunk] === alignUp(among.end, 4); among.thunk++)
    among.end = address[among.thunk] + link.arch.thunkSize
  const place = alignUp(among.end + gap, align)
  among.offset = offset + size
  among.end = place + size
  return place
}

/** The first thunk that is not `before`. */
function thunkFrom(link: Link, before: (thunk: number) => boolean): number {
  let [low, high] = [1, link.thunks.count + 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (before(middle)) low = middle + 1
    else high = middle
  }
  return low
}

/** Writes those that lie between the bytes from .. to - 1 of the image, which have been cleared. Their places ascend. */
export function restoreThunks(link: Link, from: number, to: number): void {
  const view = dataViewOf(link.image)
  let thunk = thunkFrom(link, (other) => placeOf(link, other) < from)
  for (; thunk <= link.thunks.count && placeOf(link, thunk) < to; thunk++) writeThunk(link, view, thunk)
}
