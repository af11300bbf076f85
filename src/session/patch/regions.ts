// Where the blocks of an object's new version go: each input section keeps its region, as it follows from their sizes; where blocks
// are packed, there must be as many of the same sizes.
import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { CONTENT_CSTRING, CONTENT_LITERAL, CONTENT_RECORDS } from '../../../components/sections.ts'
import { isKept } from '../../../systems/allocate/outputs.ts'
import { isSharing } from '../../../systems/allocate/rooms.ts'
import { poolOf } from '../../../systems/fold/literals.ts'
import { ranksBefore } from '../../../systems/kernels/ranks.ts'
import { hashBytes, sameBytes } from '../../core/hash.ts'
import { layoutOf, liveBlocks, type Moves, noteMoves, startOf } from './sharedRegions.ts'
import { type Literal, literalOf } from './sameLiterals.ts'

/** Of one input section as it was: what its region starts with and takes, and the blocks of one that is packed. */
export interface Region {
  start: number
  room: number
  alignPow2: number
  isSharing: boolean
  sizes: number[]
  addresses: number[]
  folding: Folding | null
}

/** What fold has decided of the blocks of literals and records, all in order from the first on. */
export interface Folding {
  first: number
  flags: Uint8Array
  leader: Uint32Array
  alignPow2: Uint8Array
  /** What they hold; null where they are the same in the new version. */
  literals: Literal[] | null
  /** The new version's blocks of the same contents; 0: none. */
  heirs: Uint32Array
}

/** By section, counted from the object's first. */
export function saveRegions(link: Link, file: number): Region[] {
  const { section, sections } = link.files.Ranges
  return Array.from({ length: sections[file] }, (_, i) => saveRegion(link, section[file] + i))
}

function saveRegion(link: Link, section: number): Region {
  const live = liveBlocks(link, section)
  const { room, alignPow2 } = hasRoom(link, section) ? layoutOf(link, section, null) : { room: 0, alignPow2: 0 }
  return {
    start: hasRoom(link, section) ? startOf(link, section) : 0,
    room,
    alignPow2,
    isSharing: isSharing(link, section),
    sizes: shapesOf(link, live),
    addresses: live.map((block) => link.blocks.Placement.address[block]),
    folding: foldingOf(link, section),
  }
}

function hasRoom({ sections, outputs }: Link, section: number): boolean {
  return outputs.Section.room[sections.Blocks.output[section]] !== 0
}

function shapesOf({ blocks }: Link, live: readonly number[]): number[] {
  const { size, alignPow2 } = blocks.Extent
  return live.flatMap((block) => [size[block], alignPow2[block]])
}

function foldingOf(link: Link, section: number): Folding | null {
  if (![CONTENT_CSTRING, CONTENT_LITERAL, CONTENT_RECORDS].includes(link.sections.Header.content[section])) return null
  const from = link.sections.Blocks.first[section]
  const to = from + link.sections.Blocks.count[section]
  const { flags, alignPow2 } = link.blocks.Extent
  const roomy = hasRoom(link, section)
  return {
    first: from,
    flags: flags.slice(from, to),
    leader: link.blocks.Placement.leader.slice(from, to),
    alignPow2: alignPow2.slice(from, to),
    literals: roomy ? Array.from({ length: to - from }, (_, i) => literalOf(link, from + i)) : null,
    heirs: new Uint32Array(to - from),
  }
}

/** Finds the heirs of literals and records in the new version, which is in the link. False where two are of one content. */
export function matchLiterals(link: Link, file: number, regions: readonly Region[]): boolean {
  const { section } = link.files.Ranges
  for (const [i, { folding }] of regions.entries()) {
    if (folding === null) continue
    const first = link.sections.Blocks.first[section[file] + i]
    const { literals, heirs } = folding
    if (literals === null) for (let at = 0; at < heirs.length; at++) heirs[at] = first + at
    else if (!matchContents(link, section[file] + i, literals, heirs)) return false
  }
  return true
}

function matchContents(link: Link, section: number, literals: readonly Literal[], heirs: Uint32Array): boolean {
  const places = new Map<number, number[]>()
  const hashOf = ({ bytes, at, size }: Literal) => hashBytes(bytes, at, at + size)
  for (const [at, literal] of literals.entries()) {
    const hash = hashOf(literal)
    places.set(hash, [...(places.get(hash) ?? []), at])
  }
  const { first, count } = link.sections.Blocks
  for (let block = first[section]; block < first[section] + count[section]; block++) {
    const literal = literalOf(link, block)
    const at = places.get(hashOf(literal))?.find((old) => isSame(literals[old], literal))
    if (at === undefined) continue
    if (heirs[at] !== 0) return false
    heirs[at] = block
  }
  return true
}

function isSame(a: Literal, b: Literal): boolean {
  return a.size === b.size && sameBytes(a.bytes, a.at, b.bytes, b.at, a.size)
}

/** What fold has decided stays, of strings that are new it is found out. `heirs` of blocks. Returns why it cannot be, in words. */
export function foldAgain(link: Link, file: number, regions: readonly Region[], heirs: Uint32Array): string {
  const { section } = link.files.Ranges
  for (const [i, { folding }] of regions.entries()) {
    if (folding === null) continue
    const trouble = inherit(link, file, folding, heirs)
    if (trouble !== '') return trouble
    if (folding.literals === null) continue
    const known = new Set(folding.heirs)
    const { first, count } = link.sections.Blocks
    for (let block = first[section[file] + i]; block < first[section[file] + i] + count[section[file] + i]; block++)
      if (!known.has(block) && !foldNew(link, file, block)) return 'has a literal that is first in another object now'
  }
  return ''
}

function inherit(link: Link, file: number, folding: Folding, blockHeirs: Uint32Array): string {
  const { flags, alignPow2 } = link.blocks.Extent
  for (const [at, heir] of folding.heirs.entries()) {
    if (heir === 0) continue
    if (((flags[heir] ^ folding.flags[at]) & BLOCK_LIVE) !== 0) {
      if (folding.literals === null) return 'has literals that live or die'
      // As if one went, or a new one came.
      folding.heirs[at] = 0
      blockHeirs[folding.first - link.files.Ranges.block[file] + at] = 0
      continue
    }
    const leader = folding.leader[at]
    const own = leader - link.files.Ranges.block[file]
    const isOwn = own >= 0 && own < blockHeirs.length
    if (isOwn && blockHeirs[own] === 0) return 'has a literal that is first at another place'
    flags[heir] |= folding.flags[at] & BLOCK_FOLDED
    alignPow2[heir] = folding.alignPow2[at]
    link.blocks.Placement.leader[heir] = isOwn ? blockHeirs[own] : leader
  }
  return ''
}

/** A string that the object did not have: false where it would stand for those of other objects, or the object has it twice. */
function foldNew(link: Link, file: number, block: number): boolean {
  const { flags } = link.blocks.Extent
  if ((flags[block] & (BLOCK_LIVE | BLOCK_COALESCED)) !== BLOCK_LIVE || !link.settings.deduplicateLiterals) return true
  const literal = literalOf(link, block)
  const found = findLiteral(link, literal, poolOf(link, link.blocks.Extent.section[block]), block)
  if (found === 0) return true
  const leader = link.blocks.Placement.leader[found] || found
  const home = link.sections.Header.file[link.blocks.Extent.section[leader]]
  if (home === file || !ranksBefore(link, home, file)) return false
  flags[block] |= BLOCK_FOLDED
  link.blocks.Placement.leader[block] = leader
  return true
}

/** A live literal of the pool with these contents, other than `except`; 0: none. */
function findLiteral(link: Link, literal: Literal, pool: number, except: number): number {
  const { section: firstSection, sections } = link.files.Ranges
  const { flags, size } = link.blocks.Extent
  const { first, count } = link.sections.Blocks
  for (const file of link.order)
    for (let section = firstSection[file]; section < firstSection[file] + sections[file]; section++) {
      if (link.sections.Header.content[section] !== CONTENT_CSTRING || poolOf(link, section) !== pool) continue
      for (let block = first[section]; block < first[section] + count[section]; block++) {
        if (size[block] !== literal.size || block === except) continue
        if ((flags[block] & (BLOCK_LIVE | BLOCK_COALESCED)) !== BLOCK_LIVE) continue
        if (isSame(literalOf(link, block), literal)) return block
      }
    }
  return 0
}

/** Gives the live blocks their addresses; returns which blocks of others move then, or why they do not fit, in words. */
export function placeAgain(link: Link, file: number, regions: readonly Region[]): Moves | string {
  const { section } = link.files.Ranges
  const moves: Moves = new Map()
  for (const [i, region] of regions.entries()) {
    const output = link.sections.Blocks.output[section[file] + i]
    if (output === 0) {
      if (isKept(link, section[file] + i)) return 'has a section of which nothing was in the image'
      continue
    }
    const place = hasRoom(link, section[file] + i) ? placeInRoom : placePacked
    if (!place(link, section[file] + i, region, moves))
      return `has blocks of ${link.outputs.names[output]} that leave their room`
  }
  return moves
}

function placePacked(link: Link, section: number, { sizes, addresses }: Region): boolean {
  const live = liveBlocks(link, section)
  const now = shapesOf(link, live)
  if (now.length !== sizes.length || now.some((size, at) => size !== sizes[at])) return false
  for (const [at, block] of live.entries()) link.blocks.Placement.address[block] = addresses[at]
  return true
}

/** A section without blocks has no place among its neighbours. */
function placeInRoom(link: Link, section: number, region: Region, moves: Moves): boolean {
  if (isSharing(link, section) !== region.isSharing) return false
  if (liveBlocks(link, section).length === 0 || region.addresses.length === 0) return region.addresses.length === 0
  const layout = layoutOf(link, section, null)
  if (layout.room !== region.room || layout.alignPow2 !== region.alignPow2) return false
  noteMoves(link, moves, region.start, layout)
  const file = link.sections.Header.file[section]
  const own = moves.get(file)
  if (own !== undefined) link.blocks.Placement.address.set(own, link.files.Ranges.block[file])
  moves.delete(file)
  return true
}
