// Imports and the libraries they come from.
import { IMPORT_WEAK } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { encodeHeader } from '../../systems/kernels/commands.ts'
import { removeEntity } from '../ecs.ts'
import {
  BIND_SPECIAL_DYLIB_FLAT_LOOKUP,
  BIND_SPECIAL_DYLIB_MAIN_EXECUTABLE,
  MAX_LIBRARY_ORDINAL,
} from '../formats/macho/constants.ts'
import { freeGot, freeStub } from './entries.ts'
import { nextLife } from './handles.ts'
import { layOut } from './layout.ts'
import { addToIndex, dropFromIndex, findImport } from './nameIndex.ts'
import { type State, takeRow } from './state.ts'
import { addString, checkName, freeString } from './strings.ts'
import { addSymbol, dropSymbol, writeSymbol } from './symbols.ts'
import type { ImageLibrary } from './types.ts'

/** Its ordinal; a library that is there keeps its own. */
export function addLibrary(state: State, caller: string, given: string | ImageLibrary): number {
  const library = typeof given === 'string' ? { installName: given } : given
  checkName(caller, library.installName)
  const known = state.dylibs.findIndex(({ path }) => path === library.installName)
  if (known >= 0) return known + 1
  if (state.dylibs.length >= MAX_LIBRARY_ORDINAL)
    throw new TypeError(`${caller}: an image names at most ${MAX_LIBRARY_ORDINAL} libraries`)
  const { installName, currentVersion = 0x10000, compatibilityVersion = 0x10000, weak = false } = library
  const file = { installName, currentVersion, compatibilityVersion }
  state.dylibs.push({ path: installName, file, weak, reexport: false, upward: false, referenced: 2 })
  state.linkedDylibs.push(state.dylibs.length - 1)
  if (state.textStart > 0 && encodeHeader(state, 0).length > state.textStart) layOut(state)
  return state.dylibs.length
}

function ordinalOf(state: State, library: string | number): number {
  if (typeof library === 'string') return addLibrary(state, 'addImport', library)
  const special = library === BIND_SPECIAL_DYLIB_FLAT_LOOKUP || library === BIND_SPECIAL_DYLIB_MAIN_EXECUTABLE
  if (!special && !(Number.isInteger(library) && library > 0 && library <= state.dylibs.length))
    throw new TypeError(`addImport: expected a library, its ordinal, -1 or -2, got ${library}`)
  return library
}

/** The import's row. One that anyone needs is not weak. */
export function addImport(state: State, text: string, library: string | number, weak: boolean): number {
  const name = checkName('addImport', text)
  const ordinal = ordinalOf(state, library)
  const known = findImport(state, name, ordinal)
  if (known !== 0) {
    if (!weak && state.imports.Library.flags[known] & IMPORT_WEAK) makeStrong(state, known)
    return known
  }
  const made = takeImport(state)
  const { Library } = state.imports
  Library.ordinal[made] = ordinal
  Library.flags[made] = weak ? IMPORT_WEAK : 0
  state.uses.Uses.string[made] = addString(state, name)
  addToIndex(state, (TARGET_IMPORT | made) >>> 0)
  addSymbol(state, (TARGET_IMPORT | made) >>> 0)
  state.stale.chains = true
  return made
}

function takeImport(state: State): number {
  const { imports, uses } = state
  return takeRow(imports, [imports.Library, imports.Use, uses.Uses])
}

function makeStrong(state: State, made: number): void {
  state.imports.Library.flags[made] &= ~IMPORT_WEAK
  writeSymbol(state, (TARGET_IMPORT | made) >>> 0)
  state.stale.bind = state.stale.lazy = state.stale.chains = true
}

export function freeImport(state: State, made: number): void {
  const { Uses } = state.uses
  const { Use } = state.imports
  if (Uses.references[made] !== 0)
    throw new TypeError(`freeImport: ${Uses.references[made]} references to the import are left`)
  freeStub(state, Uses.stub[made])
  freeGot(state, Use.got[made])
  Uses.stub[made] = Use.got[made] = 0
  dropFromIndex(state, (TARGET_IMPORT | made) >>> 0)
  dropSymbol(state, (TARGET_IMPORT | made) >>> 0)
  freeString(state, Uses.string[made])
  Uses.generation[made] = nextLife(Uses.generation[made])
  removeEntity(state.imports.world, made)
  state.stale.chains = true
}
