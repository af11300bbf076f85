// Sections whose entries the indirect symbol table names: pointers must be bound to that name, stubs jump through it.
import { FormatError, readI32, readU32 } from '../core/bytes.ts'
import { decodeBind } from '../formats/dyld/bind.ts'
import * as C from '../formats/macho/constants.ts'
import type { ImageSection } from '../formats/macho/image.ts'
import { hasAnyFixup } from './collectFixups.ts'
import {
  type Check,
  contents,
  fail,
  fileOffset,
  hex,
  isCode,
  isX86,
  sectionAt,
  sectionName,
  sectionType,
  segmentAt,
  tableBytes,
  warn,
} from './context.ts'
import { type Symbols, symbolName, symbolsOf, symbolType } from './checkSymbols.ts'

const SPECIAL = (C.INDIRECT_SYMBOL_LOCAL | C.INDIRECT_SYMBOL_ABS) >>> 0

/** Most bytes of one lazy-bind record that are read; a symbol's name is nearly all of it. */
const RECORD_LIMIT = 0x10000

interface Indirect {
  check: Check
  symbols: Symbols
  entries: Uint8Array
  count: number
}

function indirectOf(check: Check): Indirect {
  const d = check.image.dysymtab
  const range = { offset: d?.indirectOffset ?? 0, size: (d?.indirectCount ?? 0) * 4 }
  const entries = tableBytes(check, range) ?? new Uint8Array(0)
  return { check, symbols: symbolsOf(check), entries, count: entries.length / 4 }
}

/** Name of entry `index`, null where it is local, absolute or out of range. */
function nameAt(indirect: Indirect, index: number): string | null {
  if (index >= indirect.count) return null
  const row = readU32(indirect.entries, index * 4)
  return row < indirect.symbols.count ? symbolName(indirect.symbols, row) : null
}

function isPointers(type: number): boolean {
  return (
    type === C.S_NON_LAZY_SYMBOL_POINTERS ||
    type === C.S_LAZY_SYMBOL_POINTERS ||
    type === C.S_THREAD_LOCAL_VARIABLE_POINTERS
  )
}

/** ADRP x16; LDR x16, [x16]; BR x16 (arm64) or JMP *(rip) (x86_64): the pointer's address; null for other stubs. */
function stubPointer(check: Check, address: number, at: number, size: number): number | null {
  const b = check.bytes
  if (isX86(check)) return size >= 6 && b[at] === 0xff && b[at + 1] === 0x25 ? address + 6 + readI32(b, at + 2) : null
  if (size < 12) return null
  const adrp = readI32(b, at)
  const load = readI32(b, at + 4)
  const known =
    (adrp & 0x9f00001f) === (0x90000010 | 0) &&
    (load & 0xffc003ff) === (0xf9400210 | 0) &&
    readU32(b, at + 8) === 0xd61f0200
  if (!known) return null
  const pages = ((((adrp >> 3) & 0x1ffffc) | ((adrp >>> 29) & 3)) << 11) >> 11
  return address - (address % 4096) + pages * 4096 + ((load >>> 10) & 0xfff) * 8
}

function checkStub(indirect: Indirect, section: ImageSection, index: number, unit: number): void {
  const { check } = indirect
  const address = section.address + index * unit
  const pointer = stubPointer(check, address, section.offset + index * unit, unit)
  if (pointer === null) return
  const slots = sectionAt(check, pointer)
  const name = nameAt(indirect, section.reserved1 + index)
  if (slots === null || !isPointers(sectionType(slots)) || (pointer - slots.address) % 8 !== 0) {
    fail(
      check,
      'stub-pointer',
      `stub ${name ?? index} at ${hex(address)} jumps through ${hex(pointer)}, no symbol pointer`,
    )
    return
  }
  const other = nameAt(indirect, slots.reserved1 + (pointer - slots.address) / 8)
  if (name !== null && other !== null && name !== other) {
    fail(check, 'stub-pointer', `stub ${name} at ${hex(address)} jumps through the pointer of ${other}`)
  }
}

function checkBound(indirect: Indirect, section: ImageSection, index: number, address: number): void {
  const { check, symbols } = indirect
  const { binds, weakBinds, lazyBinds } = check.fixups
  const row = readU32(indirect.entries, (section.reserved1 + index) * 4)
  if (row >= symbols.count) return
  const name = symbolName(symbols, row)
  const where = `${sectionName(section)}[${index}]`
  for (const bound of [binds.get(address), weakBinds.get(address), lazyBinds.get(address)]) {
    if (bound !== undefined && bound !== name)
      fail(check, 'pointer-name', `${where} is of ${name} and is bound to ${bound}`)
  }
  const isUndefined = (symbolType(symbols, row) & C.N_TYPE) === C.N_UNDF
  if (isUndefined && !binds.has(address) && !weakBinds.has(address) && !lazyBinds.has(address)) {
    fail(check, 'pointer-unbound', `${where}: undefined symbol ${name} is never bound`)
  }
}

/** The lazy-bind offset that the helper at `at` gives to the binder, -1 where it is no helper. */
function helperOffset(check: Check, helper: number, at: number): number {
  const b = check.bytes
  if (isX86(check)) return b[at] === 0x68 ? readU32(b, at + 1) : -1
  const load = readI32(b, at)
  if ((load & 0xff00001f) !== 0x18000010) return -1
  const literal = fileOffset(check, helper + ((load << 8) >> 13) * 4, 4)
  return literal < 0 ? -1 : readU32(b, literal)
}

/** Whether the lazy-bind record at `offset` binds the pointer at `address`. */
function recordBinds(check: Check, offset: number, address: number): boolean {
  const range = check.image.dyldInfo?.lazyBind
  const bytes = range === undefined ? null : tableBytes(check, range)
  if (bytes === null || offset < 0 || offset >= bytes.length) return false
  let bound = false
  try {
    decodeBind(bytes.subarray(offset, offset + RECORD_LIMIT), { lazy: false, limit: 16 }, (segment, at) => {
      if ((check.image.segments[segment]?.vmAddress ?? 0) + at === address) bound = true
    })
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
  }
  return bound
}

/** dyld_stub_binder writes through the record its helper names: a wrong offset binds another pointer. */
function checkLazy(check: Check, section: ImageSection, index: number, address: number): void {
  const name = check.fixups.lazyBinds.get(address)
  if (name === undefined) return
  const at = section.offset + index * 8
  const helper = readU32(check.bytes, at) + readU32(check.bytes, at + 4) * 4294967296
  const code = sectionAt(check, helper)
  if (code === null || !isCode(code)) {
    fail(check, 'stub-helper', `lazy pointer of ${name} holds ${hex(helper)}, which is not code`, at)
    return
  }
  const from = fileOffset(check, helper, 12)
  if (code.name !== '__stub_helper' || from < 0) return
  const offset = helperOffset(check, helper, from)
  if (!recordBinds(check, offset, address)) {
    fail(
      check,
      'stub-helper',
      `stub helper of ${name} gives lazy-bind offset ${offset}, whose record does not bind it`,
      from,
    )
  }
}

function checkEntries(indirect: Indirect, section: ImageSection): void {
  const { check } = indirect
  const stubs = sectionType(section) === C.S_SYMBOL_STUBS
  const unit = stubs ? section.reserved2 : 8
  if (unit === 0 || section.size % unit !== 0) {
    return fail(
      check,
      'indirect-symbols',
      `${sectionName(section)} of ${hex(section.size)} bytes has entries of ${unit}`,
    )
  }
  const count = section.size / unit
  if (section.reserved1 + count > indirect.count) {
    const text = `${sectionName(section)} names indirect symbols ${section.reserved1}+${count} of ${indirect.count}`
    return fail(check, 'indirect-symbols', text)
  }
  if (contents(check, section).length === 0) return
  for (let i = 0; i < count; i++) {
    const row = readU32(indirect.entries, (section.reserved1 + i) * 4)
    if (row >= indirect.symbols.count && (row & SPECIAL) === 0) {
      fail(check, 'indirect-symbols', `${sectionName(section)}[${i}]: symbol ${row} of ${indirect.symbols.count}`)
    } else if (stubs) checkStub(indirect, section, i, unit)
    else {
      checkBound(indirect, section, i, section.address + i * 8)
      if (sectionType(section) === C.S_LAZY_SYMBOL_POINTERS) checkLazy(check, section, i, section.address + i * 8)
    }
  }
}

function checkFunctionPointers(check: Check, section: ImageSection): void {
  if (section.size % 8 !== 0)
    fail(check, 'initializers', `${sectionName(section)} has ${hex(section.size)} bytes, not a multiple of 8`)
  const end = section.address + Math.min(section.size, check.bytes.length) - 7
  for (let address = section.address; address < end; address += 8) {
    if (!hasAnyFixup(check, address))
      warn(check, 'initializers', `pointer at ${hex(address)} in ${sectionName(section)} has no fixup`)
  }
}

function checkFunctionOffsets(check: Check, section: ImageSection): void {
  const bytes = contents(check, section)
  const base = check.text?.vmAddress ?? 0
  if (section.size % 4 !== 0)
    fail(check, 'initializers', `${sectionName(section)} has ${hex(section.size)} bytes, not a multiple of 4`)
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const offset = readU32(bytes, at)
    if (!isCode(sectionAt(check, base + offset))) {
      fail(check, 'initializers', `initializer offset ${hex(offset)} is not in code`, section.offset + at)
    }
  }
  const segment = segmentAt(check, section.address)
  if (segment !== null && (segment.initProtection & C.VM_PROT_WRITE) !== 0) {
    fail(check, 'initializers', `${sectionName(section)} is in a writable segment; dyld wants it read-only`)
  }
}

export function checkPointers(check: Check): void {
  const indirect = indirectOf(check)
  // An image without fixups of a known form cannot be asked what it binds.
  const known = check.image.dyldInfo !== null || check.image.tables.has(C.LC_DYLD_CHAINED_FIXUPS)
  for (const section of check.image.sections) {
    const type = sectionType(section)
    if (section.size === 0) continue
    if (known && (type === C.S_SYMBOL_STUBS || isPointers(type))) checkEntries(indirect, section)
    if (known && (type === C.S_MOD_INIT_FUNC_POINTERS || type === C.S_MOD_TERM_FUNC_POINTERS))
      checkFunctionPointers(check, section)
    if (type === C.S_INIT_FUNC_OFFSETS) checkFunctionOffsets(check, section)
  }
}
