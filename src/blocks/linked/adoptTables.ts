// Tables of a linked file that are made anew with what edits add: exports, imports, the indirect table.
import { EDIT_EXPORTED, EDIT_HIDDEN } from '../../../components/edits.ts'
import { IMPORT_WEAK } from '../../../components/imports.ts'
import { TARGET_IMPORT } from '../../../components/symbols.ts'
import { FormatError, fromText, readU32 } from '../../core/bytes.ts'
import { decodeExportTrie } from '../../formats/dyld/exportTrie.ts'
import {
  EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE,
  EXPORT_SYMBOL_FLAGS_KIND_MASK,
  EXPORT_SYMBOL_FLAGS_REEXPORT,
  EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER,
  EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION,
  LC_DYLD_EXPORTS_TRIE,
} from '../../formats/macho/constants.ts'
import { setImportRow } from '../importRows.ts'
import { findName, stringOf } from '../nameIndex.ts'
import type { State } from '../state.ts'
import { addString } from '../strings.ts'
import { addressOfLinked, type Base, NOT_EXPORTED } from './base.ts'
import type { StringOf } from './fixups.ts'
import { checkRange, tableOf } from './readLinked.ts'

const PLAIN_KINDS = EXPORT_SYMBOL_FLAGS_KIND_MASK | EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION

/** `room` is what addresses count less from the header that the file had. Plain entries whose symbol has the same address follow the symbol; others stay as they are. */
export function adoptExports(state: State, base: Base, find: StringOf, room: number): void {
  const { image } = base
  const range = image.tables.get(LC_DYLD_EXPORTS_TRIE) ?? image.dyldInfo?.exports
  const { flags } = state.blocks.Place
  base.exportFlags = new Uint8Array(base.count).fill(NOT_EXPORTED)
  decodeExportTrie(tableOf(image, range, 'export trie'), (name, kind, given, other, importName) => {
    const absolute = (kind & EXPORT_SYMBOL_FLAGS_KIND_MASK) === EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE
    const address = given === 0 || absolute ? given : given + room
    const isIt = (entry: number) =>
      (entry & TARGET_IMPORT) === 0 && (flags[entry] & (EDIT_EXPORTED | EDIT_HIDDEN)) === EDIT_EXPORTED
    const block = findName(state, fromText(name), isIt)
    const plain = (kind & ~PLAIN_KINDS) === 0
    if (block !== 0 && plain && addressOfLinked(state, block) - state.settings.imageBase === address)
      base.exportFlags[block - base.firstBlock] = kind
    else {
      if (kind >= NOT_EXPORTED)
        throw new FormatError('not-editable', `${name} is exported with flags ${kind}`, range!.offset)
      base.exports.owners.push(block)
      base.exports.strings.push(find(name))
      base.exports.flags.push(kind)
      base.exports.addresses.push(kind & EXPORT_SYMBOL_FLAGS_REEXPORT ? 0 : address)
      base.exports.others.push(kind & EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER ? other + room : other)
      base.exports.importStrings.push(importName === '' ? 0 : find(importName))
    }
  })
}

/** Gives the imports of the symbol table their rows in dyld's table, where it has them. */
export function adoptImports(state: State, base: Base): void {
  const { imports } = base
  const { Library } = state.imports
  const { Uses } = state.uses
  const rows = new Map<string, number>()
  for (let i = imports.count - 1; i >= 0; i--)
    if (imports.addends[i] === 0) rows.set(`${imports.names[i]} ${imports.ordinals[i]} ${imports.weak[i]}`, i)
  state.importRows.count = imports.count
  state.importRows.rows = Math.max(64, imports.count)
  state.importRows.Row.owner = new Uint32Array(state.importRows.rows + 1)
  const { locals, externals, undefineds } = state.symtab
  for (let row = locals + externals; row < locals + externals + undefineds; row++) {
    const made = state.symbolRows.Row.owner[row + 1] & 0x7fffffff
    const weak = Library.flags[made] & IMPORT_WEAK ? 1 : 0
    const known = rows.get(`${Uses.string[made]} ${Library.ordinal[made]} ${weak}`)
    const free = known !== undefined && state.importRows.Row.owner[known + 1] === 0
    setImportRow(state, free ? known : state.importRows.count, made)
  }
}

export function adoptIndirect(base: Base, rowOwners: Uint32Array): void {
  const { dysymtab } = base.image
  const { indirectOffset, indirectCount } = dysymtab!
  checkRange(base.image, indirectOffset, indirectCount * 4, 'indirect symbols')
  const [owners, words] = [new Uint32Array(indirectCount), new Uint32Array(indirectCount)]
  for (let i = 0; i < indirectCount; i++) {
    words[i] = readU32(base.image.bytes, indirectOffset + i * 4)
    owners[i] = rowOwners[words[i]] ?? 0
  }
  base.indirect = { owners, words }
}

/** The string of a name that an import or an exported symbol has, or a new one. */
export function stringFinder(state: State): StringOf {
  const known = new Map<string, number>()
  return (text) => {
    const seen = known.get(text)
    if (seen !== undefined) return seen
    const name = fromText(text)
    const entry = findName(state, name, () => true)
    const string = entry === 0 ? addString(state, name) : stringOf(state, entry)
    known.set(text, string)
    return string
  }
}
