// Static checks of a linked Mach-O, ours or not.
import { FormatError } from './core/bytes.ts'
import { sha256Into } from './core/sha256.ts'
import type { Sha256 } from './formats/codesign.ts'
import { isFat, readFat } from './formats/fat.ts'
import * as C from './formats/macho/constants.ts'
import { type Image, readImage } from './formats/macho/image.ts'
import type { Host } from './host/host.ts'
import type { Message } from './types.ts'
import { checkExports } from './verify/checkExports.ts'
import { checkFixups } from './verify/checkFixups.ts'
import { checkDataInCode, checkFunctionStarts } from './verify/checkFunctions.ts'
import { checkHeader } from './verify/checkHeader.ts'
import { checkLinkedit } from './verify/checkLinkedit.ts'
import { checkPointers } from './verify/checkPointers.ts'
import { checkSegments } from './verify/checkSegments.ts'
import { checkSignature } from './verify/checkSignature.ts'
import { checkSymbols } from './verify/checkSymbols.ts'
import { checkThreadLocals } from './verify/checkThreadLocals.ts'
import { checkUnwind } from './verify/checkUnwind.ts'
import { collectFixups } from './verify/collectFixups.ts'
import { type Check, createCheck } from './verify/context.ts'

export interface VerifyOptions {
  /** Name for the messages' locations. */
  file?: string
  /** For a native SHA-256. */
  host?: Pick<Host, 'sha256'>
}

interface Place {
  file: string
  member: string | null
  base: number
}

/** Later checks ask what earlier ones found: fixups, then function starts. */
const CHECKS: readonly ((check: Check) => void)[] = [
  checkHeader,
  checkSegments,
  checkLinkedit,
  checkSymbols,
  checkExports,
  collectFixups,
  checkFixups,
  checkPointers,
  checkThreadLocals,
  checkFunctionStarts,
  checkDataInCode,
  checkUnwind,
  checkSignature,
]

function errorAt(place: Place, id: string, text: string, offset: number): Message {
  const location: Message['location'] = { file: place.file, offset: place.base + offset }
  if (place.member !== null) location.member = place.member
  return { severity: 'error', id, text, location, notes: [] }
}

function archName(cpuType: number, cpuSubtype: number): string {
  if (cpuType === C.CPU_TYPE_X86_64) return (cpuSubtype & 0xff) === C.CPU_SUBTYPE_X86_64_H ? 'x86_64h' : 'x86_64'
  if (cpuType === C.CPU_TYPE_ARM64) return (cpuSubtype & 0xff) === C.CPU_SUBTYPE_ARM64E ? 'arm64e' : 'arm64'
  return `cpu type 0x${cpuType.toString(16)}`
}

/** What the file is must be one of what dyld loads; a text says what it is otherwise. */
function refusal(image: Image): string | null {
  const known = image.cpuType === C.CPU_TYPE_X86_64 || image.cpuType === C.CPU_TYPE_ARM64
  if (!known) return `got ${archName(image.cpuType, image.cpuSubtype)}, expected x86_64 or arm64`
  // Lookups by address go through all segments, and section numbers in symbols have 8 bits.
  if (image.segments.length > 255) return `got ${image.segments.length} segments, expected at most 255`
  const types: readonly number[] = [C.MH_EXECUTE, C.MH_DYLIB, C.MH_BUNDLE, C.MH_DYLINKER]
  if (types.includes(image.fileType)) return null
  return `got file type ${image.fileType}, expected an executable, dylib or bundle`
}

function verifyImage(bytes: Uint8Array, sha256: Sha256, place: Place): Message[] {
  const image = readImage(bytes)
  // A debug companion has the load commands of its image and none of its contents: reading them is the check.
  if (image.fileType === C.MH_DSYM) return []
  const refused = refusal(image)
  if (refused !== null) return [errorAt(place, 'unsupported-file', refused, 0)]
  const messages: Message[] = []
  const check = createCheck(image, sha256, messages, place)
  for (const run of CHECKS) run(check)
  const last = messages.at(-1)
  if (check.dropped > 0) last?.notes.push(`${check.dropped} more messages are not shown`)
  return messages
}

function verifyAt(bytes: Uint8Array, sha256: Sha256, place: Place): Message[] {
  try {
    return verifyImage(bytes, sha256, place)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return [errorAt(place, error.id, error.message, error.offset)]
  }
}

function verifyUniversal(bytes: Uint8Array, sha256: Sha256, file: string): Message[] {
  const place: Place = { file, member: null, base: 0 }
  const messages: Message[] = []
  let end = 0
  try {
    for (const slice of readFat(bytes).toSorted((a, b) => a.offset - b.offset)) {
      const member = archName(slice.cputype, slice.cpusubtype)
      if (slice.offset < end)
        messages.push(errorAt(place, 'fat-slice-overlap', `slice ${member} overlaps another`, slice.offset))
      if (slice.align > 32 || slice.offset % 2 ** slice.align !== 0) {
        messages.push(
          errorAt(place, 'fat-slice-align', `slice ${member} is not aligned to 2^${slice.align}`, slice.offset),
        )
      }
      end = slice.offset + slice.size
      // Slices of other architectures, 32-bit ones for instance, are none of our business.
      if (slice.cputype !== C.CPU_TYPE_X86_64 && slice.cputype !== C.CPU_TYPE_ARM64) continue
      messages.push(...verifyAt(bytes.subarray(slice.offset, end), sha256, { file, member, base: slice.offset }))
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    messages.push(errorAt(place, error.id, error.message, error.offset))
  }
  return messages
}

/**
 * Checks an executable, dylib or bundle for x86_64, arm64 or arm64e, each such slice of a universal file. An empty list
 * means good; errors are what dyld, the kernel or the unwinder would trip over, warnings what is unusual. Never throws for
 * malformed bytes. Sources: <mach-o/loader.h>, <mach-o/fixup-chains.h>, <kern/cs_blobs.h>, compact_unwind_encoding.h.
 */
export function verify(bytes: Uint8Array, options: VerifyOptions = {}): Message[] {
  const sha256 = options.host?.sha256.bind(options.host) ?? sha256Into
  const file = options.file ?? ''
  if (isFat(bytes)) return verifyUniversal(bytes, sha256, file)
  return verifyAt(bytes, sha256, { file, member: null, base: 0 })
}
