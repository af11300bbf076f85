// The source line of a place in an object, from its DWARF; read for messages only.
import type { Link } from '../../components/link.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { type ByteRange, type DwarfSections, readCompileUnit, sourceLine, unitPath } from '../../src/formats/dwarf.ts'
import { readSkipped } from './debugSections.ts'

const EMPTY: ByteRange = { from: 0, to: 0 }
const KEYS: Readonly<Record<string, keyof DwarfSections | 'line'>> = {
  __debug_info: 'info',
  __debug_abbrev: 'abbrev',
  __debug_str: 'str',
  __debug_line_str: 'lineStr',
  __debug_str_offs: 'strOffsets',
  __debug_line: 'line',
}

type Sections = DwarfSections & { readonly line: ByteRange }

/** `foo.c:12 (dir/foo.c:12)`, the source file alone where no line is known, or nothing without DWARF. */
export function sourceText(link: Link, block: number, offset: number): string {
  const { Extent } = link.blocks
  const { Header } = link.sections
  const file = Header.file[Extent.section[block]]
  const sections = debugSections(link, file)
  if (sections === null) return ''
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  try {
    const unit = readCompileUnit(bytes, sections)
    const directory = unit?.directory ?? ''
    const address = Header.address[Extent.section[block]] + Extent.offset[block] + offset
    const line = sourceLine(bytes, sections, address)
    if (line !== null) return lineText(inDirectory(directory, line.file), line.line)
    return unit === null ? '' : unitPath(unit)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    return ''
  }
}

function inDirectory(directory: string, file: string): string {
  return directory === '' || /^(\/|[A-Za-z]:[\\/])/.test(file) ? file : `${directory.replace(/\/$/, '')}/${file}`
}

function lineText(path: string, line: number): string {
  const name = path.replace(/^.*\//, '')
  return name === path ? `${name}:${line}` : `${name}:${line} (${path}:${line})`
}

function debugSections(link: Link, file: number): Sections | null {
  const { files, sections, sectionNames } = link
  const first = files.Ranges.section[file]
  const found: Record<keyof Sections, ByteRange> = {
    info: EMPTY,
    abbrev: EMPTY,
    str: EMPTY,
    lineStr: EMPTY,
    strOffsets: EMPTY,
    line: EMPTY,
  }
  let any = false
  for (let section = first; section < first + files.Ranges.sections[file]; section++) {
    const name = sections.Header.name[section]
    const key = sectionNames.segments[name] === '__DWARF' ? KEYS[sectionNames.sections[name]] : undefined
    if (key === undefined) continue
    readSkipped(link, section)
    const from = sections.Bytes.position[section]
    found[key] = { from, to: from + sections.Header.size[section] }
    any = true
  }
  return any ? found : null
}
