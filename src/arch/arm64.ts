// arm64: relocations as in <mach-o/arm64/reloc.h>, code templates as ld64 lays them out.
import * as macho from '../formats/macho/constants.ts'
import {
  APPLY_BAD_INSTRUCTION,
  APPLY_MISALIGNED,
  APPLY_OK,
  APPLY_OUT_OF_RANGE,
  type Arch,
  R_ADDEND,
  R_BRANCH,
  R_BYTE4,
  R_BYTE8,
  R_GOT,
  R_KNOWN,
  R_LOAD,
  R_LOCAL,
  R_PAGE,
  R_PAGEOFF,
  R_PCREL,
  R_POINTER,
  R_SUBTRAHEND,
  R_TLV,
  R_UNSIGNED,
  type Range,
} from './arch.ts'

const attributes = Uint16Array.of(
  R_KNOWN | R_UNSIGNED | R_LOCAL | R_BYTE4 | R_BYTE8,
  R_KNOWN | R_SUBTRAHEND | R_BYTE4 | R_BYTE8,
  R_KNOWN | R_PCREL | R_BRANCH | R_BYTE4,
  R_KNOWN | R_PCREL | R_PAGE | R_BYTE4,
  R_KNOWN | R_PAGEOFF | R_BYTE4,
  R_KNOWN | R_PCREL | R_PAGE | R_GOT | R_BYTE4,
  R_KNOWN | R_PAGEOFF | R_GOT | R_LOAD | R_BYTE4,
  R_KNOWN | R_PCREL | R_GOT | R_POINTER | R_BYTE4 | R_BYTE8,
  R_KNOWN | R_PCREL | R_PAGE | R_TLV | R_BYTE4,
  R_KNOWN | R_PAGEOFF | R_TLV | R_LOAD | R_BYTE4,
  R_KNOWN | R_ADDEND | R_BYTE4,
  0,
  0,
  0,
  0,
  0,
)

const relocationNames = [
  'UNSIGNED',
  'SUBTRACTOR',
  'BRANCH26',
  'PAGE21',
  'PAGEOFF12',
  'GOT_LOAD_PAGE21',
  'GOT_LOAD_PAGEOFF12',
  'POINTER_TO_GOT',
  'TLVP_LOAD_PAGE21',
  'TLVP_LOAD_PAGEOFF12',
  'ADDEND',
].map((name) => `ARM64_RELOC_${name}`)

const BRANCH: Range = { low: -0x8000000, high: 0x7ffffff }
const PAGE: Range = { low: -0x100000000, high: 0xffffffff }
const INT32: Range = { low: -2147483648, high: 2147483647 }
const UINT32: Range = { low: 0, high: 4294967295 }

function range(type: number): Range {
  if (type === macho.ARM64_RELOC_BRANCH26) return BRANCH
  if (attributes[type] & R_PAGE) return PAGE
  return type === macho.ARM64_RELOC_UNSIGNED ? UINT32 : INT32
}

function apply(view: DataView, at: number, type: number, P: number, value: number, relax: boolean): number {
  switch (type) {
    case macho.ARM64_RELOC_BRANCH26:
      return applyBranch(view, at, value - P)
    case macho.ARM64_RELOC_PAGE21:
    case macho.ARM64_RELOC_GOT_LOAD_PAGE21:
    case macho.ARM64_RELOC_TLVP_LOAD_PAGE21:
      return applyPage(view, at, value, P)
    case macho.ARM64_RELOC_PAGEOFF12:
      return applyPageOffset(view, at, value)
    case macho.ARM64_RELOC_GOT_LOAD_PAGEOFF12:
    case macho.ARM64_RELOC_TLVP_LOAD_PAGEOFF12:
      return relax ? relaxLoad(view, at, value) : applyPageOffset(view, at, value)
    case macho.ARM64_RELOC_POINTER_TO_GOT: {
      const distance = value - P
      if (distance < INT32.low || distance > INT32.high) return APPLY_OUT_OF_RANGE
      view.setInt32(at, distance, true)
      return APPLY_OK
    }
    default:
      if (value < 0 || value > 4294967295) return APPLY_OUT_OF_RANGE
      view.setUint32(at, value, true)
      return APPLY_OK
  }
}

function applyBranch(view: DataView, at: number, distance: number): number {
  if (distance < BRANCH.low || distance > BRANCH.high) return APPLY_OUT_OF_RANGE
  view.setInt32(at, (view.getInt32(at, true) & ~0x3ffffff) | ((distance >> 2) & 0x3ffffff), true)
  return APPLY_OK
}

function applyPage(view: DataView, at: number, value: number, P: number): number {
  const small = (value | 0) === value && (P | 0) === P
  const pages = small ? (value >> 12) - (P >> 12) : Math.floor(value / 4096) - Math.floor(P / 4096)
  if (pages < -0x100000 || pages > 0xfffff) return APPLY_OUT_OF_RANGE
  const instruction = view.getInt32(at, true) & ~0x60ffffe0
  view.setInt32(at, instruction | ((pages & 3) << 29) | ((pages & 0x1ffffc) << 3), true)
  return APPLY_OK
}

/** Loads and stores scale their 12-bit immediate by the access size, which is 2 to this power; add does not. */
export function accessPow2(instruction: number): number {
  if ((instruction & 0x3b000000) !== 0x39000000) return 0
  const scale = instruction >>> 30
  return scale === 0 && (instruction & 0x04800000) === 0x04800000 ? 4 : scale
}

function applyPageOffset(view: DataView, at: number, value: number): number {
  const instruction = view.getInt32(at, true)
  const scale = accessPow2(instruction)
  const offset = value & 0xfff
  if (offset & ((1 << scale) - 1)) return APPLY_MISALIGNED
  view.setInt32(at, (instruction & ~0x3ffc00) | ((offset >> scale) << 10), true)
  return APPLY_OK
}

/** ldr x, [x, #off] -> add x, x, #off */
function relaxLoad(view: DataView, at: number, value: number): number {
  const instruction = view.getUint32(at, true)
  if ((instruction & 0xffc00000) >>> 0 !== 0xf9400000) return APPLY_BAD_INSTRUCTION
  view.setUint32(at, 0x91000000 | (instruction & 0x3ff) | ((value & 0xfff) << 10), true)
  return APPLY_OK
}

function adrp(view: DataView, at: number, register: number, P: number, target: number): void {
  view.setUint32(at, 0x90000000 | register, true)
  applyPage(view, at, target, P)
}

function withPageOffset(view: DataView, at: number, instruction: number, target: number): void {
  view.setUint32(at, instruction, true)
  applyPageOffset(view, at, target)
}

/** adrp x16, pointer; ldr x16, [x16, pointer]; br x16 */
function writeStub(view: DataView, at: number, stub: number, pointer: number): void {
  adrp(view, at, 16, stub, pointer)
  withPageOffset(view, at + 4, 0xf9400210, pointer)
  view.setUint32(at + 8, 0xd61f0200, true)
}

/** adrp/add x17, cache; stp x16, x17, [sp, #-16]!; adrp/ldr x16, binder; br x16 */
function writeStubHelperHeader(
  view: DataView,
  at: number,
  header: number,
  loaderCache: number,
  binderPointer: number,
): void {
  adrp(view, at, 17, header, loaderCache)
  withPageOffset(view, at + 4, 0x91000231, loaderCache)
  view.setUint32(at + 8, 0xa9bf47f0, true)
  adrp(view, at + 12, 16, header + 12, binderPointer)
  withPageOffset(view, at + 16, 0xf9400210, binderPointer)
  view.setUint32(at + 20, 0xd61f0200, true)
}

/** ldr w16, record; b header; record: */
function writeStubHelperEntry(view: DataView, at: number, entry: number, header: number, record: number): void {
  view.setUint32(at, 0x18000050, true)
  view.setUint32(at + 4, 0x14000000, true)
  applyBranch(view, at + 4, header - entry - 4)
  view.setUint32(at + 8, record, true)
}

/** adrp/ldr x1, selector; then adrp/ldr/br x16 through the GOT and traps, or (small) b objc_msgSend's stub */
function writeObjcStub(
  view: DataView,
  at: number,
  stub: number,
  selectorReference: number,
  target: number,
  small: boolean,
): void {
  adrp(view, at, 1, stub, selectorReference)
  withPageOffset(view, at + 4, 0xf9400021, selectorReference)
  if (small) {
    view.setUint32(at + 8, 0x14000000, true)
    applyBranch(view, at + 8, target - stub - 8)
    return
  }
  adrp(view, at + 8, 16, stub + 8, target)
  withPageOffset(view, at + 12, 0xf9400210, target)
  view.setUint32(at + 16, 0xd61f0200, true)
  for (let word = 20; word < 32; word += 4) view.setUint32(at + word, 0xd4200020, true)
}

/** adrp x16, target; add x16, x16, target; br x16 */
function writeThunk(view: DataView, at: number, thunk: number, target: number): void {
  adrp(view, at, 16, thunk, target)
  withPageOffset(view, at + 4, 0x91000210, target)
  view.setUint32(at + 8, 0xd61f0200, true)
}

export const arm64: Arch = {
  name: 'arm64',
  cputype: macho.CPU_TYPE_ARM64,
  cpusubtype: macho.CPU_SUBTYPE_ARM64_ALL,
  pageSize: 0x4000,
  attributes,
  relocationNames,
  pcOffsets: new Uint8Array(16),
  stubSize: 12,
  stubHelperHeaderSize: 24,
  stubHelperEntrySize: 12,
  objcStubSize: 32,
  objcStubSmallSize: 12,
  objcStubAlignPow2: 5,
  thunkSize: 12,
  branchReach: 0x8000000,
  dwarfMode: 0x03000000,
  dwarfModeMask: 0x0f000000,
  trap: 0xd4200020,
  range,
  apply,
  writeStub,
  writeStubHelperHeader,
  writeStubHelperEntry,
  writeObjcStub,
  writeThunk,
}
