// x86_64: relocations as in <mach-o/x86_64/reloc.h>, code templates as ld64 lays them out.
import * as macho from '../formats/macho/constants.ts'
import {
  APPLY_BAD_INSTRUCTION,
  APPLY_OK,
  APPLY_OUT_OF_RANGE,
  type Arch,
  R_BRANCH,
  R_BYTE4,
  R_BYTE8,
  R_GOT,
  R_KNOWN,
  R_LOAD,
  R_LOCAL,
  R_PCREL,
  R_POINTER,
  R_SUBTRAHEND,
  R_TLV,
  R_UNSIGNED,
  type Range,
} from './arch.ts'

const SIGNED = R_KNOWN | R_PCREL | R_BYTE4 | R_LOCAL

const attributes = Uint16Array.of(
  R_KNOWN | R_UNSIGNED | R_LOCAL | R_BYTE4 | R_BYTE8,
  SIGNED,
  R_KNOWN | R_PCREL | R_BRANCH | R_BYTE4 | R_LOCAL,
  R_KNOWN | R_PCREL | R_GOT | R_LOAD | R_BYTE4,
  R_KNOWN | R_PCREL | R_GOT | R_POINTER | R_BYTE4,
  R_KNOWN | R_SUBTRAHEND | R_BYTE4 | R_BYTE8,
  SIGNED,
  SIGNED,
  SIGNED,
  R_KNOWN | R_PCREL | R_TLV | R_LOAD | R_BYTE4,
  0,
  0,
  0,
  0,
  0,
  0,
)

const relocationNames = [
  'UNSIGNED',
  'SIGNED',
  'BRANCH',
  'GOT_LOAD',
  'GOT',
  'SUBTRACTOR',
  'SIGNED_1',
  'SIGNED_2',
  'SIGNED_4',
  'TLV',
].map((name) => `X86_64_RELOC_${name}`)

const INT32: Range = { low: -2147483648, high: 2147483647 }
const UINT32: Range = { low: 0, high: 4294967295 }

function apply(view: DataView, at: number, type: number, P: number, value: number, relax: boolean): number {
  if (type === macho.X86_64_RELOC_UNSIGNED) {
    if (value < 0 || value > 4294967295) return APPLY_OUT_OF_RANGE
    view.setUint32(at, value, true)
    return APPLY_OK
  }
  if (relax) {
    // movq foo@GOTPCREL(%rip), %r -> leaq foo(%rip), %r: the opcode stands two bytes before the field.
    if (view.getUint8(at - 2) !== 0x8b) return APPLY_BAD_INSTRUCTION
    view.setUint8(at - 2, 0x8d)
  }
  const distance = value - P - 4 - pcOffsets[type]
  if (distance < INT32.low || distance > INT32.high) return APPLY_OUT_OF_RANGE
  view.setInt32(at, distance, true)
  return APPLY_OK
}

const pcOffsets = new Uint8Array(16)
pcOffsets[macho.X86_64_RELOC_SIGNED_1] = 1
pcOffsets[macho.X86_64_RELOC_SIGNED_2] = 2
pcOffsets[macho.X86_64_RELOC_SIGNED_4] = 4

/** jmpq *pointer(%rip) */
function writeStub(view: DataView, at: number, stub: number, pointer: number): void {
  view.setUint16(at, 0x25ff, true)
  view.setInt32(at + 2, pointer - stub - 6, true)
}

/** leaq cache(%rip), %r11; pushq %r11; jmpq *binder(%rip); nop */
function writeStubHelperHeader(
  view: DataView,
  at: number,
  header: number,
  loaderCache: number,
  binderPointer: number,
): void {
  view.setUint16(at, 0x8d4c, true)
  view.setUint8(at + 2, 0x1d)
  view.setInt32(at + 3, loaderCache - header - 7, true)
  view.setUint16(at + 7, 0x5341, true)
  view.setUint16(at + 9, 0x25ff, true)
  view.setInt32(at + 11, binderPointer - header - 15, true)
  view.setUint8(at + 15, 0x90)
}

/** pushq $record; jmp header */
function writeStubHelperEntry(view: DataView, at: number, entry: number, header: number, record: number): void {
  view.setUint8(at, 0x68)
  view.setUint32(at + 1, record, true)
  view.setUint8(at + 5, 0xe9)
  view.setInt32(at + 6, header - entry - 10, true)
}

/** movq selector(%rip), %rsi; jmpq *objc_msgSend@GOT(%rip) */
function writeObjcStub(view: DataView, at: number, stub: number, selectorReference: number, target: number): void {
  view.setUint16(at, 0x8b48, true)
  view.setUint8(at + 2, 0x35)
  view.setInt32(at + 3, selectorReference - stub - 7, true)
  view.setUint16(at + 7, 0x25ff, true)
  view.setInt32(at + 9, target - stub - 13, true)
}

export const x86_64: Arch = {
  name: 'x86_64',
  cputype: macho.CPU_TYPE_X86_64,
  cpusubtype: macho.CPU_SUBTYPE_X86_64_ALL,
  pageSize: 0x1000,
  attributes,
  relocationNames,
  pcOffsets,
  stubSize: 6,
  stubHelperHeaderSize: 16,
  stubHelperEntrySize: 10,
  objcStubSize: 13,
  objcStubSmallSize: 13,
  objcStubAlignPow2: 0,
  thunkSize: 0,
  branchReach: Number.POSITIVE_INFINITY,
  dwarfMode: 0x04000000,
  dwarfModeMask: 0x0f000000,
  trap: 0xcccccccc,
  range: (type) => (type === macho.X86_64_RELOC_UNSIGNED ? UINT32 : INT32),
  apply,
  writeStub,
  writeStubHelperHeader,
  writeStubHelperEntry,
  writeObjcStub,
  writeThunk() {},
}
