import { FormatError } from '../../core/bytes.ts'
import { type Cursor, cursorOver, readByte, readRoundedUleb, readSleb, readUleb } from '../dyld/cursor.ts'
import * as dw from './constants.ts'
import { type FormContext, skipLeb } from './forms.ts'
import { readExtent, readFixed, take } from './sections.ts'

/**
 * One line table: its header, with the tables of directories and files left where they lie, [files, program), and its program
 * in [program, end). `lengths` is the position of standard_opcode_lengths, opcodeBase - 1 bytes.
 */
export type LineTable = FormContext & {
  minInstruction: number
  maxOperations: number
  lineBase: number
  lineRange: number
  opcodeBase: number
  lengths: number
  files: number
  program: number
  end: number
}

/** A row of the table: file number and line. */
export type LineRow = { file: number; line: number; definedFiles: number[] }

/** Reads the header at the cursor and moves behind the table; null for a version that is not 2 to 5. Throws FormatError. */
export function readLineTable(section: Cursor): LineTable | null {
  const { end, offsetSize } = readExtent(section)
  const head = cursorOver(section.bytes, section.at, end)
  section.at = end
  const version = readFixed(head, 2)
  if (version < 2 || version > 5) return null
  const addressSize = version < 5 ? 8 : readByte(head)
  if (version === 5) take(head, 1)
  const headerLength = readFixed(head, offsetSize)
  const program = head.at + headerLength
  if (program > end) throw new FormatError('dwarf-length', `line header of ${headerLength} bytes`, head.at)
  head.end = program
  const minInstruction = readByte(head)
  const maxOperations = version < 4 ? 1 : readByte(head)
  take(head, 1)
  const lineBase = (readByte(head) << 24) >> 24
  const lineRange = readByte(head)
  const opcodeBase = readByte(head)
  const lengths = take(head, Math.max(opcodeBase - 1, 0))
  const files = head.at
  return {
    version,
    addressSize,
    offsetSize,
    minInstruction,
    maxOperations,
    lineBase,
    lineRange,
    opcodeBase,
    lengths,
    files,
    program,
    end,
  }
}

/**
 * Runs the program of the table up to the row that covers `address`; null when none does. `definedFiles` has the positions of the
 * DW_LNE_define_file entries before it. Mach-O has its addresses in place (no external relocations), as addresses of the object.
 * Time is linear in the bytes of the program. Source: DWARF 5, section 6.2.
 */
// long: the state machine of the standard, one case an opcode.
export function findLineRow(bytes: Uint8Array, table: LineTable, address: number): LineRow | null {
  const { minInstruction, lineBase, lineRange, opcodeBase } = table
  const cursor = cursorOver(bytes, table.program, table.end)
  const definedFiles: number[] = []
  let at = 0
  let file = 1
  let line = 1
  let rowAt = Infinity
  let rowFile = 0
  let rowLine = 0
  while (cursor.at < cursor.end) {
    const opcode = readByte(cursor)
    if (opcode >= opcodeBase) {
      const step = opcode - opcodeBase
      at += Math.floor(step / lineRange) * minInstruction
      line = (line + lineBase + (step % lineRange)) >>> 0
    } else if (opcode === 0) {
      const length = readUleb(cursor)
      const start = take(cursor, length)
      if (length === 0) throw new FormatError('dwarf-opcode', 'extended opcode without a byte', start)
      if (bytes[start] === dw.DW_LNE_set_address) at = readAddress(bytes, start + 1, length - 1)
      else if (bytes[start] === dw.DW_LNE_define_file) definedFiles.push(start + 1)
      if (bytes[start] !== dw.DW_LNE_end_sequence) continue
    } else if (opcode !== dw.DW_LNS_copy) {
      if (opcode === dw.DW_LNS_advance_pc) at += readRoundedUleb(cursor) * minInstruction
      else if (opcode === dw.DW_LNS_advance_line) line = (line + readSleb(cursor)) >>> 0
      else if (opcode === dw.DW_LNS_set_file) file = readUleb(cursor)
      else if (opcode === dw.DW_LNS_const_add_pc) at += Math.floor((255 - opcodeBase) / lineRange) * minInstruction
      else if (opcode === dw.DW_LNS_fixed_advance_pc) at += readFixed(cursor, 2)
      else skipOperands(cursor, opcode, table)
      continue
    }
    if (rowAt <= address && address < at) return { file: rowFile, line: rowLine, definedFiles }
    if (opcode === 0) {
      rowAt = Infinity
      at = 0
      file = 1
      line = 1
    } else {
      rowAt = at
      rowFile = file
      rowLine = line
    }
  }
  return null
}

function readAddress(bytes: Uint8Array, at: number, width: number): number {
  if (width === 2 || width === 4 || width === 8) return readFixed(cursorOver(bytes, at, at + width), width)
  throw new FormatError('dwarf-opcode', `address of ${width} bytes, expected 2, 4 or 8`, at)
}

function skipOperands(cursor: Cursor, opcode: number, { lengths }: LineTable): void {
  for (let left = cursor.bytes[lengths + opcode - 1]; left > 0; left--) skipLeb(cursor)
}
