// Fields of one FDE where the CIE pointers of its section stand in its bytes, as compilers write them.
import type { Link } from '../../components/link.ts'
import { type EhFrames, ehPointerWidth, readCieAt } from '../../src/formats/ehFrame.ts'
import { findBlock } from './findBlock.ts'
import type { Site } from './references.ts'

/** What a CIE, which is a block, says of its FDEs. */
export interface Encodings {
  cie: number
  pointers: number
  lsda: number
}

/** Of the CIE at `place` in a `__eh_frame` section whose CIE pointers stand in its bytes. `frame` is room for one CIE. */
export function readEncodings(link: Link, site: Site, section: number, place: number, frame: EhFrames): Encodings {
  const { first, count } = link.sections.Blocks
  const { offset, size } = link.blocks.Extent
  const cie = findBlock(offset, first[section], count[section], place)
  const start = site.contents + offset[cie]
  readCieAt(frame, site.bytes, start, size[cie])
  return { cie, pointers: frame.functionEncoding[0], lsda: frame.lsdaEncoding[0] }
}

/** Place in the section of the LSDA pointer of an FDE whose function pointer is at `at`; 0 for none. Load has checked the record. */
export function lsdaField(site: Site, at: number, encodings: Encodings): number {
  if (ehPointerWidth(encodings.lsda) === 0) return 0
  let place = site.contents + at + ehPointerWidth(encodings.pointers) * 2
  let length = 0
  do length |= site.bytes[place] & 127
  while (site.bytes[place++] >= 128)
  return length === 0 ? 0 : place - site.contents
}
