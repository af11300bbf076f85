// Literals of equal content become one: each copy's leader is the first live one in command-line order.
import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { CONTENT_CSTRING, CONTENT_LITERAL } from '../../components/sections.ts'
import { hashBytes, mix, sameBytes } from '../../src/core/hash.ts'
import { isCommonString } from '../kernels/strings.ts'

export function foldLiterals(link: Link): void {
  const total = countLiterals(link)
  if (total === 0) return
  let size = 1024
  while (size < total * 2) size *= 2
  const table: LiteralTable = { index: new Uint32Array(size), hash: new Uint32Array(size), mask: size - 1 }
  const { files } = link
  for (const file of link.order) {
    const first = files.Ranges.section[file]
    for (let section = first; section < first + files.Ranges.sections[file]; section++)
      if (isFolded(link, section)) foldSection(link, section, table)
  }
}

interface LiteralTable {
  index: Uint32Array
  hash: Uint32Array
  mask: number
}

function isFolded(link: Link, section: number): boolean {
  const content = link.sections.Header.content[section]
  if (content === CONTENT_LITERAL) return true
  if (content !== CONTENT_CSTRING) return false
  return (
    link.settings.deduplicateLiterals ||
    link.sectionNames.sections[link.sections.Header.name[section]] === '__objc_methname'
  )
}

function countLiterals(link: Link): number {
  const { files, sections } = link
  let total = 0
  for (const file of link.order) {
    const first = files.Ranges.section[file]
    for (let section = first; section < first + files.Ranges.sections[file]; section++)
      if (isFolded(link, section)) total += sections.Blocks.count[section]
  }
  return total
}

const STRINGS = 0x7fffffff

/** Literals of sections of one name and kind are one pool, whatever file they come from. */
export function poolOf(link: Link, section: number): number {
  if (isCommonString(link, section)) return STRINGS
  return link.sections.Header.content[section] === CONTENT_LITERAL ? 0 : link.sections.Header.name[section]
}

function foldSection(link: Link, section: number, table: LiteralTable): void {
  const { blocks, sections, files } = link
  const { flags, offset, size, alignPow2 } = blocks.Extent
  const { bytes } = link.arenas.list[files.Source.arena[sections.Header.file[section]]]
  const base = sections.Bytes.position[section]
  const pool = poolOf(link, section)
  const first = sections.Blocks.first[section]
  const end = first + sections.Blocks.count[section]
  for (let block = first; block < end; block++) {
    if ((flags[block] & (BLOCK_LIVE | BLOCK_COALESCED)) !== BLOCK_LIVE) continue
    const from = base + offset[block]
    const hash = mix(hashBytes(bytes, from, from + size[block]) + pool)
    const leader = findLiteral(link, table, block, hash, bytes, from, pool)
    if (leader === block) continue
    blocks.Placement.leader[block] = leader
    flags[block] |= BLOCK_FOLDED
    if (alignPow2[block] > alignPow2[leader]) alignPow2[leader] = alignPow2[block]
  }
  link.visited.rows += end - first
  link.visited.hashed += sections.Header.size[section]
}

/** The first literal of this content, or `block` itself, which then stands for it. */
function findLiteral(
  link: Link,
  table: LiteralTable,
  block: number,
  hash: number,
  bytes: Uint8Array,
  from: number,
  pool: number,
): number {
  const { blocks, sections, files } = link
  const { size, section, offset } = blocks.Extent
  let probe = hash & table.mask
  for (let other = table.index[probe]; other !== 0; other = table.index[probe]) {
    if (table.hash[probe] === hash && size[other] === size[block]) {
      const home = section[other]
      const otherPool = poolOf(link, home)
      const otherBytes = link.arenas.list[files.Source.arena[sections.Header.file[home]]].bytes
      if (
        otherPool === pool &&
        sameBytes(otherBytes, sections.Bytes.position[home] + offset[other], bytes, from, size[block])
      )
        return other
    }
    probe = (probe + 1) & table.mask
    link.visited.probes++
  }
  table.index[probe] = block
  table.hash[probe] = hash
  return block
}
