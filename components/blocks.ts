// Blocks (ld64's atom, lld's subsection): the unit that is kept, dropped, folded, placed and relocated.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

/** Goes into the output. */
export const BLOCK_LIVE = 1 << 0
/** A weak definition that lost against another file's. */
export const BLOCK_COALESCED = 1 << 1
/** Its bytes are those of `leader`: a literal or identical code. */
export const BLOCK_FOLDED = 1 << 2
/** Never stripped (-dead_strip), whatever refers to it. */
export const BLOCK_KEPT = 1 << 3
/** Lives when something it refers to lives (S_ATTR_LIVE_SUPPORT). */
export const BLOCK_LIVE_SUPPORT = 1 << 4
/** Its address may be compared: not folded with others by -icf safe. */
export const BLOCK_ADDRESS_TAKEN = 1 << 5
/** Made by the linker, contents in link.synthetic. */
export const BLOCK_SYNTHETIC = 1 << 6
/** An FDE that stays: its pc-relative fields are written anew. */
export const BLOCK_FRAME = 1 << 7

/** `keeps`: what load has made of the rows stays beside what later systems make of them. `held`: rows of the columns, 0 where others are put in their place. */
export function createBlocks(rows: number, shared: boolean, keeps = false, held = rows) {
  /** `offset` is that in the input section; `alignPow2` follows from the section's alignment and the offset. */
  const Extent = columns(held, { section: 'u32', offset: 'u32', size: 'u32', alignPow2: 'u8', flags: 'u8' }, shared)
  /** Its records of the section's relocations: record `first` .. `first + count`. */
  const Relocations = columns(held, { first: 'u32', count: 'u32' }, shared)
  /** `leader` (0 = itself) is the block whose bytes stand for these. `address` is final after allocate. */
  const Placement = columns(held, { leader: 'u32', address: 'f64' }, shared)
  /** First of its unwind rows, which are linked by Unwind.next. */
  const Links = columns(held, { unwind: 'u32' }, shared)
  /** Extent.alignPow2 as load left it; empty where it is not kept. */
  const Loaded = columns(keeps ? held : 0, { alignPow2: 'u8' }, shared)
  const components = { Extent, Relocations, Placement, Links, Loaded }
  return { world: createKind(components, { reserve: rows }), count: 0, ...components }
}

export type Blocks = ReturnType<typeof createBlocks>
