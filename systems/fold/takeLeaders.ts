// Literals of a warm rebuild whose objects have the literals that they had: each is led by whom it was led by.
import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Past } from '../../components/kept.ts'
import type { Link } from '../../components/link.ts'
import { CONTENT_CSTRING, CONTENT_LITERAL } from '../../components/sections.ts'
import { sameBytes } from '../../src/core/hash.ts'
import { arenaOf } from './literalChunks.ts'

/** Takes over what is led by whom in `sections`, those with literals that are folded; false where that may be something else now. */
export function takeLeaders(link: Link, sections: Uint32Array): boolean {
  const { past, settings } = link
  if (past === null || !past.inPlace || settings.tailMergeStrings || !hasSameOrder(link, past)) return false
  for (let file = 1; file < past.from.length; file++)
    if (past.from[file] === 0 && !hasSameLiterals(link, past.link, file)) return false
  for (const section of sections) if (!areSameLive(link, past.link, section)) return false
  for (const section of sections) leadAgain(link, past.link, section)
  return true
}

function hasSameOrder({ order }: Link, { link: old }: Past): boolean {
  return order.length === old.order.length && order.every((file, i) => file === old.order[i])
}

/** Of an object that was loaded anew, in the same rows: whether sections with literals, before or now, are the same. */
function hasSameLiterals(link: Link, old: Link, file: number): boolean {
  const { section: firsts, sections: counts } = link.files.Ranges
  const end = firsts[file] + counts[file]
  for (let section = firsts[file]; section < end; section++)
    if ((isLiteral(link, section) || isLiteral(old, section)) && !isSameSection(link, old, section)) return false
  return true
}

function isLiteral({ sections }: Link, section: number): boolean {
  const content = sections.Header.content[section]
  return content === CONTENT_CSTRING || content === CONTENT_LITERAL
}

/** The same kind, name, bytes and blocks; the blocks have the same numbers. */
function isSameSection(link: Link, old: Link, section: number): boolean {
  const { Header, Blocks, Bytes } = link.sections
  const was = old.sections
  if (Header.content[section] !== was.Header.content[section] || nameOf(link, section) !== nameOf(old, section))
    return false
  const size = Header.size[section]
  const [first, count] = [Blocks.first[section], Blocks.count[section]]
  if (was.Header.size[section] !== size) return false
  if (was.Blocks.first[section] !== first || was.Blocks.count[section] !== count) return false
  for (let block = first; block < first + count; block++)
    if (link.blocks.Extent.size[block] !== old.blocks.Extent.size[block]) return false
  const now = link.arenas.list[arenaOf(link, section)]
  const before = old.arenas.list[arenaOf(old, section)]
  return sameBytes(now.bytes, Bytes.position[section], before.bytes, was.Bytes.position[section], size)
}

function nameOf({ sections, sectionNames }: Link, section: number): string {
  const name = sections.Header.name[section]
  return `${sectionNames.segments[name]},${sectionNames.sections[name]}`
}

const STANDS = BLOCK_LIVE | BLOCK_COALESCED

function areSameLive({ sections, blocks }: Link, old: Link, section: number): boolean {
  const { flags } = blocks.Extent
  const { flags: was } = old.blocks.Extent
  const first = sections.Blocks.first[section]
  const end = first + sections.Blocks.count[section]
  for (let block = first; block < end; block++) if (((flags[block] ^ was[block]) & STANDS) !== 0) return false
  return true
}

function leadAgain({ sections, blocks }: Link, old: Link, section: number): void {
  const { flags, alignPow2 } = blocks.Extent
  const { leader } = blocks.Placement
  const { flags: was } = old.blocks.Extent
  const { leader: led } = old.blocks.Placement
  const first = sections.Blocks.first[section]
  const end = first + sections.Blocks.count[section]
  for (let block = first; block < end; block++) {
    if ((was[block] & BLOCK_FOLDED) === 0) continue
    const leads = led[block]
    leader[block] = leads
    flags[block] |= BLOCK_FOLDED
    if (alignPow2[block] > alignPow2[leads]) alignPow2[leads] = alignPow2[block]
  }
}
