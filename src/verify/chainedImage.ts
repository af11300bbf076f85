// Chained fixups of any 64-bit user-space image: the formats the linker writes, and those of arm64e beside them.
import { FormatError, readU16, readU32, writeU16 } from '../core/bytes.ts'
import { type ChainedFixups, decodeChainedFixups, walkChain } from '../formats/dyld/chainedFixups.ts'
import * as C from '../formats/macho/constants.ts'
import { type Check, warn } from './context.ts'

const FORMATS: readonly number[] = [
  C.DYLD_CHAINED_PTR_ARM64E,
  C.DYLD_CHAINED_PTR_64,
  C.DYLD_CHAINED_PTR_64_OFFSET,
  C.DYLD_CHAINED_PTR_ARM64E_USERLAND,
  C.DYLD_CHAINED_PTR_ARM64E_USERLAND24,
]

/** `formats[i]` is the pointer format of segment i, 0 where it has no fixups. */
export type ChainedImage = ChainedFixups & { formats: number[] }

/** For a bind `value` is the import's index, for a rebase the target's address. */
export type ChainVisit = (segment: number, offset: number, bind: boolean, value: number) => void

/** Offset of the pointer_format of segment i's starts, -1 where there is none. */
function formatAt(bytes: Uint8Array, index: number): number {
  const starts = readU32(bytes, 4)
  const offset = starts + 8 + 4 * index <= bytes.length ? readU32(bytes, starts + 4 + 4 * index) : 0
  return offset === 0 || starts + offset + 8 > bytes.length ? -1 : starts + offset + 6
}

/** Starts differ between formats in nothing but that field, so the table is read as one of the linker's own. */
export function chainedImports(check: Check, bytes: Uint8Array): ChainedImage {
  const plain = new Uint8Array(bytes)
  const count = check.image.segments.length
  const formats: number[] = []
  for (let i = 0; i < count && bytes.length >= 28; i++) {
    const at = formatAt(bytes, i)
    formats.push(at < 0 ? 0 : readU16(bytes, at))
    if (at >= 0 && FORMATS.includes(formats[i])) writeU16(plain, at, C.DYLD_CHAINED_PTR_64_OFFSET)
  }
  const chained = decodeChainedFixups(plain)
  if (chained.segments.length > count) {
    throw new FormatError('chained-segments', `starts for ${chained.segments.length} segments, there are ${count}`, 0)
  }
  return { ...chained, formats }
}

/** dyld_chained_ptr_arm64e...: target or import below; next:11 from bit 51, in steps of 8; bind bit 62; auth bit 63. */
function walkArm64e(check: Check, chained: ChainedImage, index: number, base: number, visit: ChainVisit): void {
  const starts = chained.segments[index]
  const segment = check.image.segments[index]
  if (starts === null) return
  const format = chained.formats[index]
  const importMask = format === C.DYLD_CHAINED_PTR_ARM64E_USERLAND24 ? 0xffffff : 0xffff
  const end = Math.min(segment.fileSize, check.bytes.length - segment.fileOffset)
  for (let page = 0; page < starts.pageStarts.length; page++) {
    if (starts.pageStarts[page] === C.DYLD_CHAINED_PTR_START_NONE) continue
    const pageEnd = (page + 1) * starts.pageSize
    let offset = page * starts.pageSize + starts.pageStarts[page]
    for (let next = -1; next !== 0; offset += next * 8) {
      if (offset >= pageEnd || offset + 8 > end)
        throw new FormatError('chained-chain', `pointer at ${offset} is outside its page`, 0)
      const low = readU32(check.bytes, segment.fileOffset + offset)
      const high = readU32(check.bytes, segment.fileOffset + offset + 4)
      next = (high >>> 19) & 0x7ff
      const auth = high >= 0x80000000
      const bind = (high & 0x40000000) !== 0
      const target = auth ? low : low + (high & 0x7ff) * 4294967296
      const isOffset = auth || format !== C.DYLD_CHAINED_PTR_ARM64E
      visit(index, offset, bind, bind ? low & importMask : isOffset ? target + base : target)
    }
  }
}

/** Visits every pointer of every chain. Throws FormatError where a chain leaves its page or segment. */
export function walkChains(check: Check, chained: ChainedImage, visit: ChainVisit): void {
  const { bytes, image } = check
  const base = check.text?.vmAddress ?? 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0; i < chained.segments.length; i++) {
    const starts = chained.segments[i]
    const segment = image.segments[i]
    if (starts === null) continue
    if (starts.offset !== segment.vmAddress - base) {
      warn(
        check,
        'chained-segment',
        `starts of ${segment.name} name offset ${starts.offset}, expected ${segment.vmAddress - base}`,
      )
    }
    const format = chained.formats[i]
    if (format !== C.DYLD_CHAINED_PTR_64 && format !== C.DYLD_CHAINED_PTR_64_OFFSET) {
      walkArm64e(check, chained, i, base, visit)
      continue
    }
    const slide = format === C.DYLD_CHAINED_PTR_64_OFFSET ? base : 0
    walkChain(view, segment.fileOffset, segment.fileSize, starts, (offset, bind, value) => {
      visit(i, offset, bind, bind ? value : value + slide)
    })
  }
}
