// Imports and the libraries they come from.
import { IMPORT_DYNAMIC_LOOKUP, IMPORT_OWN, IMPORT_WEAK, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import {
  BIND_SPECIAL_DYLIB_FLAT_LOOKUP,
  BIND_SPECIAL_DYLIB_MAIN_EXECUTABLE,
  MAX_LIBRARY_ORDINAL,
} from '../formats/macho/constants.ts'
import { settleName, settleText } from './definitions.ts'
import { makeImport, releaseImport } from './importRows.ts'
import { layOut } from './layout.ts'
import { headerOf } from './linked/header.ts'
import { findImport } from './nameIndex.ts'
import type { State } from './state.ts'
import { checkName, stringBytes } from './strings.ts'
import { writeSymbol } from './symbols.ts'
import type { ImageLibrary, ImportOptions } from './types.ts'

export const LIBSYSTEM = '/usr/lib/libSystem.B.dylib'

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
  if (state.textStart > 0 && headerOf(state, 0).length > state.textStart) {
    if (state.base !== null) {
      state.dylibs.pop()
      state.linkedDylibs.pop()
      throw new TypeError(`${caller}: the linked file has no room for the load command of ${installName}`)
    }
    layOut(state)
  }
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
export function addImport(
  state: State,
  text: string,
  library: string | number,
  { weak = false, weakDefinition = false }: ImportOptions,
): number {
  const name = checkName('addImport', text)
  const ordinal = ordinalOf(state, library)
  const { flags } = state.imports.Library
  const known = findImport(state, name, ordinal, IMPORT_OWN | IMPORT_DYNAMIC_LOOKUP)
  if (known !== 0) {
    if (known === state.bootstrap) state.bootstrapIsOurs = false
    if (weakDefinition !== ((flags[known] & IMPORT_WEAK_DEF) !== 0))
      throw new TypeError(`addImport: ${text} is there, its definition ${weakDefinition ? 'strong' : 'weak'}`)
    if (!weak && flags[known] & IMPORT_WEAK) makeStrong(state, known)
    return known
  }
  const made = makeImport(state, name, ordinal, (weak ? IMPORT_WEAK : 0) | (weakDefinition ? IMPORT_WEAK_DEF : 0))
  settleName(state, state.uses.Uses.string[made])
  return made
}

/** An import of libSystem that nobody has to ask for. */
export function addSystemImport(state: State, name: string): number {
  const system = state.dylibs.findIndex(({ path }) => path.includes('libSystem'))
  return addImport(state, name, system < 0 ? LIBSYSTEM : system + 1, {})
}

export function makeStrong(state: State, made: number): void {
  state.imports.Library.flags[made] &= ~IMPORT_WEAK
  writeSymbol(state, (TARGET_IMPORT | made) >>> 0)
  state.stale.bind = state.stale.lazy = state.stale.chains = true
}

/** Names that it defined look for another definition. */
export function freeImport(state: State, made: number): void {
  const { references, string } = state.uses.Uses
  if (references[made] !== 0) throw new TypeError(`freeImport: ${references[made]} references to the import are left`)
  const name = stringBytes(state, string[made])
  releaseImport(state, made)
  settleText(state, name)
}
