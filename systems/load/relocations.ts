// Gives every block its contiguous run of relocation records. Compilers write them by descending address; `ld -r` does not,
// and then the records are sorted where they lie (the arena is ours), pairs kept together.
import type { Link } from '../../components/link.ts'
import {
  CONTENT_COMPACT_UNWIND,
  CONTENT_DROPPED,
  ORDER_ASCENDING,
  ORDER_DESCENDING,
} from '../../components/sections.ts'
import { R_ADDEND, R_SUBTRAHEND } from '../../src/arch/arch.ts'

const RELOCATION_SIZE = 8

export function loadRelocations(link: Link, file: number): void {
  const { files, sections } = link
  const first = files.Ranges.section[file]
  for (let section = first; section < first + files.Ranges.sections[file]; section++) {
    if (sections.Relocations.count[section] === 0 || sections.Header.content[section] === CONTENT_DROPPED) continue
    if (sections.Blocks.count[section] === 0) continue
    link.visited.read += sections.Relocations.count[section] * RELOCATION_SIZE
    const { words } = link.arenas.list[files.Source.arena[file]]
    sections.Relocations.order[section] = orderOf(
      words,
      sections.Relocations.position[section] / 4,
      sections.Relocations.count[section],
    )
    if (sections.Relocations.order[section] === 0) sortRecords(link, section, words)
    if (sections.Header.content[section] !== CONTENT_COMPACT_UNWIND) assign(link, section, words)
  }
}

/** 0 when the records are in neither order. Equal neighbours fit both: they are pairs. */
function orderOf(words: Uint32Array, at: number, count: number): number {
  let ascending = true
  let descending = true
  for (let i = 1; i < count; i++) {
    const step = (words[at + i * 2] | 0) - (words[at + i * 2 - 2] | 0)
    if (step < 0) ascending = false
    else if (step > 0) descending = false
  }
  return ascending ? ORDER_ASCENDING : descending ? ORDER_DESCENDING : 0
}

function sortRecords(link: Link, section: number, words: Uint32Array): void {
  const at = link.sections.Relocations.position[section] / 4
  const count = link.sections.Relocations.count[section]
  const { attributes } = link.arch
  const units: number[] = []
  for (let i = 0; i < count; i++) {
    units.push(i)
    if (attributes[words[at + i * 2 + 1] >>> 28] & (R_SUBTRAHEND | R_ADDEND)) i++
  }
  units.sort((a, b) => (words[at + a * 2] | 0) - (words[at + b * 2] | 0) || a - b)
  const copy = words.slice(at, at + count * 2)
  let to = at
  for (const unit of units) {
    const paired = attributes[copy[unit * 2 + 1] >>> 28] & (R_SUBTRAHEND | R_ADDEND) && unit + 1 < count
    for (let word = unit * 2; word < unit * 2 + (paired ? 4 : 2); word++) words[to++] = copy[word]
  }
  link.sections.Relocations.order[section] = ORDER_ASCENDING
}

/** Blocks and records go on side by side: a run for each block that has some. */
function assign(link: Link, section: number, words: Uint32Array): void {
  const { offset } = link.blocks.Extent
  const runs = link.blocks.Relocations
  const at = link.sections.Relocations.position[section] / 4
  const count = link.sections.Relocations.count[section]
  const first = link.sections.Blocks.first[section]
  const last = first + link.sections.Blocks.count[section] - 1
  const ascending = link.sections.Relocations.order[section] === ORDER_ASCENDING
  let i = 0
  for (let block = ascending ? first : last; i < count; block += ascending ? 1 : -1) {
    const from = i
    if (ascending) i = block === last ? count : endBelow(words, at, from, count, offset[block + 1])
    else i = block === first ? count : endAbove(words, at, from, count, offset[block])
    if (i === from) continue
    runs.first[block] = from
    runs.count[block] = i - from
  }
}

/** The first record from `i` on that lies at `limit` or behind it. */
function endBelow(words: Uint32Array, at: number, i: number, count: number, limit: number): number {
  while (i < count && words[at + i * 2] < limit) i++
  return i
}

/** The first record from `i` on that lies before `limit`. */
function endAbove(words: Uint32Array, at: number, i: number, count: number, limit: number): number {
  while (i < count && words[at + i * 2] >= limit) i++
  return i
}
