import { fileText, type Link, locate } from '../../components/link.ts'
import { error, warn } from '../../src/core/messages.ts'
import * as macho from '../../src/formats/macho/constants.ts'

const ARCH_NAMES: Record<number, string> = {
  [macho.CPU_TYPE_X86_64]: 'x86_64',
  [macho.CPU_TYPE_ARM64]: 'arm64',
  [macho.CPU_TYPE_ARM64_32]: 'arm64_32',
  [macho.CPU_TYPE_X86]: 'i386',
  [macho.CPU_TYPE_ARM]: 'arm',
}

export function architectureText(cputype: number): string {
  return ARCH_NAMES[cputype] ?? `unknown (cputype 0x${cputype.toString(16)})`
}

/** A file for another processor is left out with a warning, or an error under -arch_errors_fatal. */
export function reportArchitecture(link: Link, file: number, cputype: number): void {
  const text = `${fileText(link, file)} has architecture ${architectureText(cputype)} which is incompatible with target architecture ${link.arch.name}`
  const tell = link.settings.archErrorsFatal ? error : warn
  tell(link.messages, 'incompatible-architecture', text, locate(link, file, { offset: 4 }))
}
