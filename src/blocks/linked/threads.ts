// Thread-local variables that edits add to a linked file: dyld makes one template of an image, and load commands need room.
import * as macho from '../../formats/macho/constants.ts'
import type { State } from '../state.ts'
import { headerOf } from './header.ts'

const TYPES: readonly number[] = [
  macho.S_THREAD_LOCAL_REGULAR,
  macho.S_THREAD_LOCAL_ZEROFILL,
  macho.S_THREAD_LOCAL_VARIABLES,
]

/** The reason why there can be none, or null. */
export function noThreadLocals(state: State): string | null {
  const { base, outputs, sections } = state
  if (base === null || outputs.Section.index[sections.threadVariables] !== 0) return null
  if (base.image.sections.some(({ flags }) => TYPES.includes(flags & macho.SECTION_TYPE)))
    return 'the linked file has thread-local variables, and an image one list of them'
  const needed = headerOf(state, 0).length + TYPES.length * macho.SECTION_SIZE
  return needed > base.header.length ? 'the linked file has no room for the sections of thread-local variables' : null
}
