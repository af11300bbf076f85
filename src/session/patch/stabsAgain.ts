// The debug map of an object that has other symbols, made anew among those of the others.
import { createStabs, type Link, type StabTable } from '../../../components/link.ts'
import { addSymbol, endFile, fileWithStab } from '../../../systems/numberSymbols/stabs.ts'
import { createSizing, measureFile } from '../../../systems/numberSymbols/symbolSizes.ts'
import * as macho from '../../formats/macho/constants.ts'

/** The rows of an object in the parts of the table: `at` in the part, how many there were, and how many there are. */
export interface Part {
  at: number
  old: number
  now: number
}

export interface Parts {
  stabs: Part
  locals: Part
  externals: Part
}

/** The debug map's entries of the object; `at` is -1 where it has none. */
export function stabsOf({ table }: Link, file: number): Part {
  const { stabs } = table
  for (let i = 0; i < stabs.files.length; i += 2) {
    if (stabs.files[i] !== file) continue
    const at = stabs.files[i + 1] - 1
    let end = at + 2
    while (stabs.type[end] !== macho.N_SO) end++
    return { at, old: end + 1 - at, now: end + 1 - at }
  }
  return { at: -1, old: 0, now: 0 }
}

const STAB_COLUMNS = ['type', 'section', 'desc', 'value', 'text', 'row'] as const

/** N_SO and N_OSO of the object stay, its symbols follow as they stand in the table. */
export function stabsAgain(link: Link, file: number, parts: Parts): StabTable {
  const old = link.table.stabs
  const { at, old: count } = parts.stabs
  const rows = rowsWithStab(link, file, parts)
  const made = createStabs(old.count - count + 3 + rows.length * 2)
  Object.assign(made, { texts: old.texts, files: old.files, strings: old.strings })
  copyStabs(made, old, 0, at + 2)
  made.value[at + 1] = link.settings.zeroArDate ? 0 : link.files.Source.modified[file]
  const sizing = createSizing()
  measureFile(link, file, sizing)
  for (const row of rows) addSymbol(link, made, row, sizing)
  endFile(made)
  const grown = made.count - (at + count)
  copyStabs(made, old, at + count, old.count)
  for (let i = 0; i < made.files.length; i += 2) if (made.files[i + 1] > at + 1) made.files[i + 1] += grown
  for (let i = 0; i < made.count; i++)
    if (made.row[i] !== 0 && (i < at || i >= at + count + grown))
      made.row[i] = movedRow(link, parts, made.row[i] - 1) + 1
  return made
}

/** Appends entries from .. to - 1. */
function copyStabs(made: StabTable, old: StabTable, from: number, to: number): void {
  for (const name of STAB_COLUMNS) made[name].set(old[name].subarray(from, to), made.count)
  made.count += to - from
}

/** Rows of link.table (locals, then externals) of the object that have entries in its debug map. */
export function rowsWithStab(link: Link, file: number, { locals, externals }: Parts): number[] {
  const { table } = link
  const found: number[] = []
  for (let i = locals.at; i < locals.at + locals.now; i++)
    if (fileWithStab(link, table.locals[i]) === file) found.push(i)
  for (let i = externals.at; i < externals.at + externals.now; i++)
    if (fileWithStab(link, table.externals[i]) === file) found.push(table.localCount + i)
  return found
}

/** Where a row of another object (locals, thunks, then externals) has gone. */
function movedRow(link: Link, { locals, externals }: Parts, row: number): number {
  const more = locals.now - locals.old
  const before = link.table.localCount - more
  if (row < before) return row < locals.at + locals.old ? row : row + more
  const { thunks } = link.table
  const external = row - before - thunks.length
  return (
    link.table.localCount +
    thunks.length +
    (external < externals.at + externals.old ? external : external + externals.now - externals.old)
  )
}
