// Literals that change: each must stand for itself, before and after, so that no other place of the image changes with it.
import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../../../components/blocks.ts'
import { arenaOfFile, type Link } from '../../../components/link.ts'
import { CONTENT_CSTRING, CONTENT_LITERAL } from '../../../components/sections.ts'
import { poolOf } from '../../../systems/fold/literals.ts'
import { sameBytes } from '../../core/hash.ts'

/** The bytes of a literal. */
export interface Literal {
  bytes: Uint8Array
  at: number
  size: number
}

/**
 * Whether the literals of a section, counted from 1, may change as they do between two versions of the object that is `file` of
 * `whole`: the same sizes, and those that change neither are copies, nor have some, nor become some.
 */
export function mayChange(whole: Link, file: number, before: Link, after: Link, section: number): boolean {
  if (before.sections.Header.size[section] !== after.sections.Header.size[section]) return false
  const first = before.sections.Blocks.first[section]
  for (let block = first; block < first + before.sections.Blocks.count[section]; block++) {
    const [old, now] = [literalOf(before, block), literalOf(after, block)]
    if (old.size !== now.size) return false
    if (sameBytes(old.bytes, old.at, now.bytes, now.at, now.size)) continue
    if (!standsAlone(whole, whole.files.Ranges.block[file] + block - 1)) return false
    if (isKnown(whole, now, poolOf(whole, whole.files.Ranges.section[file] + section - 1))) return false
    if (countIn(after, section, now) !== 1) return false
  }
  return true
}

export function literalOf(link: Link, block: number): Literal {
  const section = link.blocks.Extent.section[block]
  const { bytes } = arenaOfFile(link, link.sections.Header.file[section])
  const at = link.sections.Bytes.position[section] + link.blocks.Extent.offset[block]
  return { bytes, at, size: link.blocks.Extent.size[block] }
}

function standsAlone(link: Link, block: number): boolean {
  const { flags } = link.blocks.Extent
  if ((flags[block] & BLOCK_LIVE) === 0) return true
  return (flags[block] & BLOCK_FOLDED) === 0 && !link.blocks.Placement.leader.includes(block)
}

/** Whether the link has the literal. */
function isKnown(link: Link, literal: Literal, pool: number): boolean {
  const { section: firstSection, sections } = link.files.Ranges
  const { content } = link.sections.Header
  for (const file of link.order)
    for (let section = firstSection[file]; section < firstSection[file] + sections[file]; section++) {
      if (content[section] !== CONTENT_CSTRING && content[section] !== CONTENT_LITERAL) continue
      if (poolOf(link, section) === pool && hasLive(link, section, literal)) return true
    }
  return false
}

function hasLive(link: Link, section: number, literal: Literal): boolean {
  const { flags, size } = link.blocks.Extent
  const { first, count } = link.sections.Blocks
  for (let block = first[section]; block < first[section] + count[section]; block++) {
    if (size[block] !== literal.size || (flags[block] & (BLOCK_LIVE | BLOCK_COALESCED)) !== BLOCK_LIVE) continue
    const other = literalOf(link, block)
    if (sameBytes(other.bytes, other.at, literal.bytes, literal.at, literal.size)) return true
  }
  return false
}

/** How often the object has the literal, itself included, in sections of the same kind. */
function countIn(after: Link, section: number, literal: Literal): number {
  const { content } = after.sections.Header
  const { first, count } = after.sections.Blocks
  let found = 0
  for (let other = 1; other <= after.files.Ranges.sections[1]; other++) {
    if (content[other] !== content[section]) continue
    for (let block = first[other]; block < first[other] + count[other]; block++) {
      const one = literalOf(after, block)
      if (one.size === literal.size && sameBytes(one.bytes, one.at, literal.bytes, literal.at, one.size)) found++
    }
  }
  return found
}
