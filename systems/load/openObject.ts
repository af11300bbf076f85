// The header and the sections of an object, and whether it can take part.
import { FILE_BROKEN, FILE_SUBSECTIONS } from '../../components/files.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { error, warn } from '../../src/core/messages.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { type ObjectHeader, readObjectHeader } from '../../src/formats/macho/object.ts'
import { platformText } from '../../src/formats/macho/platformText.ts'
import { PLATFORM_NUMBERS } from '../../src/formats/tbd/platforms.ts'
import { fullVersionText, versionText } from '../../src/settings.ts'
import { isForeign } from '../kernels/architecture.ts'
import { loadSections } from './sections.ts'

/** Returns null for an object that cannot (reported). */
export function openObject(link: Link, file: number): ObjectHeader | null {
  const { Source, Tables, Ranges } = link.files
  const header = reading(link, file, () => {
    if (isForeign(link, file)) return null
    const { bytes } = link.arenas.list[Source.arena[file]]
    const found = readObjectHeader(bytes, Source.position[file], Source.size[file])
    return isLinkable(link, file, found) && loadSections(link, file, found) ? found : null
  })
  if (header === null) {
    breakFile(link, file)
    return null
  }
  if (header.flags & macho.MH_SUBSECTIONS_VIA_SYMBOLS) Source.flags[file] |= FILE_SUBSECTIONS
  Tables.dataInCode[file] = header.dataInCode
  Tables.dataInCodeSize[file] = header.dataInCodeSize
  Tables.hints[file] = header.hints
  Tables.hintsSize[file] = header.hintsSize
  Tables.nlist[file] = header.nlist
  Tables.strings[file] = header.strings
  Tables.stringsSize[file] = header.stringsSize
  Ranges.symbols[file] = header.symbolCount
  return header
}

/** What `read` returns; null after an error in the file's bytes, which is reported with the file's name. */
export function reading<T>(link: Link, file: number, read: () => T): T | null {
  try {
    return read()
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    error(
      link.messages,
      trouble.id,
      `${fileText(link, file)}: ${trouble.message}`,
      locate(link, file, { offset: trouble.offset }),
    )
    return null
  }
}

/** A file with an error defines and refers to nothing. */
export function breakFile(link: Link, file: number): void {
  link.files.Source.flags[file] |= FILE_BROKEN
  link.files.Ranges.sections[file] = 0
  link.files.Ranges.symbols[file] = 0
  link.files.Ranges.blocks[file] = 0
}

function isLinkable(link: Link, file: number, header: ObjectHeader): boolean {
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
