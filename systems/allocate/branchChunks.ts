// Branches that may not reach, listed on all threads before code is laid out: those to what lies ahead, far behind, in another section
// or in a library. The others, half of all or more, reach whatever thunks move, as long as those move nothing by more than MARGIN.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { ORDER_DESCENDING } from '../../components/sections.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_CODE, SYMBOL_DEFINED } from '../../components/symbols.ts'
import { R_BRANCH } from '../../src/arch/arch.ts'
import { pairedAddend } from '../kernels/branches.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'

/** By how much thunks may move code for the list to be all that there is to look at, as a part of the reach. */
const MARGIN = 1 / 8
const CHUNKS = 48

/** In `symbol`: the branch has an addend, and `expected` is its relocation record. */
export const HAS_ADDEND = 0x80000000

/*
 * Rows of branches, of one chunk side by side, sections in order, ascending by place:
 *   place     u32  in the input section
 *   symbol    u32  that the relocation names
 *   expected  u32  where the target would be without thunks, from the output section's start, plus 1; 0 where that is not known
 */
export interface BranchList {
  sections: Uint32Array
  place: Uint32Array
  symbol: Uint32Array
  expected: Uint32Array
  /** By index in `sections`: its rows. */
  first: Uint32Array
  end: Uint32Array
  /** By chunk: its first index in `sections`, and its first row. */
  starts: Uint32Array
  bases: Uint32Array
  chunks: number
  /** By slot (branchQueue.ts). */
  position: Uint32Array
  /** Of the names: with their columns threads would hold on to their index. */
  names: number
  /** Thunks may move code by so much. */
  margin: number
}

/** Room for a branch a record of `sections`. */
export function createBranchList(link: Link, sections: Uint32Array, position: Uint32Array): BranchList {
  const { count } = link.sections.Relocations
  const { shared } = link.arenas
  const words = (size: number): Uint32Array => new Uint32Array(memory(size * 4, shared))
  let total = 0
  for (let i = 0; i < sections.length; i++) total += count[sections[i]]
  const list: BranchList = {
    sections,
    place: words(total),
    symbol: words(total),
    expected: words(total),
    first: words(sections.length),
    end: words(sections.length),
    starts: words(CHUNKS + 2),
    bases: words(CHUNKS + 2),
    chunks: 0,
    position,
    names: link.names.count,
    margin: link.arch.branchReach * MARGIN,
  }
  cut(list, count, total)
  return list
}

function cut(list: BranchList, count: Uint32Array, total: number): void {
  const { sections, starts, bases } = list
  let rows = 0
  for (let i = 0; i < sections.length; i++) {
    if (i === 0 || rows - bases[list.chunks - 1] >= total / CHUNKS) {
      starts[list.chunks] = i
      bases[list.chunks++] = rows
    }
    rows += count[sections[i]]
  }
  starts[list.chunks] = sections.length
}

/** Returns how many branches there are, listed or not. */
export function branchChunks(link: Link, list: BranchList, take: () => number): number {
  const site = createSite()
  let branches = 0
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    let row = list.bases[chunk]
    for (let i = list.starts[chunk]; i < list.starts[chunk + 1]; i++) {
      enterSection(site, link, list.sections[i])
      branches += countBranches(link, site)
      list.first[i] = row
      row = listBranches(link, list, site, row)
      list.end[i] = row
    }
  }
  return branches
}

/** Of the section at hand. */
export function countBranches(link: Link, site: Site): number {
  const { attributes } = link.arch
  const { words, records, section } = site
  const end = records + link.sections.Relocations.count[section] * 2
  let branches = 0
  for (let at = records; at < end; at += 2) if (attributes[words[at + 1] >>> 28] & R_BRANCH) branches++
  return branches
}

/** Returns the row behind the section's last. */
function listBranches(link: Link, list: BranchList, site: Site, row: number): number {
  const { flags, offset, size } = link.blocks.Extent
  const { first, count } = link.blocks.Relocations
  const { address } = link.blocks.Placement
  const { target } = link.symbols.Reference
  const { name } = link.symbols.Definition
  const { attributes, branchReach } = link.arch
  const { place, symbol: symbols, expected: wheres, position, margin } = list
  const { words, records, firstSymbol, section } = site
  const { names } = list
  const sure = branchReach - margin
  const step = link.sections.Relocations.order[section] === ORDER_DESCENDING ? -1 : 1
  const stop = link.sections.Blocks.first[section] + link.sections.Blocks.count[section]
  for (let block = link.sections.Blocks.first[section]; block < stop; block++) {
    if (count[block] === 0 || (flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    link.visited.rows += count[block]
    const shift = address[block] - offset[block]
    const end = address[block] + size[block]
    let i = step > 0 ? first[block] : first[block] + count[block] - 1
    for (let left = count[block]; left > 0; left--, i += step) {
      const word = words[records + i * 2 + 1]
      if ((attributes[word >>> 28] & R_BRANCH) === 0 || (word & 0x08000000) === 0) continue
      const symbol = firstSymbol + (word & 0xffffff)
      if (target[symbol] === 0) continue
      const at = words[records + i * 2]
      const plain = pairedAddend(link, site, i) === 0
      const expected = plain ? position[name[symbol] || names + target[symbol]] : i
      const distance = shift + at - expected + 1
      if (plain && expected !== 0 && expected <= end && distance < sure && distance > -branchReach + 4) continue
      place[row] = at
      symbols[row] = plain ? symbol : (symbol | HAS_ADDEND) >>> 0
      wheres[row++] = expected
    }
  }
  return row
}

export interface MeasureJob {
  files: Uint32Array
  step: number
  position: Uint32Array
  names: number
  output: number
}

/** Where the symbols of an output section would be without thunks: blocks have their offsets in it. A chunk is `step` files. */
export function measureChunks(link: Link, job: MeasureJob, take: () => number): void {
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * job.step, job.files.length)
    for (let i = chunk * job.step; i < end; i++) measureFile(link, job, job.files[i])
  }
}

function measureFile({ files, symbols, blocks, sections }: Link, job: MeasureJob, file: number): void {
  const { flags, block, offset, name } = symbols.Definition
  const { target } = symbols.Reference
  const { leader, address } = blocks.Placement
  const { section } = blocks.Extent
  const { output: outputOf } = sections.Blocks
  const { position, output, names } = job
  const wanted = SYMBOL_DEFINED | SYMBOL_CODE
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (wanted | SYMBOL_ABSOLUTE)) !== wanted) continue
    const home = leader[block[symbol]] || block[symbol]
    if (outputOf[section[home]] !== output) continue
    if (name[symbol] === 0) position[names + symbol] = address[home] + offset[symbol] + 1
    else if (target[symbol] === symbol) position[name[symbol]] = address[home] + offset[symbol] + 1
  }
}
