import * as macho from '../../src/formats/macho/constants.ts'

/** Bytes a literal of this section type. */
export function literalSize(flags: number): number {
  const type = flags & macho.SECTION_TYPE
  return type === macho.S_4BYTE_LITERALS ? 4 : type === macho.S_8BYTE_LITERALS ? 8 : 16
}
