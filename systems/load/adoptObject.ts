// The rows of one object as those that a kept link has of it: nothing is parsed again. What comes out is what parsing gives.
import { FILE_ASKS, FILE_PARSED, FILE_SUBSECTIONS } from '../../components/files.ts'
import { addKept } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { internSectionName, SECTION_NAME_WORDS } from '../../components/sectionNames.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED } from '../../components/symbols.ts'
import { CONTENT_DROPPED } from '../../components/sections.ts'
import { readObjectHeader } from '../../src/formats/macho/object.ts'
import { activateLibraries } from './activateLibraries.ts'
import { isProfile } from './sections.ts'
import { sectionFlags } from './setBlock.ts'

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array

export function adoptObject(link: Link, file: number): void {
  const { link: kept, from, inPlace } = link.kept!
  const old = from[file]
  const { Source, Tables, Ranges } = link.files
  Source.flags[file] |= FILE_PARSED | (kept.files.Source.flags[old] & FILE_SUBSECTIONS)
  for (const name in Tables) {
    const column = name as keyof typeof Tables
    Tables[column][file] = kept.files.Tables[column][old]
  }
  for (const name of ['sections', 'blocks', 'symbols'] as const) Ranges[name][file] = kept.files.Ranges[name][old]
  adoptSections(link, file, kept, old)
  if (!inPlace) {
    adoptBlocks(link, file, kept, old)
    adoptSymbols(link, file, kept, old)
  }
  resetBlocks(link, file)
  adoptAbsolutes(link, file, kept, kept.files.Ranges.symbol[old])
  link.visited.rows += link.files.Ranges.symbols[file]
  if (Source.flags[file] & FILE_ASKS) askAgain(link, file)
}

function askAgain(link: Link, file: number): void {
  const { arena, position, size } = link.files.Source
  const header = readObjectHeader(link.arenas.list[arena[file]].bytes, position[file], size[file])
  activateLibraries(link, file, header)
}

function adoptSections(link: Link, file: number, kept: Link, old: number): void {
  const { sections, files } = link
  const { section: firsts, sections: counts, block } = files.Ranges
  const first = firsts[file]
  const before = kept.files.Ranges.section[old]
  const count = counts[file]
  for (const name of ['Header', 'Bytes', 'Relocations', 'Blocks'] as const)
    copyRows(sections[name], kept.sections[name], first, before, count)
  sections.Header.file.fill(file, first, first + count)
  sections.Blocks.output.fill(0, first, first + count)
  const shift = block[file] - kept.files.Ranges.block[old]
  for (let section = first; section < first + count; section++) {
    sections.Header.name[section] = sectionName(link, sections.Header.name[section])
    sections.Blocks.first[section] += shift
    if (sections.Header.content[section] === CONTENT_DROPPED && isProfile(link, section)) link.profiles.push(section)
  }
}

function sectionName(link: Link, old: number): number {
  const { sectionNames, kept } = link
  const known = kept!.sectionNames
  if (known[old] === 0) {
    const { words } = kept!.link.sectionNames
    const bytes = new Uint8Array(words.buffer)
    known[old] = internSectionName(sectionNames, words, bytes, old * SECTION_NAME_WORDS)
  }
  return known[old]
}

function adoptBlocks(link: Link, file: number, kept: Link, old: number): void {
  const { blocks, files } = link
  const first = files.Ranges.block[file]
  const before = kept.files.Ranges.block[old]
  const count = files.Ranges.blocks[file]
  const { section, alignPow2 } = blocks.Extent
  copyRows(blocks.Relocations, kept.blocks.Relocations, first, before, count)
  for (const name of ['section', 'offset', 'size'] as const)
    copyColumn(blocks.Extent[name], kept.blocks.Extent[name], first, before, count)
  copyColumn(alignPow2, kept.blocks.Loaded.alignPow2, first, before, count)
  const shift = files.Ranges.section[file] - kept.files.Ranges.section[old]
  if (shift !== 0) for (let block = first; block < first + count; block++) section[block] += shift
}

function resetBlocks(link: Link, file: number): void {
  const { files } = link
  const { flags } = link.blocks.Extent
  const { first: starts, count: counts } = link.sections.Blocks
  const firstSection = files.Ranges.section[file]
  for (let at = firstSection; at < firstSection + files.Ranges.sections[file]; at++)
    flags.fill(sectionFlags(link.sections.Header.flags[at]), starts[at], starts[at] + counts[at])
}

function adoptSymbols(link: Link, file: number, kept: Link, old: number): void {
  const { symbols, files } = link
  const first = files.Ranges.symbol[file]
  const before = kept.files.Ranges.symbol[old]
  const count = files.Ranges.symbols[file]
  const { block, offset, flags, name } = symbols.Definition
  const { block: oldBlock, name: oldName } = kept.symbols.Definition
  const { names } = link.kept!
  const shift = files.Ranges.block[file] - kept.files.Ranges.block[old]
  copyColumn(offset, kept.symbols.Definition.offset, first, before, count)
  copyColumn(flags, kept.symbols.Loaded.flags, first, before, count)
  if (shift === 0) copyColumn(block, oldBlock, first, before, count)
  else for (let i = 0; i < count; i++) if (oldBlock[before + i] !== 0) block[first + i] = oldBlock[before + i] + shift
  for (let i = 0; i < count; i++) {
    const known = oldName[before + i]
    if (known === 0) continue
    if (names[known] === 0) names[known] = addKept(link, known)
    name[first + i] = names[known]
  }
}

const ABSOLUTE = SYMBOL_DEFINED | SYMBOL_ABSOLUTE

function adoptAbsolutes({ symbols, files }: Link, file: number, kept: Link, before: number): void {
  const first = files.Ranges.symbol[file]
  const { flags } = symbols.Definition
  for (let i = 0; i < files.Ranges.symbols[file]; i++)
    if ((flags[first + i] & ABSOLUTE) === ABSOLUTE)
      symbols.Reference.address[first + i] = kept.symbols.Reference.address[before + i]
}

function copyRows(
  to: Record<string, Column>,
  from: Record<string, Column>,
  first: number,
  before: number,
  count: number,
): void {
  for (const name in to) copyColumn(to[name], from[name], first, before, count)
}

function copyColumn<C extends Column>(to: C, from: C, first: number, before: number, count: number): void {
  to.set(from.subarray(before, before + count), first)
}
