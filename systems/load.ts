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
import { checkpoint } from '../components/observer.ts'
import { FormatError, readU32, toText } from '../src/core/bytes.ts'
import { error, warn } from '../src/core/messages.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { type ObjectHeader, readLinkerOptions, readObjectHeader } from '../src/formats/macho/object.ts'
import { platformText } from '../src/formats/macho/platformText.ts'
import { PLATFORM_NUMBERS } from '../src/formats/tbd/platforms.ts'
import { fullVersionText, versionText } from '../src/settings.ts'
import { reportArchitecture } from './kernels/architecture.ts'
import { createSplitScratch, loadBlocks, type SplitScratch } from './load/blocks.ts'
import { createNameScratch, type NameScratch } from './load/nameScratch.ts'
import { loadRelocations } from './load/relocations.ts'
import { loadSections } from './load/sections.ts'
import { loadSymbols } from './load/symbols.ts'

/** Files between two looks at what goes on outside. */
const FILES_A_CHECK = 64

/** Returns how many files were parsed. */
export async function load(link: Link): Promise<number> {
  const { files } = link
  const scratch = createSplitScratch()
  const names = createNameScratch()
  let parsed = 0
  for (let file = 1; file <= files.count; file++) {
    const flags = files.Source.flags[file]
    if (files.Source.kind[file] !== FILE_OBJECT || (flags & (FILE_LOADED | FILE_PARSED)) !== FILE_LOADED) continue
    files.Source.flags[file] |= FILE_PARSED
    parseObject(link, file, scratch, names)
    link.visited.rows += files.Ranges.symbols[file]
    link.visited.read += files.Ranges.symbols[file] * macho.NLIST_SIZE + files.Tables.stringsSize[file]
    if (++parsed % FILES_A_CHECK === 0) await checkpoint(link.observer, file, files.count)
  }
  return parsed
}

function parseObject(link: Link, file: number, scratch: SplitScratch, names: NameScratch): void {
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
      loadSections(link, file, header) &&
      loadSymbols(link, file, header, hidden, names) &&
      loadBlocks(link, file, scratch)
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

function isLinkable(link: Link, file: number, header: ObjectHeader): boolean {
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  const magic = readU32(bytes, link.files.Source.position[file])
  if (magic !== macho.MH_MAGIC_64 || header.cputype !== link.arch.cputype) {
    reportArchitecture(link, file, header.cputype)
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
    const text = `has platform ${platformText(header.platform)}, which is different from target platform ${platformText(wanted)}`
    error(link.messages, 'incompatible-platform', `${fileText(link, file)} ${text}`, locate(link, file))
    return false
  }
  if (header.minVersion > platform.minVersion)
    warn(
      link.messages,
      'newer-object',
      `${fileText(link, file)} has version ${fullVersionText(header.minVersion)}, which is newer than target minimum of ${versionText(platform.minVersion)}`,
      locate(link, file),
    )
  return true
}

/** LC_LINKER_OPTION of a loaded object: its libraries take part from now on. */
function activateLibraries(link: Link, file: number, header: ObjectHeader): void {
  if (header.options === 0 || link.settings.ignoreAutoLink) return
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  for (const words of readLinkerOptions(bytes, link.files.Source.position[file], header, (from, to) =>
    toText(bytes, from, to),
  )) {
    if (
      words.length === 0 ||
      link.settings.ignoreAutoLinkLibraries?.includes(words[words.length - 1].replace(/^-l/, ''))
    )
      continue
    const found = link.autolinks.get(words.join(' '))
    if (found === undefined) {
      error(link.messages, 'bad-linker-option', `${words[0]} is not allowed in LC_LINKER_OPTION`, locate(link, file))
      continue
    }
    if (found.problem !== '') reportMissing(link, found, file)
    if (found.dylib >= 0) link.dylibs[found.dylib].active = true
    if (found.file !== 0) activateFile(link, found.file)
  }
}

/** ld64.lld: an object's wish that cannot be met is only told when something stays undefined. */
function reportMissing(link: Link, found: { problem: string }, file: number): void {
  const text = `auto-linked ${found.problem}`
  if (link.settings.strictAutoLink) error(link.messages, 'autolink-not-found', text, locate(link, file))
  else link.missingAutolinks.push(text)
  found.problem = ''
}

/** -force_load_swift_libs: what Swift objects ask for is loaded whole, unless the command line names it. */
function activateFile(link: Link, file: number): void {
  const { files, settings } = link
  if (files.Source.flags[file] & FILE_LOADED) return
  files.Source.flags[file] |= FILE_LOADED
  const name = link.paths[files.Source.path[file]].replace(/^.*[\\/]/, '')
  if (files.Source.kind[file] === FILE_ARCHIVE && settings.forceLoadSwiftLibs === true && name.startsWith('libswift'))
    files.Source.flags[file] |= FILE_FORCE_LOAD
}
