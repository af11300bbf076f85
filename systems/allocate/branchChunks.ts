// Branches that may not reach, listed on all threads before code is laid out: those to what lies ahead, far behind, in another section
// or in a library. The others, half of all or more, reach whatever thunks move, as long as those move nothing by more than MARGIN.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { ORDER_DESCENDING } from '../../components/sections.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_CODE, SYMBOL_DEFINED, TARGET_IMPORT } from '../../components/symbols.ts'
import { R_BRANCH } from '../../src/arch/arch.ts'
import { pairedAddend } from '../kernels/branches.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'
import { slotOfTarget, slotsOf } from './branchQueue.ts'

/** By how much thunks may move code for the list to be all that there is to look at, as a part of the reach. */
const MARGIN = 1 / 8
const CHUNKS = 48

/** In `slot`: the branch has an addend, `expected` is its relocation record, and the rest the symbol that it names. */
export const HAS_ADDEND = 0x80000000

/** As `expected`: behind the whole section, for it is an import. */
export const BEHIND = 0xfffffff0

/*
 * Rows of branches, of one chunk side by side, sections in order, ascending by place:
 *   place     u32  in the input section
 *   slot      u32  its target (branchQueue.ts), or as above
 *   expected  u32  where the target would be without thunks, from the output section's start, plus 1; 0 where that is not known
 */
export interface BranchList {
  sections: Uint32Array
  place: Uint32Array
  slot: Uint32Array
  expected: Uint32Array
  /** By index in `sections`: its rows. */
  first: Uint32Array
  end: Uint32Array
  /** By chunk: its first index in `sections`, and its first row. */
  starts: Uint32Array
  bases: Uint32Array
  chunks: number
  named: NamedTargets
  /** By slot (branchQueue.ts). */
  state: Uint32Array
  /** Thunks may move code by so much. */
  margin: number
}

/** What is defined in an output section, by name. With the columns of names threads would hold on to their index. */
export interface NamedTargets {
  /** As BranchList.expected. */
  position: Uint32Array
  count: number
  output: number
}

export function createNamedTargets(link: Link, output: number): NamedTargets {
  const { count } = link.names
  return { position: new Uint32Array(memory((count + 1) * 4, link.arenas.shared)), count, output }
}

/** Room for a branch a record of the section of the names, behind `lead` rows. */
export function createBranchList(link: Link, named: NamedTargets, lead: number): BranchList {
  const sections = link.inputs[named.output]
  const { count } = link.sections.Relocations
  const words = (size: number): Uint32Array => new Uint32Array(memory(size * 4, link.arenas.shared))
  let total = 0
  for (let i = 0; i < sections.length; i++) total += count[sections[i]]
  const list: BranchList = {
    sections,
    place: words(lead + total),
    slot: words(lead + total),
    expected: words(lead + total),
    first: words(sections.length),
    end: words(sections.length),
    starts: words(CHUNKS + 2),
    bases: words(CHUNKS + 2),
    chunks: 0,
    named,
    state: words(slotsOf(link)),
    margin: link.arch.branchReach * MARGIN,
  }
  cut(list, count, lead, total)
  return list
}

function cut(list: BranchList, count: Uint32Array, lead: number, total: number): void {
  const { sections, starts, bases } = list
  let rows = lead
  for (let i = 0; i < sections.length; i++) {
    if (i === 0 || rows - bases[list.chunks - 1] > total / CHUNKS) {
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
  const { attributes, branchReach } = link.arch
  const { place, slot, expected: wheres, named } = list
  const { target } = link.symbols.Reference
  const { name } = link.symbols.Definition
  const { position } = named
  const { words, records, firstSymbol, section } = site
  const sure = branchReach - list.margin
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
      const to = target[symbol]
      if (to === 0) continue
      const at = words[records + i * 2]
      const plain = pairedAddend(link, site, i) === 0
      const isNamed = name[symbol] !== 0
      const expected = !plain
        ? i
        : to & TARGET_IMPORT
          ? BEHIND
          : isNamed
            ? position[name[symbol]]
            : whereIs(link, named, to)
      const distance = shift + at - expected + 1
      if (plain && expected !== 0 && expected <= end && distance < sure && distance > -branchReach + 4) continue
      place[row] = at
      slot[row] = plain ? slotOfTarget(link, named.count, symbol) : (symbol | HAS_ADDEND) >>> 0
      wheres[row++] = expected
    }
  }
  return row
}

/** As `expected`, of a local symbol. */
function whereIs({ symbols, blocks, sections }: Link, named: NamedTargets, symbol: number): number {
  const { flags, block, offset } = symbols.Definition
  if ((flags[symbol] & (IN_CODE | SYMBOL_ABSOLUTE)) !== IN_CODE) return 0
  const home = blocks.Placement.leader[block[symbol]] || block[symbol]
  if (sections.Blocks.output[blocks.Extent.section[home]] !== named.output) return 0
  return blocks.Placement.address[home] + offset[symbol] + 1
}

/**
 * When all are listed: no block of the sections has an address any more, and nobody waits. To write the zeros again is to touch the
 * memory, which takes a twentieth of a second where one thread does so.
 */
export function unplaceChunks(link: Link, list: BranchList, take: () => number): void {
  const { starts, sections, state, chunks } = list
  const part = Math.ceil(state.length / chunks)
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    for (let i = starts[chunk]; i < starts[chunk + 1]; i++) unplaceSection(link, sections[i])
    state.fill(0, chunk * part, (chunk + 1) * part)
  }
}

/** Live blocks lie beyond every reach until they have an address. */
export function unplaceSection({ sections, blocks }: Link, section: number): void {
  const { flags } = blocks.Extent
  const { address } = blocks.Placement
  const first = sections.Blocks.first[section]
  const end = first + sections.Blocks.count[section]
  for (let block = first; block < end; block++)
    if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) address[block] = Number.POSITIVE_INFINITY
}

export interface MeasureJob {
  files: Uint32Array
  step: number
  named: NamedTargets
}

/** Where the names of an output section would be without thunks: blocks have their offsets in it. A chunk is `step` files. */
export function measureChunks(link: Link, job: MeasureJob, take: () => number): void {
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * job.step, job.files.length)
    for (let i = chunk * job.step; i < end; i++) measureFile(link, job, job.files[i])
  }
}

const IN_CODE = SYMBOL_DEFINED | SYMBOL_CODE

function measureFile({ files, symbols, blocks, sections }: Link, job: MeasureJob, file: number): void {
  const { flags, block, offset, name } = symbols.Definition
  const { target } = symbols.Reference
  const { leader, address } = blocks.Placement
  const { section } = blocks.Extent
  const { output: outputOf } = sections.Blocks
  const { position, output } = job.named
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (IN_CODE | SYMBOL_ABSOLUTE)) !== IN_CODE) continue
    if (name[symbol] === 0 || target[symbol] !== symbol) continue
    const home = leader[block[symbol]] || block[symbol]
    if (outputOf[section[home]] === output) position[name[symbol]] = address[home] + offset[symbol] + 1
  }
}
