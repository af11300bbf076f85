// Literals on all threads: first their hashes, a chunk a few sections, then who leads them, a chunk a shard of the hashes. Equal
// literals have equal hashes, so that one shard meets all of them, in order: threads need no locks, and the leaders do not depend on them.
import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Arena } from '../../components/arena.ts'
import type { Link } from '../../components/link.ts'
import { hashText, mix, sameText } from '../../src/core/hash.ts'

/** Of a literal that is not live; hashes are below 2^31. */
const NO_HASH = 0xffffffff
const HASH_BITS = 31

/*
 * By index in `sections`, those with literals in command-line order:
 *   pools   u32  literals of one pool are folded with each other
 *   bases   u32  row of the first literal; one more at the end
 * By row, all literals in order:
 *   hash    u32  with the pool's number in it
 */
export interface LiteralJob {
  sections: Uint32Array
  pools: Uint32Array
  bases: Uint32Array
  hash: Uint32Array
  /** Sections a chunk. */
  step: number
  /** log2 of the number of shards. */
  shardBits: number
  /** By section id: its pool. */
  poolOf: Uint32Array
}

export function hashLiteralChunks(link: Link, job: LiteralJob, take: () => number): void {
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * job.step, job.sections.length)
    for (let i = chunk * job.step; i < end; i++) hashSection(link, job, i)
  }
}

function hashSection(link: Link, { sections, pools, bases, hash }: LiteralJob, i: number): void {
  const { flags, offset, size } = link.blocks.Extent
  const { Bytes, Blocks, Header } = link.sections
  const section = sections[i]
  const { view } = arenaOf(link, section)
  const base = Bytes.position[section]
  const first = Blocks.first[section]
  const end = first + Blocks.count[section]
  const shift = bases[i] - first
  for (let block = first; block < end; block++) {
    const from = base + offset[block]
    const isLive = (flags[block] & (BLOCK_LIVE | BLOCK_COALESCED)) === BLOCK_LIVE
    hash[shift + block] = isLive ? mix(hashText(view, from, from + size[block]) + pools[i]) : NO_HASH
  }
  link.visited.rows += end - first
  link.visited.hashed += Header.size[section]
}

export function leadLiteralChunks(link: Link, job: LiteralJob, take: () => number): void {
  for (let shard = take(); shard >= 0; shard = take()) {
    const table = createTable(job, shard)
    for (let i = 0; i < job.sections.length; i++) leadSection(link, job, table, i)
  }
}

interface LiteralTable {
  shard: number
  /** A hash shifted by so much gives its shard. */
  shift: number
  index: Uint32Array
  hash: Uint32Array
  mask: number
}

function createTable({ hash, shardBits }: LiteralJob, shard: number): LiteralTable {
  const shift = HASH_BITS - shardBits
  let count = 0
  for (let row = 0; row < hash.length; row++) if (hash[row] >>> shift === shard) count++
  let size = 1024
  while (size < count * 2) size *= 2
  return { shard, shift, index: new Uint32Array(size), hash: new Uint32Array(size), mask: size - 1 }
}

function leadSection(link: Link, job: LiteralJob, table: LiteralTable, i: number): void {
  const { flags, alignPow2 } = link.blocks.Extent
  const { leader } = link.blocks.Placement
  const { shard, shift } = table
  const { hash } = job
  const before = link.sections.Blocks.first[job.sections[i]] - job.bases[i]
  const end = job.bases[i + 1]
  for (let row = job.bases[i]; row < end; row++) {
    if (hash[row] >>> shift !== shard) continue
    const block = before + row
    const leads = findLiteral(link, job, table, block, hash[row])
    if (leads === block) continue
    leader[block] = leads
    flags[block] |= BLOCK_FOLDED
    if (alignPow2[block] > alignPow2[leads]) alignPow2[leads] = alignPow2[block]
  }
}

/** The first literal of this content, or `block` itself, which then stands for it. */
function findLiteral(link: Link, { poolOf }: LiteralJob, table: LiteralTable, block: number, hash: number): number {
  const { size, section, offset } = link.blocks.Extent
  const { Bytes } = link.sections
  const home = section[block]
  const { view } = arenaOf(link, home)
  const from = Bytes.position[home] + offset[block]
  const length = size[block]
  let probe = hash & table.mask
  for (let other = table.index[probe]; other !== 0; other = table.index[probe]) {
    if (table.hash[probe] === hash && size[other] === length && poolOf[section[other]] === poolOf[home]) {
      const place = Bytes.position[section[other]] + offset[other]
      if (sameText(arenaOf(link, section[other]).view, place, view, from, length)) return other
    }
    probe = (probe + 1) & table.mask
    link.visited.probes++
  }
  table.index[probe] = block
  table.hash[probe] = hash
  return block
}

export function arenaOf({ arenas, files, sections }: Link, section: number): Arena {
  return arenas.list[files.Source.arena[sections.Header.file[section]]]
}
