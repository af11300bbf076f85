// Objects for another processor: how they are told from others, and what is said of them.
import { fileText, type Link, locate } from '../../components/link.ts'
import { readU32 } from '../../src/core/bytes.ts'
import { error, warn } from '../../src/core/messages.ts'
import * as macho from '../../src/formats/macho/constants.ts'

/** Magic, CPU type and subtype. */
const HEADER_START = 12

const ARCH_NAMES: Record<number, string> = {
  [macho.CPU_TYPE_X86_64]: 'x86_64',
  [macho.CPU_TYPE_ARM64]: 'arm64',
  [macho.CPU_TYPE_ARM64_32]: 'arm64_32',
  [macho.CPU_TYPE_X86]: 'i386',
  [macho.CPU_TYPE_ARM]: 'arm',
}

/** Subtypes with a name of their own. Source: <mach/machine.h>. */
const SUBTYPE_NAMES: Record<number, Record<number, string>> = {
  [macho.CPU_TYPE_X86_64]: { [macho.CPU_SUBTYPE_X86_64_H]: 'x86_64h' },
  [macho.CPU_TYPE_ARM64]: { [macho.CPU_SUBTYPE_ARM64E]: 'arm64e' },
  [macho.CPU_TYPE_ARM]: {
    [macho.CPU_SUBTYPE_ARM_V6]: 'armv6',
    [macho.CPU_SUBTYPE_ARM_V7]: 'armv7',
    [macho.CPU_SUBTYPE_ARM_V7S]: 'armv7s',
    [macho.CPU_SUBTYPE_ARM_V7K]: 'armv7k',
  },
}

export function architectureText(cputype: number, cpusubtype: number): string {
  const subtype = (cpusubtype & ~macho.CPU_SUBTYPE_MASK) >>> 0
  return SUBTYPE_NAMES[cputype]?.[subtype] ?? ARCH_NAMES[cputype] ?? `unknown (cputype 0x${cputype.toString(16)})`
}

/**
 * Whether `object` is for another processor, by the start of its header: the rest may have another form. That is told, of the file
 * `named`, in a warning, or an error under -arch_errors_fatal.
 */
export function isForeign(link: Link, object: number, named = object): boolean {
  const { arena, position, size } = link.files.Source
  if (size[object] < HEADER_START) return false
  const { bytes } = link.arenas.list[arena[object]]
  const magic = readU32(bytes, position[object])
  const cputype = readU32(bytes, position[object] + 4)
  if (magic !== macho.MH_MAGIC && (magic !== macho.MH_MAGIC_64 || cputype === link.arch.cputype)) return false
  const is = architectureText(cputype, readU32(bytes, position[object] + 8))
  const text = `${fileText(link, named)} has architecture ${is} which is incompatible with target architecture ${link.arch.name}`
  const tell = link.settings.archErrorsFatal ? error : warn
  tell(link.messages, 'incompatible-architecture', text, locate(link, named, { offset: 4 }))
  return true
}
