// Where the fields of a file are, found with no help from the readers under test.

export interface Field {
  at: number
  width: 1 | 2 | 4 | 8
  bigEndian: boolean
  name: string
}

const LC_SEGMENT_64 = 0x19
const LC_SYMTAB = 0x2
const LC_DYLD_INFO_ONLY = 0x80000022
/** Commands whose words 2 and 3 are place and size of a table in the file. */
const LINKEDIT_COMMANDS = new Set([0x1d, 0x26, 0x29, 0x2e, 0x80000033, 0x80000034])
const MAX_TABLE = 4096

function add(
  fields: Field[],
  at: number,
  end: number,
  name: string,
  width: Field['width'] = 4,
  bigEndian = false,
): void {
  for (; at + width <= end; at += width) fields.push({ at, width, bigEndian, name: `${name}+${at}` })
}

/** Every word of the header, the load commands, symbols, relocations and small tables of the Mach-O at bytes[base, base + size). */
export function machoFields(bytes: Uint8Array, base = 0, size = bytes.length - base): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + base, size)
  const fields: Field[] = []
  add(fields, 0, 32, 'header')
  let at = 32
  for (let i = 0; i < view.getUint32(16, true); i++) {
    const length = view.getUint32(at + 4, true)
    add(fields, at, at + length, `command ${i}`)
    tableFields(fields, view, at)
    at += length
  }
  for (const field of fields) field.at += base
  return fields.filter((field) => field.at + field.width <= base + size)
}

function tableFields(fields: Field[], view: DataView, at: number): void {
  const word = (field: number): number => view.getUint32(at + field, true)
  const command = word(0)
  const table = (name: string, from: number, length: number, width: Field['width'] = 4): void =>
    add(fields, from, from + Math.min(length, MAX_TABLE), name, width)
  if (command === LC_SYMTAB) {
    for (let i = 0; i < word(12); i++) {
      const symbol = word(8) + i * 16
      add(fields, symbol, symbol + 4, 'strx')
      add(fields, symbol + 4, symbol + 6, 'type and section', 1)
      add(fields, symbol + 6, symbol + 8, 'desc', 2)
      add(fields, symbol + 8, symbol + 16, 'value', 8)
    }
    table('strings', word(16), word(20))
  } else if (LINKEDIT_COMMANDS.has(command)) table('linkedit', word(8), word(12), 1)
  else if (command === LC_DYLD_INFO_ONLY) table('exports', word(40), word(44), 1)
  else if (command === LC_SEGMENT_64) for (let i = 0; i < word(64); i++) sectionFields(fields, view, at + 72 + i * 80)
}

function sectionFields(fields: Field[], view: DataView, at: number): void {
  const word = (field: number): number => view.getUint32(at + field, true)
  const name = String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 16)).replace(/\0.*/, '')
  add(fields, at + 32, at + 40, `${name} address`, 8)
  add(fields, at + 40, at + 48, `${name} size`, 8)
  add(fields, word(56), word(56) + word(60) * 8, `${name} relocations`)
  if (/unwind|eh_frame|init|thread|cstring|literal|cfstring|objc/.test(name))
    add(fields, word(48), word(48) + Math.min(word(40), MAX_TABLE), `${name} contents`)
}

/** Every character of member headers and names, every word of the index. */
export function archiveFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  add(fields, 0, 8, 'magic', 1)
  const text = (at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length))
  const thin = text(0, 8) === '!<thin>\n'
  for (let at = 8, i = 0; at + 60 <= bytes.length; i++) {
    add(fields, at, at + 60, `member ${i} header`, 1)
    const size = Number.parseInt(text(at + 48, 10), 10)
    const gnu = text(at, 1) === '/'
    const table = gnu && !/\d/.test(text(at + 1, 1))
    if (i === 0) add(fields, at + 60, at + 60 + size, 'index', 4, gnu)
    else if (table || text(at, 3) === '#1/') add(fields, at + 60, at + 60 + Math.min(size, 64), 'name', 1)
    at += 60 + (thin && !table ? 0 : size + (size % 2))
  }
  return fields.filter((field) => field.at + field.width <= bytes.length)
}

/** fat_header and the fat_arch structs. */
export function fatFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4)
  add(fields, 0, 8 + count * 20, 'fat', 4, true)
  return fields
}

/** Every character that is not a letter, digit or space, and every fourth of the others. */
export function textFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length; at++)
    if (at % 4 === 0 || !/[\w ]/.test(String.fromCharCode(bytes[at]))) add(fields, at, at + 1, 'text', 1)
  return fields
}
