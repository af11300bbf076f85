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

export function blockHandle(state: State, block: number): BlockHandle {
  return state.blocks.Place.generation[block] * LIFE + block
}

export function importHandle(state: State, made: number): ImportHandle {
  return state.uses.Uses.generation[made] * LIFE + IMPORT + made
}

/** The block's row. @throws TypeError for what is no handle of a block of this image that is there. */
export function blockOf(state: State, caller: string, handle: BlockHandle): number {
  const block = Math.floor(handle % LIFE)
  const there = block > 0 && block < IMPORT && entityExists(state.blocks.world, block)
  if (!there || blockHandle(state, block) !== handle || state.blocks.Place.flags[block] & EDIT_FREED)
    throw new TypeError(`${caller}: expected a block of this image, got ${handle}`)
  return block
}

export function importOf(state: State, caller: string, handle: ImportHandle): number {
  const made = Math.floor(handle % LIFE) - IMPORT
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
