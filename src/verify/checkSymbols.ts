// Symbol table, its groups, and the string table.
import { cstringEnd, readU16, readU32, readU64, toText } from '../core/bytes.ts'
import * as C from '../formats/macho/constants.ts'
import { type Check, fail, hex, sectionName, tableBytes, warn } from './context.ts'

/** A readable symbol table: `records` are nlist_64 (strx u32, type u8, sect u8, desc u16, value u64). */
export interface Symbols {
  records: Uint8Array
  strings: Uint8Array
  count: number
  /** Bytes of names that may still be read: a million symbols may share one name of a megabyte. */
  room: number
}

/** The symbol table where it lies whole in the file; an empty one otherwise. */
export function symbolsOf(check: Check): Symbols {
  const none = { records: new Uint8Array(0), strings: new Uint8Array(0), count: 0, room: 0 }
  const { symtab } = check.image
  if (symtab === null) return none
  const records = tableBytes(check, { offset: symtab.symbolOffset, size: symtab.symbolCount * C.NLIST_SIZE })
  const strings = tableBytes(check, { offset: symtab.stringOffset, size: symtab.stringSize })
  if (records === null || strings === null) return none
  return { records, strings, count: symtab.symbolCount, room: 16 * (strings.length + symtab.symbolCount) }
}

export function symbolName(symbols: Symbols, row: number): string {
  const { records, strings } = symbols
  const from = readU32(records, row * C.NLIST_SIZE)
  if (from >= strings.length) return ''
  const end = cstringEnd(strings, from, Math.min(strings.length, from + symbols.room))
  symbols.room -= end - from
  return toText(strings, from, end)
}

export const symbolType = (symbols: Symbols, row: number): number => symbols.records[row * C.NLIST_SIZE + 4]
export const symbolSection = (symbols: Symbols, row: number): number => symbols.records[row * C.NLIST_SIZE + 5]
export const symbolDesc = (symbols: Symbols, row: number): number => readU16(symbols.records, row * C.NLIST_SIZE + 6)
export const symbolValue = (symbols: Symbols, row: number): number => readU64(symbols.records, row * C.NLIST_SIZE + 8)

function checkGroups(check: Check, total: number): void {
  const d = check.image.dysymtab
  if (d === null) return
  const groups: [string, number, number][] = [
    ['local', d.localIndex, d.localCount],
    ['defined', d.definedIndex, d.definedCount],
    ['undefined', d.undefinedIndex, d.undefinedCount],
  ]
  let end = 0
  for (const [name, index, size] of groups) {
    if (size === 0) continue
    if (index < end || index + size > total) {
      fail(check, 'symbol-groups', `${name} symbols ${index}+${size} overlap those before them or end past ${total}`)
    } else if (index > end) warn(check, 'symbol-groups', `symbols ${end} to ${index} are in no group`)
    end = Math.max(end, index + size)
  }
  if (end < total) warn(check, 'symbol-groups', `symbols ${end} to ${total} are in no group`)
  if (d.localRelocations + d.externalRelocations > 0) {
    warn(check, 'symbol-groups', 'LC_DYSYMTAB has relocations, which dyld no longer reads')
  }
}

/** 0 local, 1 defined external, 2 undefined, -1 none. */
function groupOf(check: Check, row: number): number {
  const d = check.image.dysymtab
  if (d === null) return -1
  if (row >= d.localIndex && row < d.localIndex + d.localCount) return 0
  if (row >= d.definedIndex && row < d.definedIndex + d.definedCount) return 1
  return row >= d.undefinedIndex && row < d.undefinedIndex + d.undefinedCount ? 2 : -1
}

function checkGroupMember(check: Check, symbols: Symbols, row: number, offset: number): void {
  const type = symbolType(symbols, row)
  const external = (type & C.N_EXT) !== 0
  const group = groupOf(check, row)
  const kind = type & C.N_TYPE
  const isUndefined = kind === C.N_UNDF || kind === C.N_PBUD
  const wrong =
    (group === 0 && external && (type & C.N_PEXT) === 0) ||
    (group === 1 && (!external || isUndefined)) ||
    (group === 2 && (!external || !isUndefined))
  if (!wrong) return
  const where = ['local', 'defined external', 'undefined'][group]
  fail(
    check,
    'symbol-group',
    `symbol ${symbolName(symbols, row)} of type ${hex(type)} is in the ${where} group`,
    offset,
  )
}

function checkDefined(check: Check, symbols: Symbols, row: number, offset: number): void {
  const ordinal = symbolSection(symbols, row)
  const section = check.image.sections[ordinal - 1]
  if (section === undefined) {
    fail(
      check,
      'symbol-section',
      `symbol ${symbolName(symbols, row)}: section ${ordinal} of ${check.image.sections.length}`,
      offset,
    )
    return
  }
  const value = symbolValue(symbols, row)
  const inside = value >= section.address && value <= section.address + section.size
  // __mh_execute_header and its kin name the first section and stand at the header; so may bounds of a segment.
  if (inside || check.image.segments.some((s) => value === s.vmAddress || value === s.vmAddress + s.vmSize)) return
  warn(
    check,
    'symbol-value',
    `symbol ${symbolName(symbols, row)} = ${hex(value)} is outside ${sectionName(section)}`,
    offset,
  )
}

function checkUndefined(check: Check, symbols: Symbols, row: number, offset: number): void {
  const { image } = check
  const ordinal = symbolDesc(symbols, row) >>> 8
  const special = ordinal === C.DYNAMIC_LOOKUP_ORDINAL || ordinal === C.EXECUTABLE_ORDINAL
  if ((image.flags & C.MH_TWOLEVEL) !== 0 && ordinal > image.dylibs.length && !special) {
    fail(
      check,
      'symbol-ordinal',
      `undefined symbol ${symbolName(symbols, row)}: library ${ordinal} of ${image.dylibs.length}`,
      offset,
    )
  }
  if (symbolSection(symbols, row) !== 0) {
    fail(check, 'symbol-section', `undefined symbol ${symbolName(symbols, row)} has a section`, offset)
  }
}

function checkSymbol(check: Check, symbols: Symbols, row: number, offset: number): void {
  const nameAt = readU32(symbols.records, row * C.NLIST_SIZE)
  if (nameAt >= symbols.strings.length && nameAt !== 0) {
    fail(
      check,
      'symbol-name',
      `symbol ${row}: name at ${hex(nameAt)} of ${hex(symbols.strings.length)} bytes of strings`,
      offset,
    )
  }
  const type = symbolType(symbols, row)
  if ((type & C.N_STAB) !== 0) {
    if (groupOf(check, row) > 0) fail(check, 'symbol-group', `stab ${row} is outside the local group`, offset)
    return
  }
  checkGroupMember(check, symbols, row, offset)
  if ((type & C.N_TYPE) === C.N_SECT) checkDefined(check, symbols, row, offset)
  if ((type & C.N_TYPE) === C.N_UNDF && (type & C.N_EXT) !== 0) checkUndefined(check, symbols, row, offset)
}

export function checkSymbols(check: Check): void {
  const { symtab, dysymtab } = check.image
  if (symtab === null) {
    if (dysymtab !== null) fail(check, 'symbol-table', 'LC_DYSYMTAB without LC_SYMTAB')
    return
  }
  checkGroups(check, symtab.symbolCount)
  const symbols = symbolsOf(check)
  const { strings } = symbols
  if (strings.length > 0 && strings[strings.length - 1] !== 0) {
    fail(check, 'string-table', 'the string table does not end with a NUL', symtab.stringOffset)
  }
  for (let row = 0; row < symbols.count; row++) {
    checkSymbol(check, symbols, row, symtab.symbolOffset + row * C.NLIST_SIZE)
  }
}
