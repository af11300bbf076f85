// What counts as code, and the section number of a symbol: shared by the systems that list functions.
import type { Link } from '../../components/link.ts'
import * as macho from '../../src/formats/macho/constants.ts'

/** ld64.lld: a plain section whose only user attribute is "only instructions". Takes the flags word of a section. */
export function isCodeFlags(flags: number): boolean {
  const type = flags & macho.SECTION_TYPE
  return (
    (type === macho.S_REGULAR || type === macho.S_COALESCED) &&
    (flags & 0xff000000) >>> 0 === macho.S_ATTR_PURE_INSTRUCTIONS
  )
}

/** n_sect of a symbol that is defined in a block. */
export function sectionIndex(link: Link, symbol: number): number {
  const block = link.symbols.Definition.block[symbol]
  if (block === link.headerBlock) return 1 // ld64.lld gives the header, which has no section, the first one's number
  const home = link.blocks.Placement.leader[block] || block
  return link.outputs.Section.index[link.sections.Blocks.output[link.blocks.Extent.section[home]]]
}
