// Handles: id and kind in the low 31 bits, then how often the id had been used before, so that a handle of what is gone is known.
import { EDIT_FREED, EDIT_REEXPORT } from '../../components/edits.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { entityExists } from '../ecs.ts'
import type { State } from './state.ts'
import type { BlockHandle, ImportHandle } from './types.ts'

const IMPORT = 2 ** 30
const LIFE = 2 ** 31

/** Handles stay below 2^53. */
export function nextLife(generation: number): number {
  return (generation + 1) & 0x3fffff
}

/** Ids of handles where they are not those of rows: by row, and back. Those past the end are. */
export interface HandleIds {
  ids: Uint32Array
  rows: Uint32Array
}

export function blockHandle(state: State, block: number): BlockHandle {
  const id = state.handleIds?.blocks.ids[block] ?? block
  return state.blocks.Place.generation[block] * LIFE + id
}

export function importHandle(state: State, made: number): ImportHandle {
  const id = state.handleIds?.imports.ids[made] ?? made
  return state.uses.Uses.generation[made] * LIFE + IMPORT + id
}

/** The block's row. @throws TypeError for what is no handle of a block of this image that is there. */
export function blockOf(state: State, caller: string, handle: BlockHandle): number {
  const id = Math.floor(handle % LIFE)
  const block = state.handleIds?.blocks.rows[id] ?? id
  const there = block > 0 && block < IMPORT && entityExists(state.blocks.world, block)
  if (!there || blockHandle(state, block) !== handle || state.blocks.Place.flags[block] & EDIT_FREED)
    throw new TypeError(`${caller}: expected a block of this image, got ${handle}`)
  return block
}

export function importOf(state: State, caller: string, handle: ImportHandle): number {
  const id = Math.floor(handle % LIFE) - IMPORT
  const made = state.handleIds?.imports.rows[id] ?? id
  if (!(made > 0) || !entityExists(state.imports.world, made) || importHandle(state, made) !== handle)
    throw new TypeError(`${caller}: expected an import of this image, got ${handle}`)
  return made
}

/** A block's row, or TARGET_IMPORT with that of an import. */
export function targetOf(state: State, caller: string, handle: BlockHandle | ImportHandle): number {
  if (handle % LIFE >= IMPORT) return (TARGET_IMPORT | importOf(state, caller, handle as ImportHandle)) >>> 0
  const block = blockOf(state, caller, handle as BlockHandle)
  if (state.blocks.Place.flags[block] & EDIT_REEXPORT)
    throw new TypeError(`${caller}: a re-export is for other images; here the import is referred to`)
  return block
}
