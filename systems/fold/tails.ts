// Strings that others end in (--tail-merge-strings): each is placed within the other one, where its alignment is kept there. It stays a
// block of its own, so that whatever refers to it finds its address; only its place is not.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { CONTENT_CSTRING } from '../../components/sections.ts'
import { listFoldedSections, poolOf } from './literals.ts'

/** Ends of strings are sorted by three bytes, of nine bits each, and the row behind: 53 bits in all. */
const ROW_BITS = 26
const ROWS = 2 ** ROW_BITS
const NO_BYTE = 256

/** Fills link.tails. Each pool for itself, as literals are folded. */
export function mergeTails(link: Link): void {
  const pools = new Map<number, number[]>()
  for (const section of listFoldedSections(link)) {
    if (link.sections.Header.content[section] !== CONTENT_CSTRING) continue
    const pool = poolOf(link, section)
    const known = pools.get(pool)
    if (known === undefined) pools.set(pool, [section])
    else known.push(section)
  }
  const rows = link.blocks.Extent.flags.length
  link.tails = new Uint32Array(rows)
  for (const sections of pools.values()) mergePool(link, sections)
}

/** Strings by row: the block, its bytes without the NUL, where they lie. */
interface Ends {
  block: Uint32Array
  bytes: Uint8Array[]
  start: Uint32Array
  length: Uint32Array
}

function mergePool(link: Link, sections: readonly number[]): void {
  const ends = gatherEnds(link, sections)
  const order = sortEnds(ends)
  link.visited.rows += order.length
  let host = -1
  for (const row of order) {
    if (host < 0 || !endsIn(ends, host, row)) host = row
    else placeTail(link, ends, host, row)
  }
}

/** Only the string at hand is tried, though another that ends in the same may suit the alignment (ld64.lld). */
function placeTail(link: Link, { block, length }: Ends, host: number, row: number): void {
  const { alignPow2 } = link.blocks.Extent
  const [tail, whole] = [block[row], block[host]]
  if ((length[host] - length[row]) % 2 ** alignPow2[tail] !== 0) return
  if (alignPow2[tail] > alignPow2[whole]) alignPow2[whole] = alignPow2[tail]
  link.tails[tail] = whole
}

function gatherEnds(link: Link, sections: readonly number[]): Ends {
  const { first, count } = link.sections.Blocks
  const { flags, offset, size } = link.blocks.Extent
  let most = 0
  for (const section of sections) most += count[section]
  const ends: Ends = {
    block: new Uint32Array(most),
    bytes: [],
    start: new Uint32Array(most),
    length: new Uint32Array(most),
  }
  let row = 0
  for (const section of sections) {
    const { bytes } = link.arenas.list[link.files.Source.arena[link.sections.Header.file[section]]]
    const base = link.sections.Bytes.position[section]
    for (let block = first[section]; block < first[section] + count[section]; block++) {
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
      ends.block[row] = block
      ends.bytes.push(bytes)
      ends.start[row] = base + offset[block]
      ends.length[row++] = size[block] - 1
    }
  }
  return { ...ends, block: ends.block.subarray(0, row) }
}

/** Rows in the order of their last bytes, read backwards as signed characters; of two that end alike the longer one first. */
function sortEnds(ends: Ends): Uint32Array {
  const count = ends.block.length
  const keys = new Float64Array(count)
  for (let row = 0; row < count; row++) keys[row] = keyOf(ends, row) * ROWS + row
  keys.sort()
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = keys[i] % ROWS
  for (let begin = 0; begin < count; ) {
    const key = Math.floor(keys[begin] / ROWS)
    let end = begin + 1
    while (end < count && Math.floor(keys[end] / ROWS) === key) end++
    if (end > begin + 1) order.subarray(begin, end).sort((a, b) => compareEnds(ends, a, b))
    begin = end
  }
  return order
}

/** The last three bytes, the last one first; where a string has begun it comes behind those that go on. */
function keyOf({ bytes, start, length }: Ends, row: number): number {
  let key = 0
  for (let i = 1; i <= 3; i++) {
    const byte = i > length[row] ? NO_BYTE : bytes[row][start[row] + length[row] - i] ^ 0x80
    key = key * 512 + byte
  }
  return key
}

function compareEnds({ bytes, start, length }: Ends, a: number, b: number): number {
  const common = Math.min(length[a], length[b])
  for (let i = 1; i <= common; i++) {
    const difference = (bytes[a][start[a] + length[a] - i] ^ 0x80) - (bytes[b][start[b] + length[b] - i] ^ 0x80)
    if (difference !== 0) return difference
  }
  return length[b] - length[a]
}

function endsIn({ bytes, start, length }: Ends, host: number, row: number): boolean {
  if (length[row] > length[host]) return false
  for (let i = 1; i <= length[row]; i++)
    if (bytes[host][start[host] + length[host] - i] !== bytes[row][start[row] + length[row] - i]) return false
  return true
}
