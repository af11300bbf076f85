// The relocatable object of an image: nothing is applied or laid out for dyld, so it is written whole, in the order of compact.
// Layout: header, commands, contents of sections, relocations of sections, symbols, strings.
import { EDIT_EXPORTED, EDIT_HIDDEN, EDIT_PLACED, EDIT_WEAK } from '../../components/edits.ts'
import { IMPORT_WEAK } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { encodeBuildVersion, name16 } from '../../systems/kernels/commands.ts'
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { alignUp } from '../core/align.ts'
import { ByteSink, writeU16, writeU32, writeU64 } from '../core/bytes.ts'
import { error, type Messages } from '../core/messages.ts'
import * as macho from '../formats/macho/constants.ts'
import { COMPACT_UNWIND_ENTRY_SIZE } from '../formats/unwind/compactUnwind.ts'
import { blocksInOrder } from './compact.ts'
import { DESCRIPTOR_SIZE } from './layout.ts'
import { encodeRelocations } from './objectRelocations.ts'
import { copyUnwind } from './objectUnwind.ts'
import {
  INITIAL,
  isTentative,
  nameOf,
  numberSymbols,
  type ObjectPlaces,
  type ObjectSection,
  type ObjectSymbols,
} from './objectSymbols.ts'
import type { State } from './state.ts'

const COMMANDS = 4
const BUILD_VERSION_SIZE = 32
const SYMTAB_SIZE = 24
const DYSYMTAB_SIZE = 80
/** r_symbolnum has 24 bits. */
const MAX_SYMBOLS = 2 ** 24

/** The whole file. */
export function encodeObject(state: State, messages: Messages): Uint8Array {
  const blocks = blocksInOrder(state)
  const sections = placeSections(state, blocks)
  const rows = state.blocks.rows + 1
  const places = {
    contents: new Float64Array(rows),
    descriptors: new Float64Array(rows),
    unwind: new Float64Array(rows),
  }
  placeBlocks(state, sections, places)
  const symbols = numberSymbols(state, blocks, sections)
  const total = symbols.locals.length + symbols.externals.length + symbols.undefineds.length
  if (total > MAX_SYMBOLS)
    error(messages, 'too-many-symbols', `an object has at most ${MAX_SYMBOLS} symbols, got ${total}`)
  const end = placeContents(sections)
  const contents = new Uint8Array(end)
  for (const section of sections) if (section.fileOffset > 0) copyBlocks(state, section, places, contents)
  let at = alignUp(end, 8)
  for (const section of sections) {
    section.relocations = encodeRelocations(state, section, symbols, places, contents, messages)
    section.relocationsAt = at
    at += section.relocations.length
  }
  return assemble(state, sections, symbols, places, contents, at)
}

/**
 * Sections that have blocks, those without bytes last. Definitions that do not count are left out: an object has no two of a name.
 * Descriptors are a section of their own, and so is unwind information.
 */
function placeSections(state: State, blocks: readonly number[]): ObjectSection[] {
  const { Place, Entry } = state.blocks
  const { flags } = state.outputs.Section
  const defined = blocks.filter((block) => {
    const stands = (Place.flags[block] & EDIT_PLACED) !== 0 && Entry.row[block] !== 0
    return stands && !isTentative(state, block)
  })
  const sections: ObjectSection[] = []
  for (let output = 1; output <= state.outputs.count; output++) {
    const own = defined.filter((block) => {
      if (output === state.sections.threadVariables) return Entry.descriptor[block] !== 0
      return output === state.sections.unwind ? Entry.unwind[block] !== 0 : Place.section[block] === output
    })
    if (own.length === 0) continue
    const none = { address: 0, size: 0, alignPow2: 0, fileOffset: 0, relocations: new Uint8Array(0), relocationsAt: 0 }
    const section = { output, blocks: own, ...none }
    for (const block of own) section.alignPow2 = Math.max(section.alignPow2, extentOf(state, section, block)[1])
    if (isZeroFillType(flags[output])) section.fileOffset = -1
    sections.push(section)
  }
  return sections.sort((a, b) => b.fileOffset - a.fileOffset)
}

/** Size and log2 alignment of what a section has of a block. */
function extentOf(state: State, section: ObjectSection, block: number): [number, number] {
  if (section.output === state.sections.threadVariables) return [DESCRIPTOR_SIZE, 3]
  if (section.output === state.sections.unwind) return [COMPACT_UNWIND_ENTRY_SIZE, 3]
  return [state.blocks.Place.size[block], state.blocks.Place.alignPow2[block]]
}

/** By block, where a section has it. */
function placesOf({ sections }: State, { output }: ObjectSection, places: ObjectPlaces): Float64Array {
  if (output === sections.threadVariables) return places.descriptors
  return output === sections.unwind ? places.unwind : places.contents
}

/** Addresses of sections and blocks. */
function placeBlocks(state: State, sections: readonly ObjectSection[], places: ObjectPlaces): void {
  let at = 0
  for (const section of sections) {
    const list = placesOf(state, section, places)
    section.address = at = alignUp(at, 2 ** section.alignPow2)
    for (const block of section.blocks) {
      const [size, alignPow2] = extentOf(state, section, block)
      list[block] = alignUp(at, 2 ** alignPow2)
      at = list[block] + size
    }
    section.size = at - section.address
  }
}

/** Contents lie in the file as in memory, behind the commands. Returns where they end. */
function placeContents(sections: readonly ObjectSection[]): number {
  const segment = macho.SEGMENT_COMMAND_SIZE + sections.length * macho.SECTION_SIZE
  const start = alignUp(macho.HEADER_SIZE + segment + BUILD_VERSION_SIZE + SYMTAB_SIZE + DYSYMTAB_SIZE, 16)
  let end = start
  for (const section of sections) {
    if (section.fileOffset < 0) section.fileOffset = 0
    else {
      section.fileOffset = start + section.address
      end = section.fileOffset + section.size
    }
  }
  return end
}

function copyBlocks(state: State, section: ObjectSection, places: ObjectPlaces, contents: Uint8Array): void {
  const { Place } = state.blocks
  const { trap } = state.arch
  if (section.output === state.sections.text)
    for (let i = 0; i < section.size; i++) contents[section.fileOffset + i] = trap >>> ((i & 3) * 8)
  const start = state.outputs.Extent.fileOffset[section.output]
  if (section.output === state.sections.threadVariables) return
  if (section.output === state.sections.unwind) return copyUnwind(state, section, contents)
  for (const block of section.blocks) {
    const from = start + Place.offset[block]
    const bytes = state.bytes.subarray(from, from + Place.size[block])
    contents.set(bytes, section.fileOffset + places.contents[block] - section.address)
  }
}

function assemble(
  state: State,
  sections: readonly ObjectSection[],
  symbols: ObjectSymbols,
  places: ObjectPlaces,
  contents: Uint8Array,
  symbolsAt: number,
): Uint8Array {
  const owners = [...symbols.locals, ...symbols.externals, ...symbols.undefineds]
  const strings = new ByteSink()
  strings.u8(0)
  const table = new Uint8Array(owners.length * macho.NLIST_SIZE)
  for (const [row, owner] of owners.entries()) {
    writeU32(table, row * macho.NLIST_SIZE, strings.length)
    writeSymbol(state, sections, owner, places, table.subarray(row * macho.NLIST_SIZE, (row + 1) * macho.NLIST_SIZE))
    strings.cstring(nameOf(state, owner))
  }
  strings.alignTo(8)
  const stringsAt = symbolsAt + table.length
  const file = new Uint8Array(stringsAt + strings.length)
  file.set(contents)
  file.set(encodeCommands(state, sections, symbols, symbolsAt, stringsAt, strings.length))
  for (const { relocations, relocationsAt } of sections) file.set(relocations, relocationsAt)
  file.set(table, symbolsAt)
  file.set(strings.finish(), stringsAt)
  return file
}

function writeSymbol(
  state: State,
  sections: readonly ObjectSection[],
  owner: number,
  places: ObjectPlaces,
  record: Uint8Array,
): void {
  if (owner & TARGET_IMPORT) {
    record[4] = macho.N_UNDF | macho.N_EXT
    if (state.imports.Library.flags[owner & 0x7fffffff] & IMPORT_WEAK) writeU16(record, 6, macho.N_WEAK_REF)
    return
  }
  const { section, flags } = state.blocks.Place
  const block = owner % INITIAL
  const isVariable = owner < INITIAL && state.blocks.Entry.descriptor[block] !== 0
  const output = isVariable ? state.sections.threadVariables : section[block]
  const at = isTentative(state, block) ? -1 : sections.findIndex((one) => one.output === output)
  if (at < 0 || (flags[block] & EDIT_PLACED) === 0) return writeUndefined(state, block, record)
  const exported = owner < INITIAL ? flags[block] & EDIT_EXPORTED : 0
  record[4] = macho.N_SECT | (exported ? macho.N_EXT : 0) | (exported && flags[block] & EDIT_HIDDEN ? macho.N_PEXT : 0)
  record[5] = at + 1
  writeU16(record, 6, exported && flags[block] & EDIT_WEAK ? macho.N_WEAK_DEF : 0)
  writeU64(record, 8, (isVariable ? places.descriptors : places.contents)[block])
}

/** A name without definition, or a tentative one. */
function writeUndefined(state: State, block: number, record: Uint8Array): void {
  const { size, alignPow2, flags } = state.blocks.Place
  record[4] = macho.N_UNDF | macho.N_EXT | (flags[block] & EDIT_HIDDEN ? macho.N_PEXT : 0)
  if (isTentative(state, block)) {
    // SET_COMM_ALIGN of <mach-o/nlist.h>.
    writeU16(record, 6, alignPow2[block] << 8)
    writeU64(record, 8, size[block])
  } else writeU16(record, 6, flags[block] & EDIT_WEAK ? macho.N_WEAK_REF : 0)
}

function encodeCommands(
  state: State,
  sections: readonly ObjectSection[],
  symbols: ObjectSymbols,
  symbolsAt: number,
  stringsAt: number,
  stringsSize: number,
): Uint8Array {
  const sink = new ByteSink()
  for (let i = 0; i < macho.HEADER_SIZE; i++) sink.u8(0)
  encodeSegment(state, sections, sink)
  encodeBuildVersion(sink, state.settings.platform)
  const { locals, externals, undefineds } = symbols
  const [first, second, third] = [locals.length, externals.length, undefineds.length]
  for (const word of [macho.LC_SYMTAB, SYMTAB_SIZE, symbolsAt, first + second + third, stringsAt, stringsSize])
    sink.u32(word)
  for (const word of [macho.LC_DYSYMTAB, DYSYMTAB_SIZE, 0, first, first, second, first + second, third]) sink.u32(word)
  for (let i = 0; i < 12; i++) sink.u32(0)
  const bytes = sink.finish()
  const { cputype, cpusubtype } = state.arch
  const size = bytes.length - macho.HEADER_SIZE
  const header = [macho.MH_MAGIC_64, cputype, cpusubtype, macho.MH_OBJECT, COMMANDS, size]
  for (const [i, word] of [...header, macho.MH_SUBSECTIONS_VIA_SYMBOLS].entries()) writeU32(bytes, i * 4, word)
  return bytes
}

/** One segment without a name holds all sections. */
function encodeSegment(state: State, sections: readonly ObjectSection[], sink: ByteSink): void {
  const { outputs, segments } = state
  const last = sections[sections.length - 1]
  const stored = sections.filter(({ fileOffset }) => fileOffset > 0)
  const start = stored.length > 0 ? stored[0].fileOffset - stored[0].address : 0
  const end = stored.length > 0 ? stored[stored.length - 1].fileOffset + stored[stored.length - 1].size : 0
  sink.u32(macho.LC_SEGMENT_64)
  sink.u32(macho.SEGMENT_COMMAND_SIZE + sections.length * macho.SECTION_SIZE)
  name16(sink, '')
  sink.u64(0)
  sink.u64(last === undefined ? 0 : last.address + last.size)
  sink.u64(start)
  sink.u64(end - start)
  sink.u32(7)
  sink.u32(7)
  sink.u32(sections.length)
  sink.u32(0)
  for (const section of sections) {
    const { output } = section
    const segment = segments.names[outputs.Section.segment[output]]
    const unwind = output === state.sections.unwind
    name16(sink, unwind ? '__compact_unwind' : outputs.names[output])
    name16(sink, unwind ? '__LD' : segment === '__DATA_CONST' ? '__DATA' : segment)
    sink.u64(section.address)
    sink.u64(section.size)
    sink.u32(section.fileOffset)
    sink.u32(section.alignPow2)
    sink.u32(section.relocations.length > 0 ? section.relocationsAt : 0)
    sink.u32(section.relocations.length / macho.RELOCATION_SIZE)
    sink.u32(unwind ? macho.S_ATTR_DEBUG : outputs.Section.flags[output])
    for (let i = 0; i < 3; i++) sink.u32(0)
  }
}
