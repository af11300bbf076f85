// A block's end. What others still refer to keeps its row, so that the flush can say so.
import { EDIT_FREED, EDIT_PLACED, EDIT_REEXPORT, EDIT_UNDEFINED, EDIT_WAITING } from '../../components/edits.ts'
import { dropLines } from './debug.ts'
import { forgetName, wait } from './definitions.ts'
import { forgetEntry } from './entryPoint.ts'
import { endReexport, unexport } from './exports.ts'
import { nextLife } from './handles.ts'
import { leavePlace } from './holes.ts'
import { dropReferences, isReferenced } from './references.ts'
import { releaseFreed } from './release.ts'
import type { State } from './state.ts'
import { dropSymbol } from './symbols.ts'
import { endThreadLocal } from './threadLocals.ts'
import { setUnwind } from './unwind.ts'

export function freeBlock(state: State, block: number): void {
  const { Place, Entry } = state.blocks
  dropReferences(state, block, (target) => releaseFreed(state, target))
  if (Place.flags[block] & EDIT_UNDEFINED) forgetName(state, block)
  if (Place.flags[block] & EDIT_REEXPORT) endReexport(state, block)
  else unexport(state, block)
  endThreadLocal(state, block)
  setUnwind(state, block)
  dropLines(state, block)
  if (Place.flags[block] & EDIT_PLACED) {
    leavePlace(state, block)
    dropSymbol(state, block)
  }
  forgetEntry(state, block)
  Place.flags[block] = EDIT_FREED | (Place.flags[block] & EDIT_WAITING)
  Place.generation[block] = nextLife(Place.generation[block])
  if (isReferenced(state, block)) {
    wait(state, block)
    if (Entry.got[block] !== 0) {
      state.dirtyGots.push(Entry.got[block])
      state.indirectEntries.push(Entry.got[block])
    }
    if (Entry.stub[block] !== 0) state.indirectEntries.push(-Entry.stub[block])
  } else releaseFreed(state, block)
}
