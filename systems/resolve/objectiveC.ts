// -ObjC: which members are loaded whether something refers to them or not, by ld64.lld's test.
import type { Link } from '../../components/link.ts'
import { FormatError, fixedName, fromText } from '../../src/core/bytes.ts'
import { sameBytes } from '../../src/core/hash.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { type ObjectHeader, readObjectHeader } from '../../src/formats/macho/object.ts'
import { tablesOf } from '../kernels/symbolTables.ts'

const CLASS_PREFIX: Uint8Array = fromText('_OBJC_CLASS_$_')

/** Does this object define a class or a category, or come from Swift? */
export function isObjectiveC(link: Link, file: number): boolean {
  const { files } = link
  const { bytes } = link.arenas.list[files.Source.arena[file]]
  try {
    const header = readObjectHeader(bytes, files.Source.position[file], files.Source.size[file])
    for (let i = 0; i < header.sectionCount; i++) {
      const at = header.sections + i * macho.SECTION_SIZE
      const segment = fixedName(bytes, at + 16)
      if (segment === '__DATA' && fixedName(bytes, at) === '__objc_catlist') return true
      if (segment === '__TEXT' && fixedName(bytes, at).startsWith('__swift')) return true
    }
    return definesClass(link, file, header)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    return false
  }
}

function definesClass(link: Link, file: number, header: ObjectHeader): boolean {
  const { bytes, words } = tablesOf(link, file)
  for (let i = 0; i < header.symbolCount; i++) {
    const at = header.nlist / 4 + i * 4
    const type = words[at + 1] & 0xff
    if (type & macho.N_STAB || (type & macho.N_EXT) === 0 || (type & macho.N_TYPE) === macho.N_UNDF) continue
    if (words[at] + CLASS_PREFIX.length > header.stringsSize) continue
    if (sameBytes(bytes, header.strings + words[at], CLASS_PREFIX, 0, CLASS_PREFIX.length)) return true
  }
  return false
}
