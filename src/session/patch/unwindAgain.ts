// The rows of the unwind table of an object's new version, in the place of those it had: those with unwind info stand first, by row,
// then functions without any, by object.
import type { Link, UnwindTable } from '../../../components/link.ts'
import { isLinked } from '../../../systems/kernels/isLinked.ts'
import { ranksBefore } from '../../../systems/kernels/ranks.ts'
import { PLAIN_LENGTH, plainOfFile } from '../../../systems/unwind.ts'
import { endOfRows } from './gatherAgain.ts'

const COLUMNS = ['block', 'offset', 'row', 'length', 'encoding', 'personality', 'lsda'] as const

/** False where the section would come or go, or personalities are others. */
export function unwindAgain(link: Link, file: number): boolean {
  const table = link.unwind
  const rows = linkedRows(link, file)
  if (table === null) return rows.length === 0
  const { Entry } = link.unwinds
  const personalities = rows.map((row) =>
    Entry.fde[row] !== 0 || Entry.personality[row] === 0 ? 0 : link.personalities.indexOf(Entry.personality[row]),
  )
  if (personalities.includes(-1)) return false
  const plain = plainOfFile(link, file)
  const at = makeRoom(link, table, file, rows.length, plain.length / 2)
  rows.forEach((row, i) => {
    writeRow(link, table, at.rows + i, row, personalities[i])
  })
  for (const column of COLUMNS) table[column].fill(0, at.plain, at.plain + plain.length / 2)
  for (let i = 0; i < plain.length; i += 2) {
    table.block[at.plain + i / 2] = plain[i]
    table.length[at.plain + i / 2] = PLAIN_LENGTH
    table.offset[at.plain + i / 2] = plain[i + 1]
  }
  return table.row[0] !== 0 && areUsed(link, table)
}

function linkedRows(link: Link, file: number): number[] {
  const { unwind, unwinds } = link.files.Ranges
  const rows: number[] = []
  for (let row = unwind[file]; row < unwind[file] + unwinds[file]; row++) if (isLinked(link, row)) rows.push(row)
  return rows
}

function writeRow(link: Link, table: UnwindTable, at: number, row: number, personality: number): void {
  const { Range, Entry } = link.unwinds
  table.block[at] = Range.block[row]
  table.offset[at] = Range.offset[row]
  table.row[at] = row
  table.length[at] = Range.length[row]
  table.encoding[at] = Entry.encoding[row]
  table.personality[at] = personality
  table.lsda[at] = Entry.lsda[row]
}

/** Moves the rows of other objects; returns where those of this one go. */
function makeRoom(
  link: Link,
  table: UnwindTable,
  file: number,
  rows: number,
  plain: number,
): { rows: number; plain: number } {
  const withInfo = search(table.count, (at) => table.row[at] !== 0)
  const from = search(withInfo, (at) => table.row[at] < link.files.Ranges.unwind[file])
  const to = search(withInfo, (at) => table.row[at] < endOfRows(link, file))
  const homes = (at: number) => link.sections.Header.file[link.blocks.Extent.section[table.block[at]]]
  let first = withInfo
  while (first < table.count && homes(first) !== file && ranksBefore(link, homes(first), file)) first++
  let end = first
  while (end < table.count && homes(end) === file) end++
  const grown = [rows - (to - from), rows - (to - from) + plain - (end - first)]
  reserve(table, table.count + grown[1])
  const moves = [
    [to, first, grown[0]],
    [end, table.count, grown[1]],
  ]
  if (grown[0] > 0) moves.reverse()
  for (const [start, stop, by] of moves) for (const column of COLUMNS) table[column].copyWithin(start + by, start, stop)
  table.count += grown[1]
  return { rows: from, plain: first + grown[0] }
}

/** The first of 0 .. count - 1 that does not belong before. */
function search(count: number, isBefore: (at: number) => boolean): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}

function reserve(table: UnwindTable, count: number): void {
  if (count <= table.block.length) return
  for (const column of COLUMNS) {
    const made = new Uint32Array(count + (count >>> 3) + 64)
    made.set(table[column].subarray(0, table.count))
    table[column] = made
  }
}

/** Whether some function has each personality still. */
function areUsed({ personalities }: Link, { personality, count }: UnwindTable): boolean {
  const seen = new Uint8Array(personalities.length)
  for (let at = 0; at < count; at++) seen[personality[at]] = 1
  return !seen.includes(0, 1)
}
