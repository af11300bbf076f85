// A block's beginning: its name and, where calls go through it, its GOT entry.
import { wait } from './definitions.ts'
import { gotOf } from './entries.ts'
import { componentsOf } from './layout.ts'
import { type State, takeRow } from './state.ts'
import { addString } from './strings.ts'

export function declareBlock(state: State, name: Uint8Array): number {
  const block = takeRow(state.blocks, Object.values(componentsOf(state)))
  state.blocks.Entry.string[block] = addString(state, name)
  if (state.throughGot) gotOf(state, block)
  state.blocks.Entry.declared[block] = ++state.declared
  wait(state, block)
  return block
}
