import * as C from '../../src/formats/macho/constants.ts'
import { type Cursor, cursorOver, nextByte, nextSleb, nextText, nextUleb } from './cursor.ts'
import { findCommand, type MachO, textAt } from './machOFile.ts'

export interface Bind {
  ordinal: number
  name: string
  addend: number
  weakImport: boolean
}

// Every map is from the address of a pointer. A location may be in several: a rebase and a weak bind, for instance.
// A rebase's target is its low 56 bits; `tops` has its top byte where that is not 0 (arm64 marks type names there).
export interface Fixups {
  rebases: Map<number, number>
  tops: Map<number, number>
  binds: Map<number, Bind>
  weakBinds: Map<number, Bind>
  lazyBinds: Map<number, Bind>
  lazyAt: Map<number, Bind>
  strongNames: string[]
}

function offsetOf(file: MachO, address: number): number {
  for (const s of file.segments) {
    if (address >= s.address && address + 8 <= s.address + s.fileSize) return s.fileOffset + address - s.address
  }
  throw new RangeError(`no file bytes at address 0x${address.toString(16)}`)
}

function addRebase(fixups: Fixups, address: number, low: bigint, top: bigint): void {
  fixups.rebases.set(address, Number(low))
  if (top !== 0n) fixups.tops.set(address, Number(top))
}

function decodeRebases(file: MachO, c: Cursor, fixups: Fixups): void {
  let address = 0n
  const step = (count: bigint, skip: bigint) => {
    for (let i = 0n; i < count; i++) {
      const raw = file.view.getBigUint64(offsetOf(file, Number(address)), true)
      addRebase(fixups, Number(address), raw & 0xffffffffffffffn, raw >> 56n)
      address = BigInt.asUintN(64, address + 8n + skip)
    }
  }
  while (c.at < c.end) {
    const byte = nextByte(c)
    const imm = byte & 15
    const opcode = byte & 0xf0
    if (opcode === C.REBASE_OPCODE_DONE) return
    if (opcode === C.REBASE_OPCODE_SET_TYPE_IMM) continue
    if (opcode === C.REBASE_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB) {
      address = BigInt.asUintN(64, BigInt(file.segments[imm]!.address) + nextUleb(c))
    } else if (opcode === C.REBASE_OPCODE_ADD_ADDR_ULEB) address = BigInt.asUintN(64, address + nextUleb(c))
    else if (opcode === C.REBASE_OPCODE_ADD_ADDR_IMM_SCALED) address += BigInt(imm * 8)
    else if (opcode === C.REBASE_OPCODE_DO_REBASE_IMM_TIMES) step(BigInt(imm), 0n)
    else if (opcode === C.REBASE_OPCODE_DO_REBASE_ULEB_TIMES) step(nextUleb(c), 0n)
    else if (opcode === C.REBASE_OPCODE_DO_REBASE_ADD_ADDR_ULEB) step(1n, nextUleb(c))
    else if (opcode === C.REBASE_OPCODE_DO_REBASE_ULEB_TIMES_SKIPPING_ULEB) step(nextUleb(c), nextUleb(c))
    else throw new Error(`rebase opcode 0x${byte.toString(16)} at ${c.at - 1}`)
  }
}

interface BindState {
  ordinal: number
  name: string
  flags: number
  addend: number
  address: bigint
}

function bindSetting(file: MachO, c: Cursor, byte: number, state: BindState, strong: string[]): boolean {
  const imm = byte & 15
  switch (byte & 0xf0) {
    case C.BIND_OPCODE_SET_DYLIB_ORDINAL_IMM:
      state.ordinal = imm
      return true
    case C.BIND_OPCODE_SET_DYLIB_ORDINAL_ULEB:
      state.ordinal = Number(nextUleb(c))
      return true
    case C.BIND_OPCODE_SET_DYLIB_SPECIAL_IMM:
      state.ordinal = imm === 0 ? 0 : imm - 16
      return true
    case C.BIND_OPCODE_SET_SYMBOL_TRAILING_FLAGS_IMM:
      state.name = nextText(c)
      state.flags = imm
      if (imm & C.BIND_SYMBOL_FLAGS_NON_WEAK_DEFINITION) strong.push(state.name)
      return true
    case C.BIND_OPCODE_SET_TYPE_IMM:
      return true
    case C.BIND_OPCODE_SET_ADDEND_SLEB:
      state.addend = nextSleb(c)
      return true
    case C.BIND_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB:
      state.address = BigInt.asUintN(64, BigInt(file.segments[imm]!.address) + nextUleb(c))
      return true
    case C.BIND_OPCODE_ADD_ADDR_ULEB:
      state.address = BigInt.asUintN(64, state.address + nextUleb(c))
      return true
  }
  return false
}

function decodeBinds(file: MachO, c: Cursor, into: Map<number, Bind>, strong: string[], lazyAt?: Map<number, Bind>) {
  const state: BindState = { ordinal: 0, name: '', flags: 0, addend: 0, address: 0n }
  const base = c.at
  let start = base
  const step = (count: bigint, skip: bigint) => {
    for (let i = 0n; i < count; i++) {
      const weakImport = (state.flags & C.BIND_SYMBOL_FLAGS_WEAK_IMPORT) !== 0
      into.set(Number(state.address), { ordinal: state.ordinal, name: state.name, addend: state.addend, weakImport })
      state.address = BigInt.asUintN(64, state.address + 8n + skip)
    }
  }
  while (c.at < c.end) {
    const byte = nextByte(c)
    const opcode = byte & 0xf0
    if (bindSetting(file, c, byte, state, strong)) continue
    if (opcode === C.BIND_OPCODE_DONE) {
      if (lazyAt === undefined) return
      start = c.at
    } else if (opcode === C.BIND_OPCODE_DO_BIND) {
      step(1n, 0n)
      lazyAt?.set(start - base, into.get(Number(state.address) - 8)!)
    } else if (opcode === C.BIND_OPCODE_DO_BIND_ADD_ADDR_ULEB) step(1n, nextUleb(c))
    else if (opcode === C.BIND_OPCODE_DO_BIND_ADD_ADDR_IMM_SCALED) step(1n, BigInt((byte & 15) * 8))
    else if (opcode === C.BIND_OPCODE_DO_BIND_ULEB_TIMES_SKIPPING_ULEB) step(nextUleb(c), nextUleb(c))
    else throw new Error(`bind opcode 0x${byte.toString(16)} at ${c.at - 1}`)
  }
}

function readImports(file: MachO, at: number): Bind[] {
  const { view } = file
  const table = at + view.getUint32(at + 8, true)
  const strings = at + view.getUint32(at + 12, true)
  const format = view.getUint32(at + 20, true)
  const binds: Bind[] = []
  for (let i = 0, count = view.getUint32(at + 16, true); i < count; i++) {
    const entry = table + i * (format === C.DYLD_CHAINED_IMPORT ? 4 : format === C.DYLD_CHAINED_IMPORT_ADDEND ? 8 : 16)
    const word = view.getUint32(entry, true)
    if (format === C.DYLD_CHAINED_IMPORT_ADDEND64) {
      const ordinal = (word << 16) >> 16
      const name = textAt(file.bytes, strings + view.getUint32(entry + 4, true))
      const addend = Number(view.getBigInt64(entry + 8, true))
      binds.push({ ordinal, name, addend, weakImport: (word & 0x10000) !== 0 })
    } else {
      const addend = format === C.DYLD_CHAINED_IMPORT_ADDEND ? view.getInt32(entry + 4, true) : 0
      const ordinal = (word & 0xff) > 0xf0 ? (word << 24) >> 24 : word & 0xff
      binds.push({
        ordinal,
        name: textAt(file.bytes, strings + (word >>> 9)),
        addend,
        weakImport: (word & 0x100) !== 0,
      })
    }
  }
  return binds
}

// DYLD_CHAINED_PTR_64 and _64_OFFSET: bit 63 bind, bits 51..62 distance to the next in 4-byte units.
// Bind: bits 0..23 import, 24..31 addend. Rebase: bits 0..35 target, 36..43 the top byte.
function walkChain(file: MachO, format: number, from: number, imports: Bind[], fixups: Fixups): void {
  const base = file.segments.find((s) => s.name === '__TEXT')?.address ?? 0
  for (let address = from; ; ) {
    const raw = file.view.getBigUint64(offsetOf(file, address), true)
    const next = Number((raw >> 51n) & 0xfffn)
    if (raw >> 63n) {
      const found = imports[Number(raw & 0xffffffn)]
      if (found === undefined) throw new Error(`chained import ${raw & 0xffffffn} of ${imports.length}`)
      fixups.binds.set(address, { ...found, addend: found.addend + Number((raw >> 24n) & 0xffn) })
    } else {
      const from = format === C.DYLD_CHAINED_PTR_64_OFFSET ? BigInt(base) : 0n
      addRebase(fixups, address, (raw & 0xfffffffffn) + from, (raw >> 36n) & 0xffn)
    }
    if (next === 0) return
    address += next * 4
  }
}

function decodeChains(file: MachO, at: number, fixups: Fixups): void {
  const { view } = file
  const imports = readImports(file, at)
  const starts = at + view.getUint32(at + 4, true)
  for (let i = 0, count = view.getUint32(starts, true); i < count; i++) {
    const offset = view.getUint32(starts + 4 + i * 4, true)
    if (offset === 0) continue
    const info = starts + offset
    const pageSize = view.getUint16(info + 4, true)
    const format = view.getUint16(info + 6, true)
    if (format !== C.DYLD_CHAINED_PTR_64 && format !== C.DYLD_CHAINED_PTR_64_OFFSET) {
      throw new Error(`chained pointer format ${format}`)
    }
    for (let page = 0, pages = view.getUint16(info + 20, true); page < pages; page++) {
      const start = view.getUint16(info + 22 + page * 2, true)
      if (start === C.DYLD_CHAINED_PTR_START_NONE) continue
      walkChain(file, format, file.segments[i]!.address + page * pageSize + start, imports, fixups)
    }
  }
}

/** All pointers dyld changes, from LC_DYLD_INFO(_ONLY) or LC_DYLD_CHAINED_FIXUPS (<mach-o/fixup-chains.h>). */
export function decodeFixups(file: MachO): Fixups {
  const fixups: Fixups = {
    rebases: new Map(),
    tops: new Map(),
    binds: new Map(),
    weakBinds: new Map(),
    lazyBinds: new Map(),
    lazyAt: new Map(),
    strongNames: [],
  }
  const info = findCommand(file, C.LC_DYLD_INFO, C.LC_DYLD_INFO_ONLY)
  if (info !== undefined) {
    const part = (field: number) => {
      const from = file.view.getUint32(info.offset + field, true)
      return cursorOver(file.bytes, from, from + file.view.getUint32(info.offset + field + 4, true))
    }
    decodeRebases(file, part(8), fixups)
    decodeBinds(file, part(16), fixups.binds, fixups.strongNames)
    decodeBinds(file, part(24), fixups.weakBinds, fixups.strongNames)
    decodeBinds(file, part(32), fixups.lazyBinds, fixups.strongNames, fixups.lazyAt)
  }
  const chained = findCommand(file, C.LC_DYLD_CHAINED_FIXUPS)
  if (chained !== undefined) decodeChains(file, file.view.getUint32(chained.offset + 8, true), fixups)
  return fixups
}
