// Rows of imports: made and given back, whoever asked for them.
import { growColumns } from '../../components/columns.ts'
import { IMPORT_OWN, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { removeEntity } from '../ecs.ts'
import { freeGot, freeStub } from './entries.ts'
import { nextLife } from './handles.ts'
import { addToIndex, dropFromIndex } from './nameIndex.ts'
import { type State, takeRow } from './state.ts'
import { addString, freeString } from './strings.ts'
import { addSymbol, dropSymbol } from './symbols.ts'

/** `symbol` is the block of an IMPORT_OWN, which has no row of its own in the symbol table. */
export function makeImport(state: State, name: Uint8Array, ordinal: number, flags: number, symbol = 0): number {
  const { imports, uses } = state
  const made = takeRow(imports, [imports.Library, imports.Use, uses.Uses])
  const target = (TARGET_IMPORT | made) >>> 0
  setImportRow(state, state.freeImportRows.pop() ?? state.importRows.count, made)
  imports.Library.ordinal[made] = ordinal
  imports.Library.flags[made] = flags
  imports.Library.symbol[made] = symbol
  uses.Uses.string[made] = addString(state, name)
  addToIndex(state, target)
  if ((flags & IMPORT_OWN) === 0) addSymbol(state, target)
  countWeak(state, flags, 1)
  state.stale.chains = true
  return made
}

/** An undefined name of the file that was opened, which refers to it; its row in dyld's table is to be set. */
export function adoptImport(state: State, string: number, ordinal: number, flags: number): number {
  const { imports, uses } = state
  const made = takeRow(imports, [imports.Library, imports.Use, uses.Uses])
  imports.Library.ordinal[made] = ordinal
  imports.Library.flags[made] = flags
  uses.Uses.string[made] = string
  uses.Uses.references[made] = 1
  addToIndex(state, (TARGET_IMPORT | made) >>> 0)
  countWeak(state, flags, 1)
  return made
}

/** Gives an import its row in dyld's table. */
export function setImportRow(state: State, row: number, made: number): void {
  const { importRows } = state
  if (row + 1 > importRows.rows) {
    importRows.rows = (row + 1) * 2
    growColumns(importRows.Row, importRows.rows)
  }
  importRows.count = Math.max(importRows.count, row + 1)
  importRows.Row.owner[row + 1] = made
  state.imports.Use.chained[made] = row
}

export function releaseImport(state: State, made: number): void {
  const { Uses } = state.uses
  const { Use, Library } = state.imports
  freeStub(state, Uses.stub[made])
  freeGot(state, Use.got[made])
  Uses.stub[made] = Use.got[made] = 0
  dropFromIndex(state, (TARGET_IMPORT | made) >>> 0)
  if ((Library.flags[made] & IMPORT_OWN) === 0) dropSymbol(state, (TARGET_IMPORT | made) >>> 0)
  freeString(state, Uses.string[made])
  Uses.generation[made] = nextLife(Uses.generation[made])
  countWeak(state, Library.flags[made], -1)
  state.importRows.Row.owner[Use.chained[made] + 1] = 0
  state.freeImportRows.push(Use.chained[made])
  Library.flags[made] = Library.symbol[made] = 0
  removeEntity(state.imports.world, made)
  state.stale.chains = true
}

function countWeak(state: State, flags: number, step: number): void {
  if (flags & (IMPORT_OWN | IMPORT_WEAK_DEF)) {
    state.weakNames += step
    state.stale.bind = true
  }
}
