// The seam between the linker and an architecture: relocation attributes, their application, code templates.
import type { Arch as ArchName } from '../types.ts'

export const R_PCREL = 1 << 0
export const R_BYTE4 = 1 << 1
export const R_BYTE8 = 1 << 2
/** May name a section instead of a symbol. */
export const R_LOCAL = 1 << 3
export const R_BRANCH = 1 << 4
export const R_GOT = 1 << 5
export const R_TLV = 1 << 6
/** A load through the GOT or a TLV pointer, relaxed to an address computation when the target is in the image. */
export const R_LOAD = 1 << 7
/** Wants the address of a GOT slot itself: never relaxed. PC-relative in 4 bytes, an address in 8 (`.quad _x@GOT`). */
export const R_POINTER = 1 << 8
export const R_UNSIGNED = 1 << 9
export const R_SUBTRAHEND = 1 << 10
export const R_ADDEND = 1 << 11
export const R_PAGE = 1 << 12
export const R_PAGEOFF = 1 << 13
/** Is a relocation type at all. */
export const R_KNOWN = 1 << 14

/** What `apply` found wrong; 0 is right. The value that does not fit is in `Arch.failed`. */
export const APPLY_OK = 0
export const APPLY_OUT_OF_RANGE = 1
export const APPLY_MISALIGNED = 2
export const APPLY_BAD_INSTRUCTION = 3

/** Bounds of a field, for the message about a value out of range. */
export interface Range {
  low: number
  high: number
}

export interface Arch {
  readonly name: ArchName
  readonly cputype: number
  readonly cpusubtype: number
  readonly pageSize: number
  /** Attributes and names by relocation type, 16 each. */
  readonly attributes: Uint16Array
  readonly relocationNames: readonly string[]
  /** Bytes between the end of a pc-relative field's 4 bytes and the pc it counts from, by type (x86_64 SIGNED_n). */
  readonly pcOffsets: Uint8Array
  readonly stubSize: number
  readonly stubHelperHeaderSize: number
  readonly stubHelperEntrySize: number
  readonly objcStubSize: number
  readonly objcStubSmallSize: number
  readonly objcStubAlignPow2: number
  readonly thunkSize: number
  /** How far a branch reaches either way; Infinity where every image fits. */
  readonly branchReach: number
  /** Compact unwind mode that means "see the FDE". */
  readonly dwarfMode: number
  readonly dwarfModeMask: number
  /** First word of a trap instruction sequence, for holes in code. */
  readonly trap: number
  range(type: number): Range
  /** Writes value S + A - P (or S + A) into the field of a relocation of this type; `relax` turns a GOT load into an address. */
  apply(view: DataView, at: number, type: number, P: number, value: number, relax: boolean): number
  writeStub(view: DataView, at: number, stub: number, pointer: number): void
  writeStubHelperHeader(view: DataView, at: number, header: number, loaderCache: number, binderPointer: number): void
  writeStubHelperEntry(view: DataView, at: number, entry: number, header: number, record: number): void
  /** objc_msgSend$selector: loads the selector and jumps to objc_msgSend, through its GOT slot or (small) to its stub. */
  writeObjcStub(
    view: DataView,
    at: number,
    stub: number,
    selectorReference: number,
    target: number,
    small: boolean,
  ): void
  writeThunk(view: DataView, at: number, thunk: number, target: number): void
}

/** The same architecture with branches that reach `reach` bytes only, so that tests need little code to outgrow them. */
export function withBranchReach(arch: Arch, reach: number): Arch {
  if (arch.thunkSize === 0) return arch
  const apply: Arch['apply'] = (view, at, type, P, value, relax) => {
    const far = value < P - reach || value > P + reach - 4
    return far && arch.attributes[type] & R_BRANCH ? APPLY_OUT_OF_RANGE : arch.apply(view, at, type, P, value, relax)
  }
  return { ...arch, branchReach: reach, apply }
}
