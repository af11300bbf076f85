// Identical code folding: blocks with the same bytes, whose references and unwind information mean the same, become one.
// A partition is refined until it is stable: first by a hash, then by what does not move, then by the classes of what blocks
// refer to. Columns: `members` holds the foldable blocks so that a class is a range; `classes` is, by block, 1 + the start of
// that range, 0 for a block that only equals itself.
import { BLOCK_ADDRESS_TAKEN, BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { column } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_DEFINED } from '../../components/symbols.ts'
import { createComparing, type Comparing, sameContents, sameReferences } from './compare.ts'
import { hashMembers } from './hashMembers.ts'

/** Room for the member's index below its hash in a sort key: 26 bits of hash are left, and collisions only cost time. */
const KEY_STRIDE = 2 ** 27

/** `foldable` says of a section whether its blocks may be folded. */
export function foldIdentical(link: Link, foldable: (section: number) => boolean): void {
  const inside = column('u8', link.blocks.count)
  const most = countMembers(link, foldable, inside)
  if (most < 2) return
  const members = new Uint32Array(most)
  const count = fillMembers(link, foldable, inside, members)
  const folding = createComparing(link, members.subarray(0, count))
  hashMembers(folding)
  groupByHash(folding)
  while (refine(folding));
  replaceMembers(folding)
  link.visited.rows += count
}

/** Counts blocks of foldable sections, and marks those that a symbol points into: a folded block has one address only. */
function countMembers(link: Link, foldable: (section: number) => boolean, inside: Uint8Array): number {
  const { files, sections } = link
  let count = 0
  for (const file of link.order) {
    const before = count
    const first = files.Ranges.section[file]
    for (let section = first; section < first + files.Ranges.sections[file]; section++)
      if (foldable(section)) count += sections.Blocks.count[section]
    if (count > before) markInside(link, file, inside)
  }
  return count
}

function markInside(link: Link, file: number, inside: Uint8Array): void {
  const { flags, block, offset } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++)
    if (flags[symbol] & SYMBOL_DEFINED && offset[symbol] !== 0) inside[block[symbol]] = 1
}

function fillMembers(
  link: Link,
  foldable: (section: number) => boolean,
  inside: Uint8Array,
  members: Uint32Array,
): number {
  const { files, sections, blocks } = link
  const { flags } = blocks.Extent
  const skip = BLOCK_COALESCED | BLOCK_FOLDED | BLOCK_ADDRESS_TAKEN
  let count = 0
  for (const file of link.order) {
    const first = files.Ranges.section[file]
    for (let section = first; section < first + files.Ranges.sections[file]; section++) {
      if (!foldable(section)) continue
      const start = sections.Blocks.first[section]
      for (let block = start; block < start + sections.Blocks.count[section]; block++)
        if ((flags[block] & (BLOCK_LIVE | skip)) === BLOCK_LIVE && inside[block] === 0) members[count++] = block
    }
  }
  return count
}

/** Sorts members by hash and, among equals, by place on the command line; then splits the groups by what does not move. */
function groupByHash(folding: Comparing): void {
  const { members, classes } = folding
  const keys = new Float64Array(members.length)
  for (let i = 0; i < keys.length; i++) keys[i] = (classes[members[i]] >>> 6) * KEY_STRIDE + i
  keys.sort()
  const given = members.slice()
  for (let i = 0; i < keys.length; i++) members[i] = given[keys[i] % KEY_STRIDE]
  for (let begin = 0; begin < keys.length; ) {
    const hash = Math.floor(keys[begin] / KEY_STRIDE)
    let end = begin + 1
    while (end < keys.length && Math.floor(keys[end] / KEY_STRIDE) === hash) end++
    segregate(folding, begin, end, sameContents)
    begin = end
  }
}

/** One round over all classes. Returns whether one was split. */
function refine(folding: Comparing): boolean {
  const { members, classes } = folding
  let split = false
  for (let begin = 0; begin < members.length; ) {
    const end = endOfClass(folding, begin)
    if (end > begin + 1) {
      segregate(folding, begin, end, sameReferences)
      if (classes[members[end - 1]] !== classes[members[begin]]) split = true
    }
    begin = end
  }
  return split
}

function endOfClass(folding: Comparing, begin: number): number {
  const { members, classes } = folding
  const id = classes[members[begin]]
  let end = begin + 1
  while (end < members.length && classes[members[end]] === id) end++
  return end
}

/** Splits members[begin, end) into ranges of equals, each in its former order. */
function segregate(
  folding: Comparing,
  begin: number,
  end: number,
  same: (folding: Comparing, a: number, b: number) => boolean,
): void {
  const { members, classes, scratch } = folding
  while (begin < end) {
    const first = members[begin]
    let kept = begin + 1
    let left = 0
    for (let i = begin + 1; i < end; i++) {
      const block = members[i]
      if (same(folding, first, block)) members[kept++] = block
      else scratch[left++] = block
    }
    for (let i = 0; i < left; i++) members[kept + i] = scratch[i]
    for (let i = begin; i < kept; i++) classes[members[i]] = begin + 1
    begin = kept
  }
}

/** The first of a class stands for all; its alignment is the largest among them. */
function replaceMembers(folding: Comparing): void {
  const { members, link } = folding
  const { flags, alignPow2 } = link.blocks.Extent
  const { leader } = link.blocks.Placement
  for (let begin = 0; begin < members.length; ) {
    const end = endOfClass(folding, begin)
    const first = members[begin]
    for (let i = begin + 1; i < end; i++) {
      const block = members[i]
      leader[block] = first
      flags[block] |= BLOCK_FOLDED
      if (alignPow2[block] > alignPow2[first]) alignPow2[first] = alignPow2[block]
    }
    begin = end
  }
}
