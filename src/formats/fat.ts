// Universal ("fat") files: a big-endian table of slices, one per architecture (<mach-o/fat.h>).
import { FormatError, readU32be } from '../core/bytes.ts'
import { CPU_SUBTYPE_MASK, FAT_MAGIC, FAT_MAGIC_64 } from './macho/constants.ts'

const FAT_HEADER_SIZE = 8
const FAT_ARCH_SIZE = 20
const FAT_ARCH_64_SIZE = 32
/** Java class files share FAT_MAGIC; their version, 45 or more, stands where nfat_arch does. */
const JAVA_LOWEST_VERSION = 43

/** One slice; `offset` counts from the start of the fat file, `align` is a power of two. */
export interface FatSlice {
  cputype: number
  cpusubtype: number
  offset: number
  size: number
  align: number
}

/** Whether bytes[at, end) starts like a universal file. */
export function isFat(bytes: Uint8Array, at = 0, end = bytes.length): boolean {
  if (end - at < FAT_HEADER_SIZE) return false
  const magic = readU32be(bytes, at)
  return (magic === FAT_MAGIC || magic === FAT_MAGIC_64) && readU32be(bytes, at + 4) < JAVA_LOWEST_VERSION
}

function readU64be(bytes: Uint8Array, at: number): number {
  return readU32be(bytes, at) * 4294967296 + readU32be(bytes, at + 4)
}

/**
 * fat_arch      u32 cputype, cpusubtype, offset, size, align
 * fat_arch_64   u32 cputype, cpusubtype, u64 offset, size, u32 align, reserved
 */
function readSlice(bytes: Uint8Array, at: number, wide: boolean): FatSlice {
  return {
    cputype: readU32be(bytes, at),
    cpusubtype: readU32be(bytes, at + 4),
    offset: wide ? readU64be(bytes, at + 8) : readU32be(bytes, at + 8),
    size: wide ? readU64be(bytes, at + 16) : readU32be(bytes, at + 12),
    align: readU32be(bytes, at + (wide ? 24 : 16)),
  }
}

/**
 * The slices of the universal file bytes[from, to), in file order.
 * Throws FormatError `not-fat`, `fat-arch-bounds`, `fat-slice-bounds`, `fat-slice-overlap`; offsets count from `from`.
 */
export function readFat(bytes: Uint8Array, from = 0, to = bytes.length): FatSlice[] {
  if (!isFat(bytes, from, to)) throw new FormatError('not-fat', 'not a universal file', 0)
  const wide = readU32be(bytes, from) === FAT_MAGIC_64
  const entrySize = wide ? FAT_ARCH_64_SIZE : FAT_ARCH_SIZE
  const count = readU32be(bytes, from + 4)
  const tableEnd = FAT_HEADER_SIZE + count * entrySize
  const slices: FatSlice[] = []
  for (let at = FAT_HEADER_SIZE; at < tableEnd; at += entrySize) {
    if (at + entrySize > to - from)
      throw new FormatError('fat-arch-bounds', 'fat_arch struct extends beyond end of file', at)
    const slice = readSlice(bytes, from + at, wide)
    if (slice.offset + slice.size > to - from)
      throw new FormatError('fat-slice-bounds', 'slice extends beyond end of file', at)
    if (slice.offset < tableEnd) throw new FormatError('fat-slice-overlap', 'slice overlaps the table of slices', at)
    slices.push(slice)
  }
  return slices
}

/** The slice of exactly this type and subtype, capability bits aside, as ld64.lld picks it; null when there is none. */
export function pickSlice(slices: readonly FatSlice[], cputype: number, cpusubtype: number): FatSlice | null {
  const wanted = (cpusubtype & ~CPU_SUBTYPE_MASK) >>> 0
  for (const slice of slices) {
    if (slice.cputype === cputype && (slice.cpusubtype & ~CPU_SUBTYPE_MASK) >>> 0 === wanted) return slice
  }
  return null
}
