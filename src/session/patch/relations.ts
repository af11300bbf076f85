// Who bears a name, and which symbols lie in the blocks of other objects: found once for all objects, then kept while some change,
// whose rows are looked at directly. And whose blocks follow whose.
import type { Link } from '../../../components/link.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'

export interface Relations {
  /** By name: the first symbol that bears it, then by symbol the next; 0: no more. */
  first: Uint32Array
  next: Uint32Array
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
  const isChanged = new Uint8Array(link.files.count + 1)
  isChanged[link.internal.file] = 1
  return {
    ...listBearers(link),
    guests: findGuests(link),
    changed: [link.internal.file],
    isChanged,
    marks: new Uint8Array(link.names.count + 1),
  }
}

/** Lists through the rows touch one place of another order a row, where a counting sort touches three. */
function listBearers({ names, symbols }: Link): Pick<Relations, 'first' | 'next'> {
  const { name } = symbols.Definition
  const first = new Uint32Array(names.count + 1)
  const next = new Uint32Array(symbols.count + 1)
  for (let row = symbols.count; row > 0; row--) {
    const of = name[row]
    if (of === 0) continue
    next[row] = first[of]
    first[of] = row
  }
  return { first, next }
}

function findGuests({ files, symbols }: Link): Uint32Array {
  const { symbol, symbols: counts, block, blocks } = files.Ranges
  const home = symbols.Definition.block
  const guests: number[] = []
  for (let file = 1; file <= files.count; file++) {
    const [first, end] = [block[file], block[file] + blocks[file]]
    for (let row = symbol[file]; row < symbol[file] + counts[file]; row++)
      if (home[row] !== 0 && (home[row] < first || home[row] >= end)) guests.push(row)
  }
  return Uint32Array.from(guests)
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
  const { first, next, isChanged, changed } = relations
  if (relations.marks.length <= link.names.count) relations.marks = new Uint8Array(link.names.count * 2)
  const { marks } = relations
  const marked: number[] = []
  for (const name of names) {
    if (name === 0 || marks[name] !== 0) continue
    marks[name] = 1
    marked.push(name)
    for (let row = name < first.length ? first[name] : 0; row !== 0; row = next[row]) {
      const file = fileOfRow(link, row)
      if (isChanged[file] === 0) see(row, file)
    }
  }
  const { symbol, symbols } = link.files.Ranges
  const { name: nameOf } = link.symbols.Definition
  for (const file of changed)
    for (let row = symbol[file]; row < symbol[file] + symbols[file]; row++) if (marks[nameOf[row]] !== 0) see(row, file)
  for (const name of marked) marks[name] = 0
}

/** Blocks of other files that follow one of the file's. Looked for when asked: one column, where a list of all took 0.2 s to make. */
export function followersOf(link: Link, file: number): number[] {
  const { leader } = link.blocks.Placement
  const first = link.files.Ranges.block[file]
  const span = spanOf(link, file)
  const found: number[] = []
  for (let row = 1; row <= link.blocks.count; row++)
    if ((leader[row] - first) >>> 0 < span && (row - first) >>> 0 >= span) found.push(row)
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
