// The tables of __LINKEDIT: each inside it, aligned, apart from the others, the signature last.
import * as C from '../formats/macho/constants.ts'
import { type Check, fail, hex, warn } from './context.ts'

interface Table {
  name: string
  offset: number
  size: number
  /** What readers need, and what ld64 and strip expect. */
  needed: number
  expected: number
}

const SIGNATURE = 'code signature'

const NAMES: readonly (readonly [number, string, number, number])[] = [
  [C.LC_DYLD_CHAINED_FIXUPS, 'chained fixups', 4, 8],
  [C.LC_DYLD_EXPORTS_TRIE, 'export trie', 1, 8],
  [C.LC_FUNCTION_STARTS, 'function starts', 1, 8],
  [C.LC_DATA_IN_CODE, 'data in code', 4, 4],
  [C.LC_SEGMENT_SPLIT_INFO, 'segment split info', 1, 1],
  [C.LC_DYLIB_CODE_SIGN_DRS, 'code signing DRs', 1, 1],
  [C.LC_LINKER_OPTIMIZATION_HINT, 'linker optimization hints', 1, 1],
  [C.LC_CODE_SIGNATURE, SIGNATURE, 16, 16],
]

function listTables(check: Check): Table[] {
  const { dyldInfo, tables, symtab, dysymtab } = check.image
  const list: Table[] = []
  const add = (name: string, offset: number, size: number, needed: number, expected: number) => {
    if (size > 0) list.push({ name, offset, size, needed, expected })
  }
  if (dyldInfo !== null) {
    add('rebase opcodes', dyldInfo.rebase.offset, dyldInfo.rebase.size, 1, 8)
    add('bind opcodes', dyldInfo.bind.offset, dyldInfo.bind.size, 1, 8)
    add('weak bind opcodes', dyldInfo.weakBind.offset, dyldInfo.weakBind.size, 1, 8)
    add('lazy bind opcodes', dyldInfo.lazyBind.offset, dyldInfo.lazyBind.size, 1, 8)
    add('export trie', dyldInfo.exports.offset, dyldInfo.exports.size, 1, 8)
  }
  for (const [cmd, name, needed, expected] of NAMES) {
    const range = tables.get(cmd)
    if (range !== undefined) add(name, range.offset, range.size, needed, expected)
  }
  if (symtab !== null) {
    add('symbol table', symtab.symbolOffset, symtab.symbolCount * C.NLIST_SIZE, 4, 8)
    add('string table', symtab.stringOffset, symtab.stringSize, 1, 1)
  }
  if (dysymtab !== null) add('indirect symbols', dysymtab.indirectOffset, dysymtab.indirectCount * 4, 4, 4)
  return list
}

function checkTable(check: Check, table: Table): void {
  const { name, offset, size, needed, expected } = table
  const { linkedit } = check
  const inside =
    linkedit !== null && offset >= linkedit.fileOffset && offset + size <= linkedit.fileOffset + linkedit.fileSize
  if (!inside || offset + size > check.bytes.length) {
    fail(check, 'linkedit-bounds', `${name} ${hex(offset)}+${hex(size)} is outside __LINKEDIT`, offset)
  }
  if (offset % needed !== 0) {
    fail(check, 'linkedit-alignment', `${name} at ${hex(offset)} is not aligned to ${needed} bytes`, offset)
  } else if (offset % expected !== 0) {
    warn(check, 'linkedit-alignment', `${name} at ${hex(offset)} is not aligned to ${expected} bytes`, offset)
  }
}

export function checkLinkedit(check: Check): void {
  const list = listTables(check).sort((a, b) => a.offset - b.offset)
  for (const table of list) checkTable(check, table)
  for (let i = 1; i < list.length; i++) {
    const [a, b] = [list[i - 1], list[i]]
    if (a.offset + a.size > b.offset) fail(check, 'linkedit-overlap', `${a.name} and ${b.name} overlap`, b.offset)
    if (a.name === SIGNATURE) fail(check, 'linkedit-order', `${b.name} follows the code signature`, b.offset)
  }
}
