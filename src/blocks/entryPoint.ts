// The entry point: of the blocks of its name that have code the exported one, else the last declared. Known until one of them changes.
import { EDIT_EXPORTED, EDIT_PLACED } from '../../components/edits.ts'
import { highestId } from '../ecs.ts'
import type { State } from './state.ts'
import { isString } from './strings.ts'

/** To be called where a block of the entry point's name comes, goes or is exported. */
export function forgetEntry(state: State, block: number): void {
  if (isString(state, state.blocks.Entry.string[block], state.entryName)) state.entry = 0
}

export function isEntry(state: State, block: number): boolean {
  const { flags, section } = state.blocks.Place
  return (flags[block] & EDIT_PLACED) !== 0 && section[block] === state.sections.text
}

/** 0 where there is none. */
export function findEntry(state: State): number {
  if (state.entry !== 0 && isEntry(state, state.entry)) return state.entry
  const { Entry, Place } = state.blocks
  let [found, best] = [0, -1]
  for (let block = highestId(state.blocks.world); block > 0; block--) {
    if (!isEntry(state, block) || !isString(state, Entry.string[block], state.entryName)) continue
    const rank = Place.flags[block] & EDIT_EXPORTED ? Number.POSITIVE_INFINITY : Entry.declared[block]
    if (rank <= best) continue
    best = rank
    found = block
  }
  return found
}
