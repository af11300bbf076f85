// Literals on all threads: first their hashes, a chunk a few sections, then who leads them, a chunk a shard of the hashes. Equal
// literals have equal hashes, so that one shard meets all of them, in order: threads need no locks, and the leaders do not depend on them.
import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { hashText, sameText } from '../../src/core/hash.ts'

/** Of a literal that is not live; hashes are below 2^31. */
const NO_HASH = 0xffffffff
const HASH_BITS = 31

/*
 * By index in `sections`, those with literals in command-line order:
 *   pools   u32  literals of one pool are folded with each other; numbered from 0
 *   bases   u32  row of the first literal; one more at the end
 * By row, all literals in order:
 *   hash    u32  its lowest bits are the pool's number, so that equal hashes are of one pool
 */
export interface LiteralJob {
  sections: Uint32Array
  pools: Uint32Array
  poolBits: number
  bases: Uint32Array
  hash: Uint32Array
  /** Sections a chunk. */
  step: number
  /** log2 of the number of shards. */
  shardBits: number
}

export function hashLiteralChunks(link: Link, job: LiteralJob, take: () => number): void {
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * job.step, job.sections.length)
    for (let i = chunk * job.step; i < end; i++) hashSection(link, job, i)
  }
}

function hashSection(link: Link, { sections, pools, poolBits, bases, hash }: LiteralJob, i: number): void {
  const { flags, offset, size } = link.blocks.Extent
  const { Bytes, Blocks, Header } = link.sections
  const section = sections[i]
  const { view } = link.arenas.list[arenaOf(link, section)]
  const base = Bytes.position[section]
  const first = Blocks.first[section]
  const end = first + Blocks.count[section]
  const shift = bases[i] - first
  const kept = -1 << poolBits
  for (let block = first; block < end; block++) {
    const from = base + offset[block]
    const isLive = (flags[block] & (BLOCK_LIVE | BLOCK_COALESCED)) === BLOCK_LIVE
    hash[shift + block] = isLive ? (hashText(view, from, from + size[block]) & kept) | pools[i] : NO_HASH
  }
  link.visited.rows += end - first
  link.visited.hashed += Header.size[section]
}

export function leadLiteralChunks(link: Link, job: LiteralJob, take: () => number): void {
  for (let shard = take(); shard >= 0; shard = take()) {
    const table = createTable(job, shard)
    for (let i = 0; i < job.sections.length; i++)
      for (let row = job.bases[i]; row < job.bases[i + 1]; row += AHEAD) {
        const end = Math.min(row + AHEAD, job.bases[i + 1])
        touchEntries(job, table, row, end)
        touchTexts(link, job, table, row, end)
        leadRows(link, job, table, i, row, end)
      }
  }
}

/*
 * An entry is 4 words, so that a literal is compared without a look at the columns of another, each of which missed the caches:
 *   block (0: empty), hash, place in its arena, size | arena << 24
 */
const ENTRY = 4
/** Sizes from here on are told apart by the column. */
const LARGE = 0xffffff

/** Literals that are looked up together: reads of their entries and texts, which miss the caches, overlap. */
const AHEAD = 256

interface LiteralTable {
  shard: number
  /** A hash shifted by so much gives its shard. */
  shift: number
  entries: Uint32Array
  /** Of hashes without the pool's number. */
  mask: number
  /** What reading ahead has summed up, so that it is not left out. */
  touched: number
}

function createTable({ hash, shardBits }: LiteralJob, shard: number): LiteralTable {
  const shift = HASH_BITS - shardBits
  let count = 0
  for (let row = 0; row < hash.length; row++) if (hash[row] >>> shift === shard) count++
  let size = 1024
  while (size < count * 2) size *= 2
  return { shard, shift, entries: new Uint32Array(size * ENTRY), mask: size - 1, touched: 0 }
}

function touchEntries({ hash, poolBits }: LiteralJob, table: LiteralTable, from: number, end: number): void {
  const { shard, shift, entries, mask } = table
  let sum = 0
  for (let row = from; row < end; row++)
    if (hash[row] >>> shift === shard) sum += entries[((hash[row] >>> poolBits) & mask) * ENTRY]
  table.touched = sum
}

function touchTexts(
  { arenas: { list } }: Link,
  { hash, poolBits }: LiteralJob,
  table: LiteralTable,
  from: number,
  end: number,
): void {
  const { shard, shift, entries, mask } = table
  let sum = 0
  for (let row = from; row < end; row++) {
    if (hash[row] >>> shift !== shard) continue
    const at = ((hash[row] >>> poolBits) & mask) * ENTRY
    if (entries[at + 1] === hash[row]) sum += list[entries[at + 3] >>> 24].bytes[entries[at + 2]]
  }
  table.touched = sum
}

function leadRows(link: Link, job: LiteralJob, table: LiteralTable, i: number, from: number, end: number): void {
  const { flags, alignPow2, offset } = link.blocks.Extent
  const { leader } = link.blocks.Placement
  const { shard, shift } = table
  const { hash, poolBits } = job
  const section = job.sections[i]
  const before = link.sections.Blocks.first[section] - job.bases[i]
  const arena = arenaOf(link, section)
  const base = link.sections.Bytes.position[section]
  for (let row = from; row < end; row++) {
    if (hash[row] >>> shift !== shard) continue
    const block = before + row
    const leads = findLiteral(link, table, block, hash[row], poolBits, arena, base + offset[block])
    if (leads === block) continue
    leader[block] = leads
    flags[block] |= BLOCK_FOLDED
    if (alignPow2[block] > alignPow2[leads]) alignPow2[leads] = alignPow2[block]
  }
}

/** The first literal with the bytes of `block`, which lie in `arena` from `from` on, or `block` itself, which then stands for them. */
function findLiteral(
  link: Link,
  { entries, mask }: LiteralTable,
  block: number,
  hash: number,
  poolBits: number,
  arena: number,
  from: number,
): number {
  const { size } = link.blocks.Extent
  const { list } = link.arenas
  const length = size[block]
  const low = Math.min(length, LARGE)
  let probe = (hash >>> poolBits) & mask
  for (let at = probe * ENTRY; entries[at] !== 0; at = probe * ENTRY) {
    const tail = entries[at + 3]
    if (entries[at + 1] === hash && (tail & LARGE) === low && (low < LARGE || size[entries[at]] === length))
      if (sameText(list[tail >>> 24].view, entries[at + 2], list[arena].view, from, length)) return entries[at]
    probe = (probe + 1) & mask
    link.visited.probes++
  }
  const at = probe * ENTRY
  entries[at] = block
  entries[at + 1] = hash
  entries[at + 2] = from
  entries[at + 3] = low | (arena << 24)
  return block
}

/** Of a section's contents. */
export function arenaOf({ files, sections }: Link, section: number): number {
  return files.Source.arena[sections.Header.file[section]]
}
