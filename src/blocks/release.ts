// The end of blocks and imports: everything goes back to where it came from.
import { EDIT_FREED } from '../../components/edits.ts'
import { removeEntity } from '../ecs.ts'
import { freeGot, freeStub } from './entries.ts'
import { isReferenced } from './references.ts'
import type { State } from './state.ts'
import { freeString } from './strings.ts'

/** A freed block's row stays while something refers to it, so that the flush can say so. */
export function releaseFreed(state: State, block: number): void {
  if ((state.blocks.Place.flags[block] & EDIT_FREED) === 0 || isReferenced(state, block)) return
  const { Place, Entry, Links } = state.blocks
  freeStub(state, Entry.stub[block])
  freeGot(state, Entry.got[block])
  freeString(state, Entry.string[block])
  Entry.string[block] = Entry.row[block] = Entry.got[block] = Entry.stub[block] = 0
  Entry.definition[block] = 0
  Links.references[block] = Links.referenced[block] = Links.uses[block] = 0
  Place.flags[block] = Place.size[block] = Place.offset[block] = 0
  removeEntity(state.blocks.world, block)
}
