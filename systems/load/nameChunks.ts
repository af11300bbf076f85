// Names get their rows in the order of first mention.
import type { Link } from '../../components/link.ts'
import { addEntry, addToIndex, createMentions, type Mentions, type Names, REGION_BITS } from '../../components/names.ts'
import { measureNames } from '../inner/names.ts'
import { tablesArena } from '../kernels/symbolTables.ts'
import { FIRST_MENTION, type FindJob } from './findChunks.ts'

export interface NameJob extends FindJob {
  files: Uint32Array
  /** Indices of files in the order in which they were filled, and where those of an area begin. */
  order: Uint32Array
  areaStart: Uint32Array
  /** By file: how many names it is the first to mention; then the id before the first of these. */
  fresh: Uint32Array
  /** The next place in the pool of names. */
  pool: Uint32Array
  /** By number of a name without a row: the two words that say in the index where it lies; empty where none is made. */
  places: Uint32Array
  isIndexed: boolean
}

/**
 * Gives the symbols of an area's files the numbers of their names: a chunk is an area. The parts of a file's mentions (see
 * sortMentions) say from which list the next number comes.
 */
export function numberChunks({ files, symbols }: Link, job: NameJob, take: () => number): void {
  const { name } = symbols.Definition
  const { bits } = job.parts
  for (let area = take(); area >= 0; area = take()) {
    const next = job.base.slice(area << bits, (area + 1) << bits)
    for (let at = job.areaStart[area]; at < job.areaStart[area + 1]; at++) {
      const file = job.files[job.order[at]]
      const first = files.Ranges.symbol[file]
      job.fresh[job.order[at]] = numberSymbols(job, next, name, first, first + files.Ranges.symbols[file])
    }
  }
}

/** Returns how many are the first to mention theirs. */
function numberSymbols({ numbers }: NameJob, next: Uint32Array, name: Uint32Array, first: number, end: number): number {
  let count = 0
  for (let symbol = first; symbol < end; symbol++) {
    if (name[symbol] === 0) continue
    const number = numbers[next[name[symbol] - 1]++]
    name[symbol] = number
    count += number >>> 31
  }
  return count
}

/** Makes the rows of the names that a file, a chunk, is the first to mention. */
export function nameChunks(link: Link, job: NameJob, take: () => number): void {
  let mentions = createMentions(1024, false)
  for (let i = take(); i >= 0; i = take()) {
    const most = link.files.Ranges.symbols[job.files[i]]
    if (mentions.row.length < most) mentions = createMentions(most * 2, false)
    const count = gatherFirst(link, job, i, mentions)
    if (count > 0) makeRows(link, job, i, mentions, count)
  }
}

/** Lists the names and measures them. */
function gatherFirst(link: Link, job: NameJob, i: number, { row, start, place, hash }: Mentions): number {
  const { Ranges, Tables } = link.files
  const { name } = link.symbols.Definition
  const file = job.files[i]
  const first = Ranges.symbol[file]
  const end = first + Ranges.symbols[file]
  const { words, view } = link.arenas.list[tablesArena(link, file)]
  const nlist = Tables.nlist[file] / 4
  let count = 0
  for (let symbol = first; symbol < end; symbol++)
    if (name[symbol] >>> 31 !== 0) {
      row[count] = symbol
      start[count++] = Tables.strings[file] + words[nlist + (symbol - first) * 4]
    }
  const tableEnd = Tables.strings[file] + Tables.stringsSize[file]
  // Load has found all of them good.
  measureNames(view, tableEnd, count, Number.POSITIVE_INFINITY, 0, 0, 0, row, start, place, hash)
  return count
}

/** `place` of the mentions is the names' length. They go to the pool of names side by side, if they fit. */
function makeRows(link: Link, job: NameJob, i: number, { row, start, place, hash }: Mentions, count: number): void {
  const { Text, pool } = link.names
  const { name } = link.symbols.Definition
  const own = tablesArena(link, job.files[i])
  const { view } = link.arenas.list[own]
  let size = 0
  for (let mention = 0; mention < count; mention++) size += place[mention]
  let to = pool < 0 ? -1 : Atomics.add(job.pool, 0, size)
  if (pool >= 0 && to + size > link.arenas.list[pool].bytes.length) to = -1
  const target = link.arenas.list[Math.max(pool, 0)].view
  for (let mention = 0; mention < count; mention++) {
    const id = job.fresh[i] + mention + 1
    const number = name[row[mention]] & ~FIRST_MENTION
    const [from, length] = [start[mention], place[mention]]
    const arena = to < 0 ? own : pool
    const offset = to < 0 ? from : to
    job.ids[number] = id
    if (job.isIndexed) {
      job.places[number * 2] = offset
      job.places[number * 2 + 1] = length | (arena << 24)
    }
    Text.arena[id] = arena
    Text.offset[id] = offset
    Text.length[id] = length
    Text.hash[id] = hash[mention]
    if (to < 0) continue
    copyName(target, to, view, from, length)
    to += length
  }
}

function copyName(target: DataView, to: number, view: DataView, from: number, length: number): void {
  let i = 0
  for (; i + 4 <= length; i += 4) target.setInt32(to + i, view.getInt32(from + i, true), true)
  for (; i < length; i++) target.setUint8(to + i, view.getUint8(from + i))
}

/** Gives a file's symbols the rows of their names, for the numbers that findChunks gave them. */
export function giveChunks({ files, symbols }: Link, { files: list, ids }: NameJob, take: () => number): void {
  const { name } = symbols.Definition
  for (let i = take(); i >= 0; i = take()) {
    const first = files.Ranges.symbol[list[i]]
    const end = first + files.Ranges.symbols[list[i]]
    for (let symbol = first; symbol < end; symbol++)
      if (name[symbol] !== 0) name[symbol] = ids[name[symbol] & ~FIRST_MENTION]
  }
}

/** Puts the names of the parts that lie in a region into the index, which has none of it yet. */
export function indexChunks({ names }: Link, job: NameJob, take: () => number): void {
  const { bits } = job.parts
  const inRegion = 1 << (bits - REGION_BITS)
  for (let region = take(); region >= 0; region = take())
    for (let part = region * inRegion; part < (region + 1) * inRegion; part++) indexPart(names, job, part)
}

/** New names' places stand by number: in columns, rows of one part are anywhere. */
function indexPart(names: Names, { parts, base, names: count, ids, hashes, places }: NameJob, part: number): void {
  const first = base[part] + 1
  for (let number = first; number < first + count[part]; number++) {
    const id = ids[number]
    if (id <= parts.known) addToIndex(names, id)
    else addEntry(names, id, hashes[number], places[number * 2], places[number * 2 + 1])
  }
}
