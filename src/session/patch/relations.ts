// Who bears a name, whose blocks follow whose, and which symbols lie in the blocks of other objects: found once for all objects, then
// kept while some change, whose rows are looked at directly.
import type { Link } from '../../../components/link.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'

export interface Relations {
  /** By name: rows of symbols that bear it, as `rows[starts[name]]` to `rows[starts[name + 1]]`. */
  starts: Uint32Array
  rows: Uint32Array
  /** By file: blocks of other files that follow one of its blocks, in the same way. */
  ledStarts: Uint32Array
  led: Uint32Array
  /** Symbols that lie in a block of another object than their own: aliases. */
  guests: Uint32Array
  /** Files with other rows than these were found in, as a list and by file (1). The linker's own are among them from the start. */
  changed: number[]
  isChanged: Uint8Array
  /** By name, all 0 between uses. */
  marks: Uint8Array
}

/** With more changed files than this their rows cost as much as finding all anew. */
const MOST_CHANGED = 64

/** Whether they may be used on, before a patch. */
export function areFresh(relations: Relations | null): boolean {
  return relations !== null && relations.changed.length <= MOST_CHANGED
}

/** As they are now. */
export function relationsAgain(kept: {
  link: Link
  relations: Relations | null
  whole: (() => void) | null
}): Relations {
  if (kept.relations === null) kept.whole?.()
  kept.relations ??= createRelations(kept.link)
  return kept.relations
}

function createRelations(link: Link): Relations {
  const { name, block } = link.symbols.Definition
  const { count } = link.symbols
  const [starts, rows] = group(count, link.names.count, name)
  const homes = homesOf(link)
  const { leader } = link.blocks.Placement
  const heads = new Uint32Array(link.blocks.count + 1)
  for (let row = 1; row <= link.blocks.count; row++)
    if (leader[row] !== 0 && homes[leader[row]] !== homes[row]) heads[row] = homes[leader[row]]
  const [ledStarts, led] = group(link.blocks.count, link.files.count, heads)
  const guests: number[] = []
  eachRange(link, (file, first, end) => {
    for (let row = first; row < end; row++) if (block[row] !== 0 && homes[block[row]] !== file) guests.push(row)
  })
  const isChanged = new Uint8Array(link.files.count + 1)
  isChanged[link.internal.file] = 1
  return {
    starts,
    rows,
    ledStarts,
    led,
    guests: Uint32Array.from(guests),
    changed: [link.internal.file],
    isChanged,
    marks: new Uint8Array(link.names.count + 1),
  }
}

/** By block: its file. Rows that are kept free are of none. */
function homesOf(link: Link): Uint32Array {
  const homes = new Uint32Array(link.blocks.count + 1)
  const { block, blocks } = link.files.Ranges
  for (let file = 1; file <= link.files.count; file++) homes.fill(file, block[file], block[file] + blocks[file])
  return homes
}

function eachRange(link: Link, see: (file: number, first: number, end: number) => void): void {
  const { symbol, symbols } = link.files.Ranges
  for (let file = 1; file <= link.files.count; file++)
    if (symbols[file] > 0) see(file, symbol[file], symbol[file] + symbols[file])
}

/** Counting sort of 1 .. count by their `of`; 0 is left out. */
function group(count: number, groups: number, of: Uint32Array): [Uint32Array, Uint32Array] {
  const starts = new Uint32Array(groups + 2)
  for (let row = 1; row <= count; row++) starts[of[row] + 1]++
  starts[1] = 0
  for (let at = 1; at < starts.length; at++) starts[at] += starts[at - 1]
  const rows = new Uint32Array(starts[starts.length - 1])
  const fill = starts.slice()
  for (let row = 1; row <= count; row++) if (of[row] !== 0) rows[fill[of[row]]++] = row
  return [starts, rows]
}

/** The file has other rows from now on. */
export function noteChanged({ changed, isChanged }: Relations, file: number): void {
  if (isChanged[file] !== 0) return
  isChanged[file] = 1
  changed.push(file)
}

/** Shows each row that bears one of the names, which may come twice, and its file. */
export function eachBearer(
  link: Link,
  relations: Relations,
  names: Iterable<number>,
  see: (row: number, file: number) => void,
): void {
  const { starts, rows, isChanged, changed } = relations
  if (relations.marks.length <= link.names.count) relations.marks = new Uint8Array(link.names.count * 2)
  const { marks } = relations
  const marked: number[] = []
  for (const name of names) {
    if (name === 0 || marks[name] !== 0) continue
    marks[name] = 1
    marked.push(name)
    const end = name + 1 < starts.length ? starts[name + 1] : 0
    for (let i = starts[name]; i < end; i++) {
      const file = fileOfRow(link, rows[i])
      if (isChanged[file] === 0) see(rows[i], file)
    }
  }
  const { symbol, symbols } = link.files.Ranges
  const { name: nameOf } = link.symbols.Definition
  for (const file of changed)
    for (let row = symbol[file]; row < symbol[file] + symbols[file]; row++) if (marks[nameOf[row]] !== 0) see(row, file)
  for (const name of marked) marks[name] = 0
}

/** Blocks of other files that follow one of the file's. */
export function followersOf(link: Link, { ledStarts, led, changed, isChanged }: Relations, file: number): number[] {
  const { block, blocks } = link.files.Ranges
  const { leader } = link.blocks.Placement
  const [from, to] = [block[file], block[file] + spanOf(link, file)]
  const found: number[] = []
  for (let i = ledStarts[file]; i < ledStarts[file + 1]; i++)
    if (isChanged[link.sections.Header.file[link.blocks.Extent.section[led[i]]]] === 0) found.push(led[i])
  for (const other of changed) {
    if (other === file) continue
    for (let row = block[other]; row < block[other] + blocks[other]; row++)
      if (leader[row] >= from && leader[row] < to) found.push(row)
  }
  return found
}

/** Rows of blocks up to those of the next file: those that are kept free count, for the version before may have had them. */
function spanOf(link: Link, file: number): number {
  const { block, blocks } = link.files.Ranges
  return file < link.files.count ? Math.max(block[file + 1] - block[file], blocks[file]) : blocks[file]
}

/** Whether a symbol lies in a block of another object than its own, on one side of which this one is: an alias. */
export function hasGuests(link: Link, { guests, changed, isChanged }: Relations, file: number): boolean {
  const { symbol, symbols, block, blocks } = link.files.Ranges
  const home = link.symbols.Definition.block
  const [from, to] = [block[file], block[file] + blocks[file]]
  const [first, end] = [symbol[file], symbol[file] + symbols[file]]
  const isGuest = (row: number) =>
    home[row] !== 0 && home[row] >= from && home[row] < to !== (row >= first && row < end)
  for (const row of guests) {
    if (isChanged[fileOfRow(link, row)] === 0 && isGuest(row)) return true
    if (row >= first && row < end && isChanged[file] === 0) return true
  }
  for (const other of changed)
    for (let row = symbol[other]; row < symbol[other] + symbols[other]; row++) if (isGuest(row)) return true
  return false
}
