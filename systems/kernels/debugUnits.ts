// Which loaded objects have DWARF, and what their compile units say; where the debug map looks for them.
import { type Link, warnFile } from '../../components/link.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { type ByteRange, type CompileUnit, readCompileUnit } from '../../src/formats/dwarf.ts'
import { isAbsolutePath } from '../../src/formats/dwarf/compileUnit.ts'
import { readEnd, readSkipped, UNIT_SECTIONS } from './debugSections.ts'

const NOWHERE: ByteRange = { from: 0, to: 0 }

/** Compile units by file, for the objects that have one. */
export function debugUnits(link: Link): Map<number, CompileUnit> {
  const units = new Map<number, CompileUnit>()
  const kinds = dwarfKinds(link)
  if (!kinds.includes(1)) return units
  for (const file of link.order) {
    const ranges = UNIT_SECTIONS.map(() => NOWHERE)
    const first = link.files.Ranges.section[file]
    let info = 0
    for (let section = first; section < first + link.files.Ranges.sections[file]; section++) {
      const kind = kinds[link.sections.Header.name[section]]
      const from = link.sections.Bytes.position[section]
      if (kind !== 0) ranges[kind - 1] = { from, to: from + link.sections.Header.size[section] }
      if (kind === 1) info = section
    }
    if (info === 0) continue
    const unit = readUnit(link, file, info, ranges)
    if (unit !== null) units.set(file, unit)
  }
  return units
}

/** By id of a section's name: which of UNIT_SECTIONS it is, from 1. */
function dwarfKinds(link: Link): Uint8Array {
  const { sectionNames } = link
  const kinds = new Uint8Array(sectionNames.count + 1)
  for (let id = 1; id <= sectionNames.count; id++)
    if (sectionNames.segments[id] === '__DWARF') kinds[id] = UNIT_SECTIONS.indexOf(sectionNames.sections[id]) + 1
  return kinds
}

function readUnit(
  link: Link,
  file: number,
  section: number,
  [info, abbrev, str, lineStr, strOffsets]: readonly ByteRange[],
): CompileUnit | null {
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  const sections = { info, abbrev, str, lineStr, strOffsets }
  const end = readEnd(link, section)
  try {
    const unit = readCompileUnit(bytes, sections, end)
    if (unit !== null || end === info.to) return unit
    readSkipped(link, section)
    return readCompileUnit(bytes, sections)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    warnFile(link, file, trouble.id, trouble.message)
    return null
  }
}

/** Text of N_OSO: the absolute path of the object or `archive(member)`, less the prefix that -oso_prefix takes away. */
export function objectPath(link: Link, file: number): string {
  const { files, paths, settings } = link
  const parent = files.Order.parent[file]
  const path = paths[files.Source.path[parent === 0 ? file : parent]]
  const absolute = isAbsolutePath(path) ? path : `${link.host.cwd()}/${path}`
  const whole = parent === 0 ? absolute : `${absolute}(${paths[files.Source.path[file]]})`
  const prefix = settings.osoPrefix ?? ''
  return whole.startsWith(prefix) ? whole.slice(prefix.length) : whole
}
