// Sections of DWARF: which of them the debug map reads, and the others, which are left in their files where that saves much.
import { FILE_SKIPPED } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { fixedName, readU32 } from '../../src/core/bytes.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'
import { HostError } from '../../src/host/host.ts'

/** What compile units are read from, for the debug map. */
export const UNIT_SECTIONS: readonly string[] = [
  '__debug_info',
  '__debug_abbrev',
  '__debug_str',
  '__debug_line_str',
  '__debug_str_offs',
]

/** A request costs about as much as copying so many bytes. */
const WORTH_SKIPPING = 64 << 10
/** Of __debug_info so much is read: a compile unit's own entry comes first. */
const UNIT_HEAD = 16 << 10

/** Ranges of an object, from its start, that nothing but messages reads: pairs of first byte and end, ascending, apart from each other. */
export function skippedRanges(bytes: Uint8Array, at: number, header: ObjectHeader): number[] {
  const ranges: [number, number][] = []
  const add = (from: number, size: number): void => {
    if (size >= WORTH_SKIPPING) ranges.push([from, from + size])
  }
  for (let i = 0; i < header.sectionCount; i++) {
    const section = header.sections + i * macho.SECTION_SIZE
    if ((readU32(bytes, section + 64) & macho.S_ATTR_DEBUG) === 0 || fixedName(bytes, section + 16) !== '__DWARF')
      continue
    const kept = keptSize(fixedName(bytes, section), readU32(bytes, section + 40))
    add(readU32(bytes, section + 48) + kept, readU32(bytes, section + 40) - kept)
    add(readU32(bytes, section + 56), readU32(bytes, section + 60) * macho.RELOCATION_SIZE)
  }
  ranges.sort((a, b) => a[0] - b[0])
  const apart =
    ranges.every(([from], i) => i === 0 || from >= ranges[i - 1][1]) && !coversOthers(bytes, at, header, ranges)
  return apart ? ranges.flat() : []
}

/** Bytes of a section of DWARF, from its start, that are read in any case. */
function keptSize(name: string, size: number): number {
  const kept = name === '__debug_info' ? UNIT_HEAD : UNIT_SECTIONS.includes(name) ? size : 0
  return size - kept >= WORTH_SKIPPING ? kept : size
}

/** Whether something that is read lies in one of the ranges: objects are not trusted. */
function coversOthers(
  bytes: Uint8Array,
  at: number,
  header: ObjectHeader,
  ranges: readonly [number, number][],
): boolean {
  const meets = (from: number, size: number): boolean =>
    size > 0 && ranges.some(([first, end]) => from < end && first < from + size)
  for (let i = 0; i < header.sectionCount; i++) {
    const section = header.sections + i * macho.SECTION_SIZE
    const isDebug = readU32(bytes, section + 64) & macho.S_ATTR_DEBUG && fixedName(bytes, section + 16) === '__DWARF'
    const size = readU32(bytes, section + 40)
    if (meets(readU32(bytes, section + 48), isDebug ? keptSize(fixedName(bytes, section), size) : size)) return true
    if (!isDebug && meets(readU32(bytes, section + 56), readU32(bytes, section + 60) * macho.RELOCATION_SIZE))
      return true
  }
  return (
    meets(header.nlist - at, header.symbolCount * macho.NLIST_SIZE) ||
    meets(header.strings - at, header.stringsSize) ||
    meets(header.dataInCode - at, header.dataInCodeSize) ||
    meets(header.hints - at, header.hintsSize) ||
    meets(0, macho.HEADER_SIZE + readU32(bytes, at + 20))
  )
}

/** The end of what is there of a section of __DWARF: the rest may have been left in its file. */
export function readEnd(link: Link, section: number): number {
  const { Header, Bytes } = link.sections
  const size = Header.size[section]
  const skips = (link.files.Source.flags[Header.file[section]] & FILE_SKIPPED) !== 0
  const name = link.sectionNames.sections[Header.name[section]]
  return Bytes.position[section] + (skips ? keptSize(name, size) : size)
}

/** Reads a section that was left in its file to its place, for a message. */
export function readSkipped(link: Link, section: number): void {
  const { Header, Bytes } = link.sections
  const { Source } = link.files
  const file = Header.file[section]
  if (readEnd(link, section) === Bytes.position[section] + Header.size[section]) return
  const { bytes } = link.arenas.list[Source.arena[file]]
  const from = Bytes.position[section]
  if (from + Header.size[section] > bytes.length) return
  try {
    const [path, at] = [link.paths[Source.path[file]], from - Source.position[file]]
    link.visited.read += link.host.readInto(path, bytes, from, Header.size[section], at)
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
  }
}
