// What a build system needs to know of a link: Xcode's binary records, and Make's rules.
import { ByteSink } from '../core/bytes.ts'
import { VERSION_LINE } from './version.ts'

export interface Dependencies {
  read: readonly string[]
  missing: readonly string[]
  members?: readonly string[]
}

const VERSION_RECORD = 0x00
const INPUT_RECORD = 0x10
const MISSING_RECORD = 0x11
const OUTPUT_RECORD = 0x40

/** Records of an opcode byte and a NUL-terminated string, each kind sorted (ld64's -dependency_info). */
export function dependencyInfo({ read, missing, members = [] }: Dependencies, output: string): Uint8Array {
  const sink = new ByteSink()
  const record = (opcode: number, text: string) => {
    sink.u8(opcode)
    sink.cstring(text)
  }
  record(VERSION_RECORD, VERSION_LINE)
  for (const path of sorted([...read, ...members])) record(INPUT_RECORD, path)
  for (const path of sorted(missing)) record(MISSING_RECORD, path)
  record(OUTPUT_RECORD, output)
  return sink.finish()
}

/** One rule for the output, and an empty rule for each input so that a removed one is no error. */
export function dependencyRule({ read }: Dependencies, output: string): string {
  const inputs = sorted(read).map(escapeMake)
  const rule = `${[`${escapeMake(output)}:`, ...inputs].join(' \\\n  ')}\n`
  return rule + inputs.map((path) => `\n${path}:\n`).join('')
}

function sorted(paths: readonly string[]): string[] {
  return [...new Set(paths)].sort((a, b) => (a < b ? -1 : 1))
}

function escapeMake(path: string): string {
  return path.replace(/(\\*)([ #])/g, '$1$1\\$2').replaceAll('$', '$$$$')
}
