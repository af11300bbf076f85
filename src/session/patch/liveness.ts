// With -dead_strip what lives follows from what refers to what: found anew by the system that finds it in a full link.
import { BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { NAME_LIVE } from '../../../components/names.ts'
import { strip } from '../../../systems/strip.ts'

/** Flags of all blocks and names, as strip leaves them. */
export interface Liveness {
  blocks: Uint8Array
  names: Uint16Array
}

/** Reads the link's rows as they are now, and changes nothing in them. */
export function livenessOf(link: Link): Liveness {
  const blocks = link.blocks.Extent.flags.map((is) => is & ~BLOCK_LIVE)
  const names = link.names.Resolution.flags.map((is) => is & ~NAME_LIVE)
  strip({
    ...link,
    blocks: { ...link.blocks, Extent: { ...link.blocks.Extent, flags: blocks } },
    names: { ...link.names, Resolution: { ...link.names.Resolution, flags: names } },
  })
  return { blocks, names }
}

export function isSameLiveness(a: Liveness, b: Liveness): boolean {
  return a.blocks.every((is, i) => is === b.blocks[i]) && a.names.every((is, i) => is === b.names[i])
}
