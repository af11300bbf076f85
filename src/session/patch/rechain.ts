// An object has pointers at other places: the chains of the pages where they were and are, linked anew.
import { type Fixups, SEGMENT_STRIDE } from '../../../components/fixups.ts'
import type { Link } from '../../../components/link.ts'
import { clearChainLink, linkChains, newPageStarts, pageStartAt } from '../../formats/dyld/chainedFixups.ts'
import { writeU16 } from '../../core/bytes.ts'
import { type DirtyPages, markChanges, markDirty } from './dirtyPages.ts'

/** Whether an object's binds are to the same imports in the same order, which decides how imports are numbered. */
export function bindSame(old: Fixups, now: Fixups): boolean {
  if (old.binds !== now.binds) return false
  for (let row = 1; row <= old.binds; row++)
    if (old.Bind.import[row] !== now.Bind.import[row] || old.Bind.addend[row] !== now.Bind.addend[row]) return false
  return true
}

/** Puts an object's fixups in the place of those it had, in the link's rows. */
export function replaceFixups(link: Link, old: Fixups, now: Fixups): void {
  const { fixups } = link
  const moved = new Map<number, number>()
  for (let row = 1; row <= old.binds; row++) moved.set(old.Bind.location[row], now.Bind.location[row])
  const { location } = fixups.Bind
  for (let row = 1; row <= fixups.binds; row++) location[row] = moved.get(location[row]) ?? location[row]
  const gone = new Set(old.Rebase.location.subarray(1, old.rebases + 1))
  const kept = fixups.Rebase.location.subarray(1, fixups.rebases + 1).filter((place) => !gone.has(place))
  const count = kept.length + now.rebases
  if (count >= fixups.Rebase.location.length) fixups.Rebase.location = new Float64Array(count * 2)
  fixups.Rebase.location.set(kept, 1)
  fixups.Rebase.location.set(now.Rebase.location.subarray(1, now.rebases + 1), kept.length + 1)
  fixups.rebases = count
}

/** Links the chains of all pages that hold places of `old` or `now`; false where the table of chains would have another size. */
export function rechain(link: Link, old: Fixups, now: Fixups, dirty: DirtyPages): boolean {
  const pages = new Map<number, number[]>()
  for (const fixups of [old, now]) eachPlace(fixups, (place) => pages.set(pageOf(link, place), []))
  eachPlace(link.fixups, (place) => pages.get(pageOf(link, place))?.push(place % SEGMENT_STRIDE))
  for (const [page, offsets] of pages) if (!chainPage(link, page, offsets, dirty)) return false
  return true
}

function eachPlace({ Rebase, Bind, rebases, binds }: Fixups, use: (place: number) => void): void {
  for (let row = 1; row <= rebases; row++) use(Rebase.location[row])
  for (let row = 1; row <= binds; row++) use(Bind.location[row])
}

/** The first place of the page. */
function pageOf(link: Link, place: number): number {
  return place - (place % link.settings.pageSize)
}

function chainPage(link: Link, page: number, places: readonly number[], dirty: DirtyPages): boolean {
  const { pageSize } = link.settings
  const segment = Math.floor(page / SEGMENT_STRIDE)
  const offsets = Uint32Array.from(new Set(places)).sort()
  const number = (page % SEGMENT_STRIDE) / pageSize
  const start = link.segments.Extent.fileOffset[segment]
  const from = start + number * pageSize
  const before = link.image.slice(from, from + pageSize)
  const view = new DataView(link.image.buffer)
  for (const offset of offsets) clearChainLink(view, start + offset)
  const starts = newPageStarts((number + 1) * pageSize, pageSize)
  if (linkChains(view, start, offsets, 0, offsets.length, pageSize, starts) !== -1) return false
  markChanges(link, dirty, from, before)
  const table = link.linkedit.chainedFixups!
  const at = table.offset - link.image.length
  const bytes = link.tail.subarray(at, at + table.bytes.length)
  const place = pageStartAt(bytes, link.segmentOrder.indexOf(segment), number, offsets.length === 0)
  if (place < 0) return false
  writeU16(bytes, place, starts[number])
  markDirty(link, dirty, table.offset + place, table.offset + place + 2)
  return true
}
