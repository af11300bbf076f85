// __LD,__compact_unwind of an object: an entry of 32 bytes for each function that has unwind information, its pointers by relocations.
import { ByteSink, writeU32 } from '../core/bytes.ts'
import {
  COMPACT_UNWIND_ENCODING,
  COMPACT_UNWIND_ENTRY_SIZE,
  COMPACT_UNWIND_FUNCTION,
  COMPACT_UNWIND_LENGTH,
  COMPACT_UNWIND_LSDA,
  COMPACT_UNWIND_PERSONALITY,
} from '../formats/unwind/compactUnwind.ts'
import { appendPointer, type ObjectPlaces, type ObjectSection, type ObjectSymbols, symbolOf } from './objectSymbols.ts'
import { type State, UNWIND_LSDA, UNWIND_PERSONALITY } from './state.ts'

export function copyUnwind({ blocks }: State, section: ObjectSection, contents: Uint8Array): void {
  for (const [i, block] of section.blocks.entries()) {
    const at = section.fileOffset + i * COMPACT_UNWIND_ENTRY_SIZE
    writeU32(contents, at + COMPACT_UNWIND_LENGTH, blocks.Place.size[block])
    writeU32(contents, at + COMPACT_UNWIND_ENCODING, blocks.Entry.unwind[block])
  }
}

export function encodeUnwindRelocations(
  state: State,
  section: ObjectSection,
  symbols: ObjectSymbols,
  places: ObjectPlaces,
): Uint8Array {
  const { Site, Chain } = state.references
  const sink = new ByteSink()
  for (let i = section.blocks.length - 1; i >= 0; i--) {
    const block = section.blocks[i]
    const at = places.unwind[block] - section.address
    const targets = new Map<number, number>()
    for (let r = state.blocks.Links.references[block]; r !== 0; r = Chain.next[r])
      targets.set(Site.type[r], Site.target[r])
    for (const [offset, type] of [
      [COMPACT_UNWIND_LSDA, UNWIND_LSDA],
      [COMPACT_UNWIND_PERSONALITY, UNWIND_PERSONALITY],
    ]) {
      const target = targets.get(type)
      if (target !== undefined) appendPointer(sink, at + offset, symbolOf(state, symbols, target))
    }
    appendPointer(sink, at + COMPACT_UNWIND_FUNCTION, symbols.ofBlock[block] - 1)
  }
  return sink.finish()
}
