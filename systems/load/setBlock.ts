import { BLOCK_KEPT, BLOCK_LIVE_SUPPORT } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import * as macho from '../../src/formats/macho/constants.ts'

/** A block's flags begin with what its section demands whatever refers to it. */
export function setBlock(link: Link, block: number, section: number, offset: number, alignPow2: number): void {
  const { Extent } = link.blocks
  Extent.section[block] = section
  Extent.offset[block] = offset
  Extent.alignPow2[block] = alignPow2
  Extent.flags[block] = sectionFlags(link.sections.Header.flags[section])
}

/** Flags of the blocks of a section with these flags, as load leaves them. */
export function sectionFlags(flags: number): number {
  return (
    (flags & macho.S_ATTR_NO_DEAD_STRIP ? BLOCK_KEPT : 0) | (flags & macho.S_ATTR_LIVE_SUPPORT ? BLOCK_LIVE_SUPPORT : 0)
  )
}
