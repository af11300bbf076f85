// Header and load commands: what dyld and the kernel ask of a file before they look at its contents.
import { readU32 } from '../core/bytes.ts'
import * as C from '../formats/macho/constants.ts'
import { type Check, fail, hex, isCode, isX86, sectionAt, segmentAt, warn } from './context.ts'

function count(check: Check, cmd: number): number {
  let found = 0
  for (const command of check.image.commands) if (command.cmd === cmd) found++
  return found
}

function checkEntry(check: Check): void {
  const { image, text } = check
  const main = count(check, C.LC_MAIN)
  const thread = count(check, C.LC_UNIXTHREAD)
  if (image.fileType !== C.MH_EXECUTE) {
    if (main + thread > 0) fail(check, 'bad-entry', 'LC_MAIN or LC_UNIXTHREAD in a file that is not an executable')
    return
  }
  if (main + thread !== 1) {
    fail(check, 'bad-entry', `got ${main} LC_MAIN and ${thread} LC_UNIXTHREAD, expected exactly one of them`)
  }
  if (image.mainOffset === null || text === null) return
  const section = sectionAt(check, text.vmAddress + image.mainOffset)
  const segment = section === null ? null : segmentAt(check, section.address)
  const problem = `entry offset ${hex(image.mainOffset)} is not in a code section`
  if (segment === null || (segment.initProtection & C.VM_PROT_EXECUTE) === 0) fail(check, 'bad-entry', problem)
  else if (!isCode(section)) warn(check, 'bad-entry', problem)
}

/** The kernel kills a main executable for arm64 that is not position independent. */
function checkFlags(check: Check): void {
  const { flags, fileType } = check.image
  const executable = fileType === C.MH_EXECUTE
  if (executable && (flags & C.MH_PIE) === 0 && !isX86(check)) {
    fail(check, 'bad-header', 'an arm64 executable without MH_PIE')
  }
  if (!executable && (flags & C.MH_PIE) !== 0) warn(check, 'bad-header', 'MH_PIE on a file that is not an executable')
  if ((flags & C.MH_DYLDLINK) === 0 && fileType !== C.MH_DYLINKER && count(check, C.LC_LOAD_DYLINKER) > 0) {
    fail(check, 'bad-header', 'LC_LOAD_DYLINKER without MH_DYLDLINK')
  }
}

function checkIdentity(check: Check): void {
  const { image } = check
  if (image.fileType === C.MH_DYLIB && image.id === null) fail(check, 'bad-header', 'a dylib without LC_ID_DYLIB')
  if (image.fileType !== C.MH_DYLIB && image.id !== null) {
    fail(check, 'bad-header', 'LC_ID_DYLIB in a file that is not a dylib', image.id.at)
  }
  const uuids = count(check, C.LC_UUID)
  if (uuids > 1) fail(check, 'bad-uuid', `got ${uuids} LC_UUID, expected one`)
  if (image.uuid?.every((byte) => byte === 0)) warn(check, 'bad-uuid', 'LC_UUID is all zero')
}

function checkDylinker(check: Check): void {
  const { fileType, flags } = check.image
  const linkers = count(check, C.LC_LOAD_DYLINKER)
  const wanted = fileType === C.MH_EXECUTE && (flags & C.MH_DYLDLINK) !== 0 ? 1 : 0
  if (linkers !== wanted) fail(check, 'bad-dylinker', `got ${linkers} LC_LOAD_DYLINKER, expected ${wanted}`)
}

/** dyld refuses a library named twice in programs built for recent SDKs. */
function checkDylibs(check: Check): void {
  const seen = new Set<string>()
  for (const dylib of check.image.dylibs) {
    if (dylib.name === '') fail(check, 'bad-dylib', 'a dylib command with an empty name', dylib.at)
    if (seen.has(dylib.name)) warn(check, 'duplicate-dylib', `${dylib.name} is loaded by two commands`, dylib.at)
    seen.add(dylib.name)
  }
}

/** Commands up to this number (without LC_REQ_DYLD) are defined; dyld refuses those it must know and does not. */
const LAST_KNOWN_COMMAND = 0x3b

function checkCommand(check: Check, cmd: number, at: number, size: number): void {
  if ((cmd & C.LC_REQ_DYLD) !== 0 && (cmd & ~C.LC_REQ_DYLD) >>> 0 > LAST_KNOWN_COMMAND) {
    warn(check, 'unknown-load-command', `load command ${hex(cmd)} is not known, and dyld must know it`, at)
  }
  if (size % 8 !== 0)
    warn(check, 'bad-load-command', `load command ${hex(cmd)} has ${size} bytes, not a multiple of 8`, at)
  if (cmd !== C.LC_BUILD_VERSION) return
  const tools = size >= 24 ? readU32(check.bytes, at + 20) : 0
  if (size !== 24 + 8 * tools)
    fail(check, 'bad-load-command', `LC_BUILD_VERSION of ${size} bytes with ${tools} tools`, at)
}

/** Commands that may stand once only: a reader that takes the first and one that takes the last would see two images. */
const SINGLE: readonly number[] = [
  C.LC_SYMTAB,
  C.LC_DYSYMTAB,
  C.LC_ID_DYLIB,
  C.LC_CODE_SIGNATURE,
  C.LC_DYLD_CHAINED_FIXUPS,
  C.LC_DYLD_EXPORTS_TRIE,
  C.LC_FUNCTION_STARTS,
  C.LC_DATA_IN_CODE,
]

function checkSingles(check: Check): void {
  for (const cmd of SINGLE) {
    const found = count(check, cmd)
    if (found > 1) fail(check, 'duplicate-load-command', `got ${found} commands ${hex(cmd)}, expected at most one`)
  }
  const infos = count(check, C.LC_DYLD_INFO) + count(check, C.LC_DYLD_INFO_ONLY)
  if (infos > 1) fail(check, 'duplicate-load-command', `got ${infos} LC_DYLD_INFO, expected at most one`)
  if (infos > 0 && check.image.tables.has(C.LC_DYLD_CHAINED_FIXUPS)) {
    fail(check, 'duplicate-load-command', 'both LC_DYLD_INFO and LC_DYLD_CHAINED_FIXUPS')
  }
}

export function checkHeader(check: Check): void {
  checkFlags(check)
  checkIdentity(check)
  checkDylinker(check)
  checkEntry(check)
  checkDylibs(check)
  checkSingles(check)
  for (const { cmd, at, size } of check.image.commands) checkCommand(check, cmd, at, size)
}
