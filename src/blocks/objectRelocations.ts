// Relocation records of an object, and what their fields hold: addends where the format keeps them there, else zero.
import { R_ADDEND, R_PCREL, R_SUBTRAHEND, R_UNSIGNED } from '../arch/arch.ts'
import { ByteSink } from '../core/bytes.ts'
import { error, type Messages } from '../core/messages.ts'
import * as macho from '../formats/macho/constants.ts'
import {
  appendPointer,
  EXTERN,
  type ObjectPlaces,
  type ObjectSection,
  type ObjectSymbols,
  symbolOf,
} from './objectSymbols.ts'
import { encodeUnwindRelocations } from './objectUnwind.ts'
import { type State, UNWIND_PERSONALITY } from './state.ts'
import { stringText } from './strings.ts'

/** Bits of an arm64 instruction that a relocation leaves. */
const KEPT: Readonly<Record<number, number>> = {
  [macho.ARM64_RELOC_BRANCH26]: 0xfc000000,
  [macho.ARM64_RELOC_PAGE21]: 0x9f00001f,
  [macho.ARM64_RELOC_GOT_LOAD_PAGE21]: 0x9f00001f,
  [macho.ARM64_RELOC_TLVP_LOAD_PAGE21]: 0x9f00001f,
  [macho.ARM64_RELOC_PAGEOFF12]: 0xffc003ff,
  [macho.ARM64_RELOC_GOT_LOAD_PAGEOFF12]: 0xffc003ff,
  [macho.ARM64_RELOC_TLVP_LOAD_PAGEOFF12]: 0xffc003ff,
}
/** ARM64_RELOC_ADDEND holds 24 bits; fields hold 32. */
const MAX_ADDEND = 2 ** 23

/** From the end of the section to its start, as assemblers write them. Writes the fields in `contents`. */
export function encodeRelocations(
  state: State,
  section: ObjectSection,
  symbols: ObjectSymbols,
  places: ObjectPlaces,
  contents: Uint8Array,
  messages: Messages,
): Uint8Array {
  const { Site, Chain } = state.references
  const sink = new ByteSink()
  const view = new DataView(contents.buffer)
  if (section.output === state.sections.threadVariables) return encodeDescriptors(state, section, symbols, places)
  if (section.output === state.sections.unwind) return encodeUnwindRelocations(state, section, symbols, places)
  for (let i = section.blocks.length - 1; i >= 0; i--) {
    const block = section.blocks[i]
    const references: number[] = []
    for (let r = state.blocks.Links.references[block]; r !== 0; r = Chain.next[r])
      if (Site.type[r] < UNWIND_PERSONALITY && (state.arch.attributes[Site.type[r]] & R_SUBTRAHEND) === 0)
        references.push(r)
    references.sort((a, b) => Site.offset[b] - Site.offset[a])
    for (const r of references) {
      const address = places.contents[block] - section.address + Site.offset[r]
      encodeRelocation(state, symbols, r, address, sink)
      if (!writeField(state, view, section.fileOffset + address, r)) explain(state, r, messages)
    }
  }
  return sink.finish()
}

/** A descriptor is a function of dyld's, a key, and where in the template the variable begins. */
function encodeDescriptors(
  state: State,
  section: ObjectSection,
  symbols: ObjectSymbols,
  places: ObjectPlaces,
): Uint8Array {
  const sink = new ByteSink()
  for (let i = section.blocks.length - 1; i >= 0; i--) {
    const block = section.blocks[i]
    const at = places.descriptors[block] - section.address
    for (const [offset, row] of [
      [16, symbols.ofInitial[block]],
      [0, symbols.ofImport[state.bootstrap]],
    ]) {
      appendPointer(sink, at + offset, row - 1)
    }
  }
  return sink.finish()
}

function encodeRelocation(state: State, symbols: ObjectSymbols, r: number, address: number, sink: ByteSink): void {
  const { Site } = state.references
  if (Site.pair[r] !== 0) encodeRecord(state, symbols, Site.pair[r], address, sink)
  else if (isSeparate(state, r) && Site.addend[r] !== 0) {
    sink.u32(address)
    sink.u32((Site.addend[r] & 0xffffff) | (2 << 25) | (macho.ARM64_RELOC_ADDEND << 28))
  }
  encodeRecord(state, symbols, r, address, sink)
}

function encodeRecord(state: State, symbols: ObjectSymbols, r: number, address: number, sink: ByteSink): void {
  const { Site } = state.references
  const is = state.arch.attributes[Site.type[r]]
  const length = Site.width[r] === 8 ? 3 : 2
  const pcrel = is & R_PCREL ? 1 << 24 : 0
  sink.u32(address)
  sink.u32((symbolOf(state, symbols, Site.target[r]) | pcrel | (length << 25) | EXTERN | (Site.type[r] << 28)) >>> 0)
}

/** Whether the addend is a record of its own: the architecture has such, and the field is an instruction's. */
function isSeparate(state: State, r: number): boolean {
  return hasAddends(state) && KEPT[state.references.Site.type[r]] !== undefined
}

function hasAddends(state: State): boolean {
  return (state.arch.attributes[macho.ARM64_RELOC_ADDEND] & R_ADDEND) !== 0
}

/** False where the addend does not fit. */
function writeField(state: State, view: DataView, at: number, r: number): boolean {
  const { type, addend, width } = state.references.Site
  if (isSeparate(state, r)) {
    view.setUint32(at, view.getUint32(at, true) & KEPT[type[r]], true)
    const takes = type[r] <= macho.ARM64_RELOC_PAGEOFF12
    return addend[r] === 0 || (takes && addend[r] >= -MAX_ADDEND && addend[r] < MAX_ADDEND)
  }
  const unsigned = (state.arch.attributes[type[r]] & R_UNSIGNED) !== 0
  const value = addend[r] - (unsigned ? 0 : state.arch.pcOffsets[type[r]])
  view.setInt32(at, value, true)
  if (width[r] === 8) view.setInt32(at + 4, Math.floor(value / 2 ** 32), true)
  return value === (value | 0)
}

function explain(state: State, r: number, messages: Messages): void {
  const { block, offset, type, addend } = state.references.Site
  const owner = stringText(state, state.blocks.Entry.string[block[r]])
  const what = `${state.arch.relocationNames[type[r]]} at ${owner}+${offset[r]}`
  error(messages, 'relocation-out-of-range', `${what} does not take an addend of ${addend[r]}`)
}
