// Architecture and platform of a link that does not name them: those of the first object file.
import { FormatError } from './core/bytes.ts'
import { CPU_TYPE_ARM64, CPU_TYPE_X86_64, MH_MAGIC_64, MH_OBJECT } from './formats/macho/constants.ts'
import { type ObjectHeader, readObjectHeader } from './formats/macho/object.ts'
import { platformNumbered } from './formats/tbd/platforms.ts'
import { type Host, HostError } from './host/host.ts'
import { version } from './settings.ts'
import type { Arch, Input, LinkOptions, Platform } from './types.ts'

const HEADER_BYTES = 65536

export function inferTarget(options: LinkOptions, host: Host): { arch: Arch; platform: Platform } {
  const header = options.arch !== undefined && options.platform !== undefined ? null : firstHeader(options, host)
  const arch = options.arch ?? (header?.cputype === CPU_TYPE_X86_64 ? 'x86_64' : 'arm64')
  return { arch, platform: options.platform ?? platformOf(header) }
}

function platformOf(header: ObjectHeader | null): Platform {
  const name = header === null ? null : platformNumbered(header.platform)
  if (header === null || name === null) return { name: 'macos', minVersion: version(11), sdkVersion: version(11) }
  return { name, minVersion: header.minVersion, sdkVersion: header.sdkVersion || header.minVersion }
}

function firstHeader(options: LinkOptions, host: Host): ObjectHeader | null {
  for (const given of options.inputs) {
    const input: Input = typeof given === 'string' ? { path: given } : given
    const bytes = input.contents ?? (input.path === undefined ? null : readHead(host, input.path))
    if (bytes === null || bytes.length < 32) continue
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const isObject = view.getUint32(0, true) === MH_MAGIC_64 && view.getUint32(12, true) === MH_OBJECT
    const cputype = view.getUint32(4, true)
    if (!isObject || (cputype !== CPU_TYPE_X86_64 && cputype !== CPU_TYPE_ARM64)) continue
    try {
      return readObjectHeader(bytes, 0, host.stat(input.path ?? '')?.size ?? bytes.length)
    } catch (trouble) {
      if (!(trouble instanceof FormatError)) throw trouble
    }
  }
  return null
}

function readHead(host: Host, path: string): Uint8Array | null {
  const size = host.stat(path)?.size ?? 0
  if (size === 0) return null
  const bytes = new Uint8Array(Math.min(size, HEADER_BYTES))
  try {
    return bytes.subarray(0, host.readInto(path, bytes, 0, bytes.length, 0))
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    return null // survey reports it
  }
}
