// Brings the unwind table up to date: entries of the same functions with other encodings, or another end of the last one.
import type { Link, UnwindTable } from '../../../components/link.ts'
import type { Unwinds } from '../../../components/unwinds.ts'
import { planUnwind } from '../../../systems/allocate/unwind.ts'
import { writeUnwind } from '../../../systems/writeIndirect/unwind.ts'
import { roomOf } from '../../../systems/allocate/rooms.ts'
import { alignUp } from '../../core/align.ts'
import { type DirtyPages, markChanges } from './dirtyPages.ts'
import { patchHeader } from './patchMoved.ts'

/** Puts `now`, the object's rows after the change, into the link's; returns whether the table changes. */
export function updateUnwinds(link: Link, file: number, now: Unwinds): boolean {
  const { Range, Entry } = link.unwinds
  const first = link.files.Ranges.unwind[file]
  let changed = false
  for (let i = 1; i <= now.count; i++) {
    const row = first + i - 1
    if (Entry.encoding[row] === now.Entry.encoding[i] && Range.length[row] === now.Range.length[i]) continue
    const at = link.unwind === null ? -1 : rowOf(link.unwind, row)
    if (at >= 0 && (Entry.encoding[row] !== now.Entry.encoding[i] || isLast(link, link.unwind!, at))) changed = true
    Entry.encoding[row] = now.Entry.encoding[i]
    Range.length[row] = now.Range.length[i]
    if (at < 0) continue
    link.unwind!.encoding[at] = Entry.encoding[row]
    link.unwind!.length[at] = Range.length[row]
  }
  return changed
}

/** The table's rows ascend, those without a row of their own come last. */
function rowOf(table: UnwindTable, row: number): number {
  let [low, high] = [0, table.count]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (table.row[middle] !== 0 && table.row[middle] < row) low = middle + 1
    else high = middle
  }
  return low < table.count && table.row[low] === row ? low : -1
}

/** Whether the table ends where this function ends. */
function isLast(link: Link, table: UnwindTable, at: number): boolean {
  const { leader, address } = link.blocks.Placement
  const home = leader[table.block[at]] || table.block[at]
  const start = address[home] + table.offset[at] - link.settings.imageBase
  return table.plan !== null && start + table.length[at] >= table.plan.folded.end
}

/** Plans and writes the table anew; false when it outgrows its room. */
export function rewriteUnwind(link: Link, dirty: DirtyPages): boolean {
  const { Extent } = link.outputs
  const output = link.unwind!.output
  const [size, room] = [Extent.size[output], roomOf(link, output)]
  const at = Extent.fileOffset[output]
  planUnwind(link, frameBase(link))
  const now = Extent.size[output]
  const { pageSize } = link.settings
  if (roomOf(link, output) !== room || alignUp(at + now, pageSize) !== alignUp(at + size, pageSize)) return false
  const before = link.image.slice(at, at + Math.max(size, now))
  link.image.fill(0, at, at + before.length)
  writeUnwind(link)
  markChanges(link, dirty, at, before)
  if (now !== size) patchHeader(link, dirty)
  return true
}

/** Address of the section that holds the FDEs; 0 for none. */
function frameBase(link: Link): number {
  const table = link.unwind!
  for (let i = 0; i < table.count; i++) {
    const fde = link.unwinds.Entry.fde[table.row[i]]
    if (fde !== 0) return link.outputs.Extent.address[link.sections.Blocks.output[link.blocks.Extent.section[fde]]]
  }
  return 0
}
