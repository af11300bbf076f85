// Function starts and data in code.
import { readU16, readU32 } from '../core/bytes.ts'
import * as C from '../formats/macho/constants.ts'
import { visitFunctionStarts } from '../formats/macho/functionStarts.ts'
import { type Check, fail, guard, hex, isCode, isX86, sectionAt, tableBytes, warn } from './context.ts'

/** ULEB128 distances from __TEXT's start, a zero at the end. Keeps the starts for the unwind check. */
export function checkFunctionStarts(check: Check): void {
  const range = check.image.tables.get(C.LC_FUNCTION_STARTS)
  const bytes = range === undefined ? null : tableBytes(check, range)
  if (range === undefined || bytes === null) return
  const starts = new Float64Array(bytes.length)
  let count = 0
  guard(check, 'function-starts', 'function starts', range.offset, () => {
    let inCode = true
    const end = visitFunctionStarts(bytes, check.text?.vmAddress ?? 0, (address, place) => {
      const at = range.offset + place
      starts[count++] = address
      if (!isX86(check) && address % 4 !== 0)
        warn(check, 'function-starts', `function start ${hex(address)} is not 4-aligned`, at)
      inCode = isCode(sectionAt(check, address)) || isCode(sectionAt(check, address - 1))
      if (!inCode) fail(check, 'function-starts', `function start ${hex(address)} is not in a code section`, at)
      return inCode
    })
    if (!inCode) return
    const rest = bytes.findIndex((byte, i) => i >= end && byte !== 0)
    if (rest >= 0) fail(check, 'function-starts', 'function starts go on after their end', range.offset + rest)
  })
  check.functionStarts = starts.subarray(0, count)
}

/** data_in_code_entry: offset u32 from the header, length u16, kind u16 (1 to 5). */
export function checkDataInCode(check: Check): void {
  const range = check.image.tables.get(C.LC_DATA_IN_CODE)
  const bytes = range === undefined ? null : tableBytes(check, range)
  if (range === undefined || bytes === null) return
  if (bytes.length % 8 !== 0)
    fail(check, 'data-in-code', `got ${bytes.length} bytes, expected a multiple of 8`, range.offset)
  const base = check.text?.vmAddress ?? 0
  let end = 0
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const offset = readU32(bytes, at)
    const length = readU16(bytes, at + 4)
    const kind = readU16(bytes, at + 6)
    const section = sectionAt(check, base + offset)
    if (section === null || !isCode(section) || base + offset + length > section.address + section.size) {
      fail(check, 'data-in-code', `${hex(offset)}+${length} is not inside a code section`, range.offset + at)
    }
    if (kind < 1 || kind > 5) fail(check, 'data-in-code', `got kind ${kind}, expected 1 to 5`, range.offset + at)
    if (offset < end)
      fail(check, 'data-in-code', `entry at ${hex(offset)} overlaps or precedes the one before it`, range.offset + at)
    end = offset + length
  }
}
