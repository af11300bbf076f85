// Rows of the link's fixups in the order of their places, so that those of an object or a page are found and exchanged by themselves.
import type { Fixups } from '../../../components/fixups.ts'
import type { Link } from '../../../components/link.ts'
import type { Pointers } from './dirtyPages.ts'

/** Columns of one kind, the places first, with the rows that are taken from row 1 on. */
interface Table {
  columns: (Float64Array | Uint32Array)[]
  count: number
}

function tablesOf({ Rebase, Bind, rebases, binds }: Fixups): [Table, Table] {
  return [
    { columns: [Rebase.location], count: rebases },
    { columns: [Bind.location, Bind.import, Bind.addend], count: binds },
  ]
}

/** Sorts rows that a full link has left in the order in which it made them; once a patch, which keeps the order. */
export function sortFixups({ fixups }: Link, pointers: Pick<Pointers, 'sorted'>): void {
  if (pointers.sorted) return
  pointers.sorted = true
  for (const table of tablesOf(fixups)) if (!ascends(table)) sortTable(table)
}

function ascends({ columns: [place], count }: Table): boolean {
  for (let row = 2; row <= count; row++) if (place[row] < place[row - 1]) return false
  return true
}

/** What relocate has left is sorted block by block, in the order of the image; behind it stand the rows of tables, few and in any order. */
function sortTable(table: Table): void {
  turnDescents(table)
  const [place] = table.columns
  let sorted = 1
  while (sorted < table.count && place[sorted] <= place[sorted + 1]) sorted++
  sortBehind(table, sorted)
  mergeBehind(table, sorted)
}

/** Turns round rows that descend, as most objects list the relocations of a block. */
function turnDescents({ columns, count }: Table): void {
  const [place] = columns
  for (let row = 1; row < count; row++) {
    if (place[row] <= place[row + 1]) continue
    const first = row
    while (row < count && place[row] > place[row + 1]) row++
    for (const column of columns) column.subarray(first, row + 1).reverse()
  }
}

/** Sorts the rows behind `last`. */
function sortBehind({ columns, count }: Table, last: number): void {
  const [place] = columns
  const more = count - last
  const sorted = place.slice(last + 1, count + 1).sort()
  const ranks = new Uint32Array(more)
  const taken = new Uint8Array(more)
  for (let i = 0; i < more; i++) {
    let rank = lowerBound(sorted, 0, more, place[last + 1 + i])
    while (taken[rank] !== 0) rank++
    taken[rank] = 1
    ranks[i] = rank
  }
  for (const column of columns) {
    const before = column.slice(last + 1, count + 1)
    for (let i = 0; i < more; i++) column[last + 1 + ranks[i]] = before[i]
  }
}

/** Merges sorted rows behind `last` with those up to it, each from its end on. */
function mergeBehind({ columns, count }: Table, last: number): void {
  const behind = columns.map((column) => column.slice(last + 1, count + 1))
  let end = last
  for (let i = behind[0].length - 1; i >= 0; i--) {
    const to = lowerBound(columns[0], 1, end + 1, behind[0][i] + 0.5)
    columns.forEach((column, at) => {
      column.copyWithin(to + i + 1, to, end + 1)
      column[to + i] = behind[at][i]
    })
    end = to - 1
  }
}

/** The first of places from .. to - 1 at `value` or behind, else `to`. */
function lowerBound(places: Float64Array | Uint32Array, from: number, to: number, value: number): number {
  while (from < to) {
    const middle = (from + to) >>> 1
    if (places[middle] < value) from = middle + 1
    else to = middle
  }
  return from
}

/** Shows the places from .. to - 1 of sorted rows. */
export function eachPlaceBetween({ fixups }: Link, from: number, to: number, see: (place: number) => void): void {
  for (const { columns, count } of tablesOf(fixups)) {
    const [place] = columns
    for (let row = lowerBound(place, 1, count + 1, from); row <= count && place[row] < to; row++) see(place[row])
  }
}

/** Takes the rows of places from .. to - 1 out of sorted ones. */
export function dropBetween({ fixups }: Link, from: number, to: number): void {
  const counts = tablesOf(fixups).map((table) => {
    const first = lowerBound(table.columns[0], 1, table.count + 1, from)
    const end = lowerBound(table.columns[0], first, table.count + 1, to)
    for (const column of table.columns) column.copyWithin(first, end, table.count + 1)
    return table.count - (end - first)
  })
  Object.assign(fixups, { rebases: counts[0], binds: counts[1] })
}

/** Puts rows in the place of others; there is room for them. */
export function exchangeRows({ fixups }: Link, old: Fixups, now: Fixups): void {
  const [gone, fresh] = [tablesOf(old), tablesOf(now)]
  const counts = tablesOf(fixups).map((table, i) => exchange(table, gone[i], fresh[i]))
  Object.assign(fixups, { rebases: counts[0], binds: counts[1] })
}

/** Puts rows that were added behind sorted ones in their order; `rebases` and `binds`: how many there were before. */
export function settleRows({ fixups }: Link, rebases: number, binds: number): void {
  const counts = tablesOf(fixups).map((table, i) => {
    const count = i === 0 ? rebases : binds
    const fresh = table.columns.map((column) => column.slice(count, table.count + 1))
    const none = { columns: fresh, count: 0 }
    return exchange({ columns: table.columns, count }, none, { columns: fresh, count: table.count - count })
  })
  Object.assign(fixups, { rebases: counts[0], binds: counts[1] })
}

/** Places further apart than this are exchanged by themselves. */
const WINDOW = 1 << 16

/** Returns how many rows there are then. */
function exchange(table: Table, gone: Table, fresh: Table): number {
  const { columns } = table
  const places = new Set(gone.columns[0].subarray(1, gone.count + 1))
  const rows = Array.from({ length: fresh.count }, (_, i) => fresh.columns.map((column) => column[i + 1]))
  const affected = [...places, ...rows.map(([place]) => place)].sort((a, b) => a - b)
  let { count } = table
  for (let i = 0; i < affected.length; ) {
    const low = affected[i]
    while (i + 1 < affected.length && affected[i + 1] - affected[i] <= WINDOW) i++
    const high = affected[i++]
    const first = lowerBound(columns[0], 1, count + 1, low)
    const end = lowerBound(columns[0], first, count + 1, high + 1)
    const made = rows.filter(([place]) => place >= low && place <= high)
    for (let row = first; row < end; row++)
      if (!places.has(columns[0][row])) made.push(columns.map((column) => column[row]))
    made.sort((a, b) => a[0] - b[0])
    columns.forEach((column, at) => {
      column.copyWithin(first + made.length, end, count + 1)
      made.forEach((values, row) => {
        column[first + row] = values[at]
      })
    })
    count += made.length - (end - first)
  }
  return count
}
