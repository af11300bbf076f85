// What kind of output section it is.
import type { Link } from '../../components/link.ts'
import { FILL_ABSENT, FILL_HEADER } from '../../components/outputs.ts'
import * as macho from '../../src/formats/macho/constants.ts'

/** Has no bytes in the file. Takes the flags word of a section. */
export function isZeroFillType(flags: number): boolean {
  const type = flags & macho.SECTION_TYPE
  return type === macho.S_ZEROFILL || type === macho.S_GB_ZEROFILL || type === macho.S_THREAD_LOCAL_ZEROFILL
}

/** The header is placed as a section of __TEXT but has no section_64 of its own; nor has what nothing uses. */
export function isHidden(link: Pick<Link, 'outputs'>, output: number): boolean {
  const fill = link.outputs.Section.fill[output]
  return fill === FILL_HEADER || fill === FILL_ABSENT
}
