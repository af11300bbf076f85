// What the load commands of an edited image say of the options that it was made with.
import { cstringEnd, FormatError, readU32, toText } from '../core/bytes.ts'
import { ARCHITECTURES } from '../arch/architectures.ts'
import * as macho from '../formats/macho/constants.ts'
import type { Image, ImageDylib, LoadCommand } from '../formats/macho/image.ts'
import { platformNumbered } from '../formats/tbd/platforms.ts'
import type { Arch, Platform, PlatformName } from '../types.ts'
import type { ImageLibrary, ImageOptions } from './types.ts'

const OLD_PLATFORMS: Readonly<Record<number, PlatformName>> = {
  [macho.LC_VERSION_MIN_MACOSX]: 'macos',
  [macho.LC_VERSION_MIN_IPHONEOS]: 'ios',
  [macho.LC_VERSION_MIN_TVOS]: 'tvos',
  [macho.LC_VERSION_MIN_WATCHOS]: 'watchos',
}
/** Bytes of a dylib_command before the name; a build_version_command's. */
const [DYLIB_SIZE, BUILD_SIZE] = [24, 24]

/** @throws FormatError where it is no executable or library that `createImage` makes. */
export function readOptions(image: Image): ImageOptions {
  const arch = Object.values(ARCHITECTURES).find(({ cputype }) => cputype === image.cpuType)?.name
  if (arch === undefined) throw new FormatError('not-an-edited-image', `got CPU type ${image.cpuType}`, 4)
  const outputType = image.fileType === macho.MH_EXECUTE ? 'execute' : 'dylib'
  if (outputType === 'dylib' && image.fileType !== macho.MH_DYLIB)
    throw new FormatError(
      'not-an-edited-image',
      `got file type ${image.fileType}, expected an executable or a library`,
      12,
    )
  const id = image.id === null ? {} : libraryOf(image, image.id)
  return {
    arch,
    outputType,
    platform: readPlatform(image, arch),
    ...id,
    rpaths: image.commands.filter(({ cmd }) => cmd === macho.LC_RPATH).map((command) => textOf(image, command)),
    fixupChains: image.tables.has(macho.LC_DYLD_CHAINED_FIXUPS),
    adhocCodesign: image.tables.has(macho.LC_CODE_SIGNATURE),
    libraries: image.dylibs.map((dylib) => readLibrary(image, dylib)),
  }
}

function libraryOf(image: Image, { at, name }: ImageDylib): ImageLibrary {
  if (readU32(image.bytes, at + 4) < DYLIB_SIZE)
    throw new FormatError('bad-load-command', 'a dylib command is cut off', at)
  const [currentVersion, compatibilityVersion] = [16, 20].map((field) => readU32(image.bytes, at + field))
  return { installName: name, currentVersion, compatibilityVersion }
}

function readLibrary(image: Image, dylib: ImageDylib): ImageLibrary {
  const { cmd, at, name } = dylib
  if (cmd !== macho.LC_LOAD_DYLIB && cmd !== macho.LC_LOAD_WEAK_DYLIB)
    throw new FormatError('not-an-edited-image', `${name} is loaded in a way that edited images do not know`, at)
  return { ...libraryOf(image, dylib), weak: cmd === macho.LC_LOAD_WEAK_DYLIB }
}

function textOf({ bytes }: Image, { at, size }: LoadCommand): string {
  const offset = size < 12 ? size : readU32(bytes, at + 8)
  if (offset >= size) throw new FormatError('bad-load-command', `a text at ${offset} is past its ${size} bytes`, at)
  return toText(bytes, at + offset, cstringEnd(bytes, at + offset, at + size))
}

export function readPlatform({ bytes, commands }: Image, arch: Arch): Platform {
  for (const { cmd, at, size } of commands) {
    const old = OLD_PLATFORMS[cmd]
    const needed = old === undefined ? BUILD_SIZE : 16
    if (old === undefined && cmd !== macho.LC_BUILD_VERSION) continue
    if (size < needed) throw new FormatError('bad-load-command', `a version command has ${size} bytes`, at)
    if (old !== undefined) {
      const name = arch === 'x86_64' && old !== 'macos' ? (`${old}-simulator` as PlatformName) : old
      return { name, minVersion: readU32(bytes, at + 8), sdkVersion: readU32(bytes, at + 12) }
    }
    const name = platformNumbered(readU32(bytes, at + 8))
    if (name === null) throw new FormatError('not-an-edited-image', `got platform ${readU32(bytes, at + 8)}`, at + 8)
    return { name, minVersion: readU32(bytes, at + 12), sdkVersion: readU32(bytes, at + 16) }
  }
  throw new FormatError('not-an-edited-image', 'no load command says for which platform it is', 0)
}
