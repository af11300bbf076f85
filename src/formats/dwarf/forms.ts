import { FormatError } from '../../core/bytes.ts'
import { type Cursor, readUleb, skipCstring } from '../dyld/cursor.ts'
import * as dw from './constants.ts'
import { type DwarfSections, openSection, readFixed, stringAt, take } from './sections.ts'

/** What the size of a value depends on, from the header of its unit. */
export type FormContext = { version: number; addressSize: number; offsetSize: 4 | 8 }

/** Bytes of the forms that have the same size everywhere. */
const FIXED_SIZES: Readonly<Record<number, number>> = {
  [dw.DW_FORM_flag_present]: 0,
  [dw.DW_FORM_implicit_const]: 0,
  [dw.DW_FORM_data1]: 1,
  [dw.DW_FORM_flag]: 1,
  [dw.DW_FORM_ref1]: 1,
  [dw.DW_FORM_strx1]: 1,
  [dw.DW_FORM_addrx1]: 1,
  [dw.DW_FORM_data2]: 2,
  [dw.DW_FORM_ref2]: 2,
  [dw.DW_FORM_strx2]: 2,
  [dw.DW_FORM_addrx2]: 2,
  [dw.DW_FORM_strx3]: 3,
  [dw.DW_FORM_addrx3]: 3,
  [dw.DW_FORM_data4]: 4,
  [dw.DW_FORM_ref4]: 4,
  [dw.DW_FORM_ref_sup4]: 4,
  [dw.DW_FORM_strx4]: 4,
  [dw.DW_FORM_addrx4]: 4,
  [dw.DW_FORM_data8]: 8,
  [dw.DW_FORM_ref8]: 8,
  [dw.DW_FORM_ref_sup8]: 8,
  [dw.DW_FORM_ref_sig8]: 8,
  [dw.DW_FORM_data16]: 16,
}

/** Moves past a value of this form (DW_FORM_indirect excepted); throws `dwarf-form` for one that is not known. */
export function skipForm(cursor: Cursor, form: number, context: FormContext): void {
  const fixed = FIXED_SIZES[form]
  if (fixed !== undefined) {
    take(cursor, fixed)
    return
  }
  switch (form) {
    case dw.DW_FORM_addr:
      take(cursor, context.addressSize)
      return
    case dw.DW_FORM_ref_addr:
      take(cursor, context.version === 2 ? context.addressSize : context.offsetSize)
      return
    case dw.DW_FORM_strp:
    case dw.DW_FORM_line_strp:
    case dw.DW_FORM_sec_offset:
    case dw.DW_FORM_strp_sup:
    case dw.DW_FORM_GNU_ref_alt:
    case dw.DW_FORM_GNU_strp_alt:
      take(cursor, context.offsetSize)
      return
    case dw.DW_FORM_sdata:
    case dw.DW_FORM_udata:
    case dw.DW_FORM_ref_udata:
    case dw.DW_FORM_strx:
    case dw.DW_FORM_addrx:
    case dw.DW_FORM_loclistx:
    case dw.DW_FORM_rnglistx:
    case dw.DW_FORM_GNU_addr_index:
    case dw.DW_FORM_GNU_str_index:
      skipLeb(cursor)
      return
    case dw.DW_FORM_LLVM_addrx_offset:
      skipLeb(cursor)
      take(cursor, 4)
      return
    case dw.DW_FORM_string:
      skipCstring(cursor)
      return
    case dw.DW_FORM_block1:
      take(cursor, readFixed(cursor, 1))
      return
    case dw.DW_FORM_block2:
      take(cursor, readFixed(cursor, 2))
      return
    case dw.DW_FORM_block4:
      take(cursor, readFixed(cursor, 4))
      return
    case dw.DW_FORM_block:
    case dw.DW_FORM_exprloc:
      take(cursor, readUleb(cursor))
      return
    default:
      throw new FormatError('dwarf-form', `form 0x${form.toString(16)} is not known`, cursor.at)
  }
}

/** Moves past a LEB128 number, signed or not, whatever its value. */
export function skipLeb(cursor: Cursor): void {
  while (cursor.bytes[take(cursor, 1)] >= 128) {}
}

/** The unsigned value of a constant, offset or index form. */
export function readNumber(cursor: Cursor, form: number, context: FormContext): number {
  switch (form) {
    case dw.DW_FORM_udata:
    case dw.DW_FORM_strx:
    case dw.DW_FORM_GNU_str_index:
      return readUleb(cursor)
    case dw.DW_FORM_sec_offset:
    case dw.DW_FORM_strp:
    case dw.DW_FORM_line_strp:
      return readFixed(cursor, context.offsetSize)
    case dw.DW_FORM_data1:
    case dw.DW_FORM_data2:
    case dw.DW_FORM_data4:
    case dw.DW_FORM_data8:
    case dw.DW_FORM_strx1:
    case dw.DW_FORM_strx2:
    case dw.DW_FORM_strx3:
    case dw.DW_FORM_strx4:
      return readFixed(cursor, FIXED_SIZES[form])
    default:
      throw new FormatError('dwarf-form', `expected a number, got form 0x${form.toString(16)}`, cursor.at)
  }
}

/**
 * The text of a string form; moves past it. Offsets into string sections have no relocations in Mach-O and are used as they are.
 * `base` is DW_AT_str_offsets_base. Throws `dwarf-form` for other forms and for strings of another file.
 */
export function readString(
  cursor: Cursor,
  form: number,
  context: FormContext,
  sections: DwarfSections,
  base: number,
): string {
  const { bytes } = cursor
  if (form === dw.DW_FORM_string) {
    const from = cursor.at
    const text = stringAt(bytes, from, cursor.end)
    skipCstring(cursor)
    return text
  }
  let offset = readNumber(cursor, form, context)
  if (isIndexed(form)) {
    const table = openSection(bytes, sections.strOffsets)
    take(table, base + offset * context.offsetSize)
    offset = readFixed(table, context.offsetSize)
  } else if (form !== dw.DW_FORM_strp && form !== dw.DW_FORM_line_strp) {
    throw new FormatError('dwarf-form', `expected a string, got form 0x${form.toString(16)}`, cursor.at)
  }
  const strings = openSection(bytes, form === dw.DW_FORM_line_strp ? sections.lineStr : sections.str)
  take(strings, offset)
  return stringAt(bytes, strings.at, strings.end)
}

function isIndexed(form: number): boolean {
  return (
    form === dw.DW_FORM_strx ||
    form === dw.DW_FORM_GNU_str_index ||
    (form >= dw.DW_FORM_strx1 && form <= dw.DW_FORM_strx4)
  )
}

/** First entry of __debug_str_offs for a unit that does not say: behind the header of the table, which DWARF 4 has not. */
export function defaultStrOffsetsBase({ version, offsetSize }: FormContext): number {
  if (version < 5) return 0
  return offsetSize === 8 ? 16 : 8
}
