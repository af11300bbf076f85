// load: parses every object that takes part and is not parsed yet: sections, symbols, blocks, relocation runs, and activates the
// libraries that it names itself.
// Reads: files, arenas. Writes: sections, symbols, blocks, names (rows), file flags.
// Runs in turn with resolve until nothing more is wanted. Cost: one pass over the nlist records, name bytes and relocation
// addresses of the new files.

import {
  FILE_ARCHIVE,
  FILE_BROKEN,
  FILE_FORCE_LOAD,
  FILE_HIDDEN,
  FILE_LOADED,
  FILE_OBJECT,
  FILE_PARSED,
  FILE_SUBSECTIONS,
} from '../components/files.ts'
import { fileText, type Link, locate } from '../components/link.ts'
import { FormatError, readU32, toText } from '../src/core/bytes.ts'
import { error, warn } from '../src/core/messages.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { type ObjectHeader, readLinkerOptions, readObjectHeader } from '../src/formats/macho/object.ts'
import { PLATFORM_NUMBERS } from '../src/formats/tbd/platforms.ts'
import { versionText } from '../src/settings.ts'
import { createSplitScratch, loadBlocks, type SplitScratch } from './load/blocks.ts'
import { loadRelocations } from './load/relocations.ts'
import { loadSections } from './load/sections.ts'
import { loadSymbols } from './load/symbols.ts'

/** Returns how many files were parsed. */
export function load(link: Link): number {
  const { files } = link
  const scratch = createSplitScratch()
  let parsed = 0
  for (let file = 1; file <= files.count; file++) {
    const flags = files.Source.flags[file]
    if (files.Source.kind[file] !== FILE_OBJECT || (flags & (FILE_LOADED | FILE_PARSED)) !== FILE_LOADED) continue
    files.Source.flags[file] |= FILE_PARSED
    parseObject(link, file, scratch)
    link.visited.rows += files.Ranges.symbols[file]
    link.visited.bytes += files.Source.size[file]
    parsed++
  }
  return parsed
}

function parseObject(link: Link, file: number, scratch: SplitScratch): void {
  const { files } = link
  const { bytes } = link.arenas.list[files.Source.arena[file]]
  try {
    const header = readObjectHeader(bytes, files.Source.position[file], files.Source.size[file])
    if (!isLinkable(link, file, header)) return breakFile(link, file)
    if (header.flags & macho.MH_SUBSECTIONS_VIA_SYMBOLS) files.Source.flags[file] |= FILE_SUBSECTIONS
    files.Tables.dataInCode[file] = header.dataInCode
    files.Tables.dataInCodeSize[file] = header.dataInCodeSize
    files.Tables.hints[file] = header.hints
    files.Tables.hintsSize[file] = header.hintsSize
    const hidden = (files.Source.flags[file] & FILE_HIDDEN) !== 0
    const ok =
      loadSections(link, file, header) && loadSymbols(link, file, header, hidden) && loadBlocks(link, file, scratch)
    if (!ok) return breakFile(link, file)
    loadRelocations(link, file)
    activateLibraries(link, file, header)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    error(
      link.messages,
      trouble.id,
      `${fileText(link, file)}: ${trouble.message}`,
      locate(link, file, { offset: trouble.offset }),
    )
    breakFile(link, file)
  }
}

/** A file with an error defines and refers to nothing. */
function breakFile(link: Link, file: number): void {
  link.files.Source.flags[file] |= FILE_BROKEN
  link.files.Ranges.sections[file] = 0
  link.files.Ranges.symbols[file] = 0
  link.files.Ranges.blocks[file] = 0
}

const ARCH_NAMES: Record<number, string> = {
  [macho.CPU_TYPE_X86_64]: 'x86_64',
  [macho.CPU_TYPE_ARM64]: 'arm64',
  [macho.CPU_TYPE_ARM64_32]: 'arm64_32',
  [macho.CPU_TYPE_X86]: 'i386',
  [macho.CPU_TYPE_ARM]: 'arm',
}

function isLinkable(link: Link, file: number, header: ObjectHeader): boolean {
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  const magic = readU32(bytes, link.files.Source.position[file])
  if (magic !== macho.MH_MAGIC_64 || header.cputype !== link.arch.cputype) {
    const has = ARCH_NAMES[header.cputype] ?? `unknown (cputype 0x${header.cputype.toString(16)})`
    const text = `${fileText(link, file)} has architecture ${has} which is incompatible with target architecture ${link.arch.name}`
    if (link.settings.archErrorsFatal)
      error(link.messages, 'incompatible-architecture', text, locate(link, file, { offset: 4 }))
    else warn(link.messages, 'incompatible-architecture', text, locate(link, file, { offset: 4 }))
    return false
  }
  if (header.filetype !== macho.MH_OBJECT) {
    error(
      link.messages,
      'not-an-object',
      `${fileText(link, file)}: unhandled file type ${header.filetype}`,
      locate(link, file, { offset: 12 }),
    )
    return false
  }
  return isForPlatform(link, file, header)
}

/** Simulators share their objects' platform with the device in old files (LC_VERSION_MIN), as ld64.lld allows. */
function isForPlatform(link: Link, file: number, header: ObjectHeader): boolean {
  if (header.platform === 0) return true
  const { platform } = link.settings
  const wanted = PLATFORM_NUMBERS[platform.name]
  const base =
    header.platform === macho.PLATFORM_IOS ||
    header.platform === macho.PLATFORM_TVOS ||
    header.platform === macho.PLATFORM_WATCHOS
  if (header.platform !== wanted && !(base && wanted === header.platform + 5)) {
    const has = PLATFORM_TEXTS[header.platform] ?? `${header.platform}`
    error(
      link.messages,
      'incompatible-platform',
      `${fileText(link, file)} has platform ${has}, which is different from target platform ${PLATFORM_TEXTS[wanted]}`,
      locate(link, file),
    )
    return false
  }
  if (header.minVersion > platform.minVersion)
    warn(
      link.messages,
      'newer-object',
      `${fileText(link, file)} has version ${versionText3(header.minVersion)}, which is newer than target minimum of ${versionText3(platform.minVersion)}`,
      locate(link, file),
    )
  return true
}

function versionText3(packed: number): string {
  const text = versionText(packed)
  return text.split('.').length === 2 ? `${text}.0` : text
}

const PLATFORM_TEXTS: Record<number, string> = {
  1: 'macOS',
  2: 'iOS',
  3: 'tvOS',
  4: 'watchOS',
  5: 'bridgeOS',
  6: 'macCatalyst',
  7: 'iOS Simulator',
  8: 'tvOS Simulator',
  9: 'watchOS Simulator',
  10: 'DriverKit',
  11: 'xrOS',
  12: 'xrOS Simulator',
}

/** LC_LINKER_OPTION of a loaded object: its libraries take part from now on. */
function activateLibraries(link: Link, file: number, header: ObjectHeader): void {
  if (header.options === 0 || link.settings.ignoreAutoLink) return
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  for (const words of readLinkerOptions(bytes, link.files.Source.position[file], header, (from, to) =>
    toText(bytes, from, to),
  )) {
    if (link.settings.ignoreAutoLinkLibraries?.includes(words[words.length - 1].replace(/^-l/, ''))) continue
    const found = link.autolinks.get(words.join(' '))
    if (found === undefined) continue
    if (found.problem !== '') reportMissing(link, found, file)
    if (found.dylib >= 0) link.dylibs[found.dylib].active = true
    if (found.file !== 0) activateFile(link, found.file)
  }
}

/** ld64.lld: an object's wish that cannot be met is only told when something stays undefined. */
function reportMissing(link: Link, found: { problem: string }, file: number): void {
  const { settings } = link
  if (!settings.strictAutoLink) return
  warn(link.messages, 'autolink-not-found', `${found.problem}`, locate(link, file))
  found.problem = ''
}

function activateFile(link: Link, file: number): void {
  const { files } = link
  files.Source.flags[file] |= FILE_LOADED
  if (files.Source.kind[file] !== FILE_ARCHIVE || (files.Source.flags[file] & FILE_FORCE_LOAD) === 0) return
  for (let member = file + 1; member <= files.count && files.Order.parent[member] === file; member++)
    files.Source.flags[member] |= FILE_LOADED
}
