// The undefined names of the symbol table, listed anew when an import comes or goes: their rows stand last, their strings behind all
// names, so that all rows in front of them move up or down by as many as there are more or fewer.
import { IMPORT_OWN } from '../../../components/imports.ts'
import type { Link } from '../../../components/link.ts'
import { rowRoom, tableRoom } from '../../../systems/kernels/linkeditRooms.ts'
import { orderUndefineds } from '../../../systems/numberSymbols/orderUndefineds.ts'
import { indirectSymbols } from '../../../systems/writeIndirect.ts'
import { NLIST_WORDS, writeRoom, writeUndefined, type Writing } from '../../../systems/writeSymtab.ts'
import { ByteSink } from '../../core/bytes.ts'
import { NLIST_SIZE } from '../../formats/macho/constants.ts'
import type { DirtyPages } from './dirtyPages.ts'
import { patchHeader } from './patchMoved.ts'
import { markRows, moveRuns, replaceBytes, symbolWords } from './tailBytes.ts'
import { replaceTable } from './patchTables.ts'
import type { OtherImports } from './renames.ts'

/** Returns why they cannot be listed within their room, in words; empty when it is done. */
export function patchUndefineds(link: Link, { fresh, gone }: OtherImports, dirty: DirtyPages): string {
  if (fresh.length + gone.size === 0) return ''
  const { table, symtab, linkedit } = link
  const old = table.undefineds.length
  const size = namesSize(link)
  table.undefineds = [...table.undefineds.filter((made) => !gone.has(made)), ...fresh]
  orderUndefineds(link)
  const more = table.undefineds.length - old
  const total = linkedit.symbols!.bytes.length / NLIST_SIZE
  const count = total - table.room + more
  if (rowRoom(link, count) !== total) return 'has more or fewer symbols than there is room for'
  table.room -= more
  symtab.locals -= more
  symtab.undefineds += more
  numberImports(link, gone, more)
  const room = table.room + more
  const words = symbolWords(link)
  moveRuns(link, [{ from: room, to: table.room, count: total - old - room }], dirty)
  if (more < 0) {
    writeRoom({ words, at: room * NLIST_WORDS }, -more)
    markRows(link, dirty, room, table.room)
  }
  if (!writeUndefineds(link, words, size, dirty)) return 'has more or longer names of imports than there is room for'
  markRows(link, dirty, total - table.undefineds.length, total)
  if (!replaceTable(link, dirty, 'indirect', indirectSymbols(link))) return 'has other indirect symbols'
  patchHeader(link, dirty)
  return ''
}

/** Numbers of rows; those of the image's own definitions move with all rows. */
function numberImports(link: Link, gone: ReadonlySet<number>, more: number): void {
  const { Use, Library } = link.imports
  for (let made = 1; made <= link.imports.count; made++)
    if (Library.flags[made] & IMPORT_OWN && Use.symtab[made] !== 0) Use.symtab[made] -= more
  for (const made of gone) Use.symtab[made] = 0
  const { locals, externals } = link.symtab
  link.table.undefineds.forEach((made, i) => {
    Use.symtab[made] = locals + externals + i + 1
  })
}

/** Bytes of the names in the string table. */
function namesSize({ table, imports, names }: Link): number {
  return table.undefineds.reduce((sum, made) => sum + names.Text.length[imports.Library.name[made]] + 1, 0)
}

/** False when the names, which took `size` bytes before, leave their room. */
function writeUndefineds(link: Link, words: Uint32Array, size: number, dirty: DirtyPages): boolean {
  const { table, symtab, linkedit } = link
  const from = table.externalStrings + table.externalNames.bytes.length
  const end = table.stabs.strings
  const strings = new ByteSink(0)
  strings.bytes = new Uint8Array(Math.max(size, namesSize(link)))
  const first = (symtab.locals + symtab.externals) * NLIST_WORDS
  const writing: Writing = { words, at: first, strings }
  for (const made of table.undefineds) writeUndefined(link, writing, made)
  if (tableRoom(link, 'strings', from + strings.length) !== end) return false
  for (let at = first; at < writing.at; at += NLIST_WORDS) words[at] += from
  replaceBytes(link, dirty, linkedit.strings!.offset + from, strings.bytes)
  return true
}
