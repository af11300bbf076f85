// What a block leaves behind in its section.
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { freePlace } from './space.ts'
import { markPages, type State } from './state.ts'

/** Gives the place back, filled with what faults in code and with zeros elsewhere. */
export function leavePlace(state: State, block: number): void {
  fillHole(state, block, 0)
  freePlace(state, block)
}

/** All that is behind the block's first `from` bytes. */
export function fillHole(state: State, block: number, from: number): void {
  const { Place } = state.blocks
  const section = Place.section[block]
  if (isZeroFillType(state.outputs.Section.flags[section])) return
  const start = state.outputs.Extent.fileOffset[section] + Place.offset[block]
  const end = start + Place.size[block]
  const { trap } = state.arch
  const code = section === state.sections.text
  for (let at = start + from; at < end; at++) state.bytes[at] = code ? trap >>> ((at & 3) * 8) : 0
  markPages(state, start + from, end)
}
