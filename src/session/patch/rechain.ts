// Chained pointers of a patch: numbers of their imports, and the chains of the pages where pointers were and are, linked anew.
import { dataViewOf } from '../../core/pages.ts'
import { type Fixups, SEGMENT_STRIDE } from '../../../components/fixups.ts'
import type { Link } from '../../../components/link.ts'
import { chainedBind } from '../../../systems/kernels/fixups.ts'
import { clearChainLink, isChainedBind, linkChains, rewriteChainedBind } from '../../formats/dyld/chainedFixups.ts'
import { DYLD_CHAINED_PTR_START_NONE } from '../../formats/macho/constants.ts'
import { eachPlaceBetween, sortFixups } from './fixupRows.ts'
import { type DirtyPages, markChanges, markDirty } from './dirtyPages.ts'

/** Whether an object's binds are to the same imports in the same order, which decides how imports are numbered without room. */
export function bindSame(old: Fixups, now: Fixups): boolean {
  if (old.binds !== now.binds) return false
  for (let row = 1; row <= old.binds; row++)
    if (old.Bind.import[row] !== now.Bind.import[row] || old.Bind.addend[row] !== now.Bind.addend[row]) return false
  return true
}

export function eachPlace({ Rebase, Bind, rebases, binds }: Fixups, use: (place: number) => void): void {
  for (let row = 1; row <= rebases; row++) use(Rebase.location[row])
  for (let row = 1; row <= binds; row++) use(Bind.location[row])
}

/** The first place of the page. */
export function pageOf(link: Link, place: number): number {
  return place - (place % link.settings.pageSize)
}

/** Writes the binds that are not as their imports are numbered now; they point at the next place as before. */
export function rewriteBinds(link: Link, dirty: DirtyPages): void {
  const { Bind, binds } = link.fixups
  const { fileOffset } = link.segments.Extent
  const view = dataViewOf(link.image)
  for (let row = 1; row <= binds; row++) {
    const segment = Math.floor(Bind.location[row] / SEGMENT_STRIDE)
    const at = fileOffset[segment] + Bind.location[row] - segment * SEGMENT_STRIDE
    const word = chainedBind(link, Bind.import[row], Bind.addend[row])
    if (isChainedBind(view, at, word)) continue
    rewriteChainedBind(view, at, word)
    markDirty(link, dirty, at, at + 8)
  }
}

/**
 * Links the chains of the pages, given by their first places; false where a segment had no pointers before or has none now, for
 * the table of starts would have another size.
 */
export function rechain(link: Link, pages: ReadonlySet<number>, dirty: DirtyPages): boolean {
  sortFixups(link, dirty.pointers)
  for (const page of pages) {
    const offsets: number[] = []
    eachPlaceBetween(link, page, page + link.settings.pageSize, (place) => offsets.push(place % SEGMENT_STRIDE))
    if (!chainPage(link, page, offsets, dirty)) return false
  }
  return link.chained.pageStarts.every(
    (starts) => starts.length === 0 || starts.some((start) => start !== DYLD_CHAINED_PTR_START_NONE),
  )
}

function chainPage(link: Link, page: number, places: readonly number[], dirty: DirtyPages): boolean {
  const { pageSize } = link.settings
  const segment = Math.floor(page / SEGMENT_STRIDE)
  const offsets = Uint32Array.from(new Set(places)).sort()
  const number = (page % SEGMENT_STRIDE) / pageSize
  const starts = link.chained.pageStarts[link.segmentOrder.indexOf(segment)]
  if (number >= starts.length) return false
  const start = link.segments.Extent.fileOffset[segment]
  const from = start + number * pageSize
  const before = link.image.slice(from, from + pageSize)
  const view = dataViewOf(link.image)
  for (const offset of offsets) clearChainLink(view, start + offset)
  starts[number] = DYLD_CHAINED_PTR_START_NONE
  if (linkChains(view, start, offsets, 0, offsets.length, pageSize, starts) !== -1) return false
  markChanges(link, dirty, from, before)
  return true
}
