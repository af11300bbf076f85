// gatherUnwind: takes the unwind rows that beginUnwind has had read: those of functions that lost go from their blocks, personalities
// become what their symbols refer to.
// Reads: Reference.target, block flags. Writes: unwinds, Links.unwind, flags of CIEs.
// After define, which says both; before strip: a live function keeps its personality and language-specific data. Cost: one pass over rows.

import { BLOCK_COALESCED, BLOCK_LIVE } from '../components/blocks.ts'
import type { Link } from '../components/link.ts'
import type { GatheredUnwinds } from '../components/unwinds.ts'
import { spawnRange } from '../src/ecs.ts'
import { type Personalities, personalityOf, unnamedPersonality } from './gatherUnwind/personalities.ts'

export async function gatherUnwind(link: Link): Promise<void> {
  const { unwinds, messages } = link
  const found = await link.unwindsGathered!()
  link.unwindsGathered = null
  unwinds.count = found.count
  messages.list.push(...found.messages.list)
  messages.errors += found.messages.errors
  settleRows(link, found)
  spawnRange(unwinds.world, unwinds.count, [unwinds.Range, unwinds.Entry])
  link.visited.rows += unwinds.count
}

/** Gives all rows, just read, the meaning that they have by now. */
export function settleRows(link: Link, { cies, unnamed }: GatheredUnwinds): void {
  const known: Personalities = { symbols: [], targets: [] }
  const { personality } = link.unwinds.Entry
  detachCoalesced(link)
  settlePersonalities(link, known)
  for (let i = 0; i < unnamed.length; i += 3)
    personality[unnamed[i]] = unnamedPersonality(link, known, unnamed[i + 1], unnamed[i + 2])
  // ld64.lld keeps CIEs that nothing uses.
  if (!link.settings.deadStrip) for (const cie of cies) link.blocks.Extent.flags[cie] |= BLOCK_LIVE
}

function detachCoalesced({ unwinds, blocks }: Link): void {
  const { block: blockOf } = unwinds.Range
  const { flags } = blocks.Extent
  const { unwind } = blocks.Links
  for (let row = 1; row <= unwinds.count; row++) if (flags[blockOf[row]] & BLOCK_COALESCED) unwind[blockOf[row]] = 0
}

function settlePersonalities(link: Link, known: Personalities): void {
  const { personality } = link.unwinds.Entry
  let last = 0
  let means = 0
  for (let row = 1; row <= link.unwinds.count; row++) {
    const symbol = personality[row]
    if (symbol === 0) continue
    if (symbol !== last) {
      last = symbol
      means = personalityOf(link, known, symbol)
    }
    personality[row] = means
  }
}
