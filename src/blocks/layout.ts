// Sections and segments: made once, each with room; when one outgrows its room all are placed anew and everything is applied again.
import { addOutput, addSegment, FILL_ABSENT, FILL_INPUTS } from '../../components/outputs.ts'
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { alignUp } from '../core/align.ts'
import { aliveCount, highestId } from '../ecs.ts'
import * as macho from '../formats/macho/constants.ts'
import { headerOf } from './linked/header.ts'
import { rebin, usedSize } from './space.ts'
import { unwindSize } from './unwindLeaves.ts'
import { type State, takeRow } from './state.ts'

const CODE = macho.S_ATTR_PURE_INSTRUCTIONS | macho.S_ATTR_SOME_INSTRUCTIONS
const GOT_ENTRY = 8
/** Of a thread-local variable. */
export const DESCRIPTOR_SIZE = 24
/** log2: a section begins at a multiple of it, so that a block may ask for the same. */
export const MAX_ALIGN_POW2 = 12
/** Doubling ends here: positions in the file stay below 2^31. */
const MOST_ROOM = 0x10000000
const SMALL = 0x1000
const STUBS = 64
/** Less is not looked at when a block is to be placed. */
const LEAST_ROOM = 128

type Role =
  | 'blocks'
  | 'threadData'
  | 'threadZeros'
  | 'threadVariables'
  | 'stubs'
  | 'stubHelper'
  | 'got'
  | 'lazyPointers'
  | 'unwind'

/**
 * Segment, section, flags, what is in it; `lazyPointers` and `stubHelper` in images with opcodes only. Those of thread-local variables
 * have flags and a header while there are some; what dyld copies for each thread stands together.
 */
const SECTIONS: readonly (readonly [string, string, number, Role])[] = [
  ['__TEXT', '__text', CODE, 'blocks'],
  ['__TEXT', '__stubs', CODE | macho.S_SYMBOL_STUBS, 'stubs'],
  ['__TEXT', '__stub_helper', CODE, 'stubHelper'],
  ['__TEXT', '__const', 0, 'blocks'],
  ['__TEXT', '__unwind_info', 0, 'unwind'],
  ['__DATA_CONST', '__got', macho.S_NON_LAZY_SYMBOL_POINTERS, 'got'],
  ['__DATA_CONST', '__const', 0, 'blocks'],
  ['__DATA', '__la_symbol_ptr', macho.S_LAZY_SYMBOL_POINTERS, 'lazyPointers'],
  ['__DATA', '__data', 0, 'blocks'],
  ['__DATA', '__thread_vars', 0, 'threadVariables'],
  ['__DATA', '__thread_data', 0, 'threadData'],
  ['__DATA', '__thread_bss', 0, 'threadZeros'],
  ['__DATA', '__bss', macho.S_ZEROFILL, 'blocks'],
  ['__DATA', '__common', macho.S_ZEROFILL, 'blocks'],
]

const READ = macho.VM_PROT_READ
const PROTECTIONS: Record<string, number> = {
  __PAGEZERO: 0,
  __TEXT: READ | macho.VM_PROT_EXECUTE,
  __DATA_CONST: READ | macho.VM_PROT_WRITE,
  __DATA: READ | macho.VM_PROT_WRITE,
  __LINKEDIT: READ,
}

export function createSections(state: State, codeSize: number, symbolCount: number): void {
  const { settings, outputs, segments } = state
  // What is added to a linked file has all binds before it runs: the file's own helper reads the table of lazy ones.
  const binds = !settings.fixupChains && state.base === null
  let number = state.base?.image.sections.length ?? 0
  if (settings.outputType === 'execute' && state.base === null)
    state.segmentOrder.push(addSegment(segments, '__PAGEZERO'))
  for (const [segment, name, flags, role] of SECTIONS) {
    if (!binds && (role === 'stubHelper' || role === 'lazyPointers')) continue
    const output = addOutput(outputs, segments, segment, name)
    outputs.Section.flags[output] = flags
    outputs.Section.fill[output] = isAtFirst(role) ? FILL_INPUTS : FILL_ABSENT
    if (isAtFirst(role)) outputs.Section.index[output] = ++number
    outputs.Section.alignPow2[output] = role === 'blocks' ? MAX_ALIGN_POW2 : 4
    state.rooms.Room.capacity[output] = firstRoom(state, role, name, codeSize, symbolCount)
    if (role === 'blocks' || role === 'threadData' || role === 'threadZeros') createFirstBlock(state, output)
    if (role !== 'blocks') state.sections[role] = output
  }
  state.sections.text = outputs.byName.get('__TEXT,__text')!
  state.sections.common = outputs.byName.get('__DATA,__common')!
  for (const name of ['__TEXT', '__DATA_CONST', '__DATA', '__LINKEDIT'])
    state.segmentOrder.push(addSegment(segments, name))
  outputs.Section.reserved2[state.sections.stubs] = state.arch.stubSize
  for (const [index, segment] of state.segmentOrder.entries()) createSegment(state, segment, index)
}

/** Others are there while something needs them. */
function isAtFirst(role: Role): boolean {
  return !role.startsWith('thread') && role !== 'unwind'
}

/** Sections that are not there have no number. */
export function numberSections({ outputs, base }: State): void {
  const { fill, index } = outputs.Section
  let number = base?.image.sections.length ?? 0
  for (let output = 1; output <= outputs.count; output++) index[output] = fill[output] === FILL_ABSENT ? 0 : ++number
}

function createSegment(state: State, segment: number, index: number): void {
  const { Segment, Extent, names } = state.segments
  Segment.index[segment] = index + (state.base?.segments ?? 0)
  Segment.protection[segment] = Segment.maxProtection[segment] = PROTECTIONS[names[segment]]
  Segment.flags[segment] = names[segment] === '__DATA_CONST' ? macho.SG_READ_ONLY : 0
  if (names[segment] === '__PAGEZERO') Extent.size[segment] = state.settings.pagezeroSize
}

function firstRoom(state: State, role: Role, name: string, codeSize: number, symbolCount: number): number {
  if (role === 'stubs') return STUBS * state.arch.stubSize
  if (role === 'stubHelper') return state.arch.stubHelperHeaderSize + STUBS * state.arch.stubHelperEntrySize
  if (role === 'lazyPointers') return STUBS * GOT_ENTRY
  if (!isAtFirst(role)) return 0
  if (role === 'got') return (STUBS + symbolCount) * GOT_ENTRY
  return name === '__text' ? Math.max(SMALL, codeSize) : SMALL
}

/** The empty block that owns what is free at the start of a section. */
function createFirstBlock(state: State, output: number): void {
  const { blocks, rooms } = state
  const block = takeRow(blocks, Object.values(componentsOf(state)))
  blocks.Place.section[block] = output
  blocks.Place.generation[block] = 1
  rooms.Room.first[output] = rooms.Room.last[output] = block
  rebin(state, block)
}

export function componentsOf({ blocks }: State) {
  return { Place: blocks.Place, Neighbour: blocks.Neighbour, Entry: blocks.Entry, Links: blocks.Links }
}

/** Entries that tables have had at most. */
export function tableRows(state: State): { gots: number; stubs: number } {
  return { gots: highestId(state.gots.world), stubs: highestId(state.stubs.world) }
}

/** Bytes of a section that are in use. */
export function sectionSize(state: State, output: number): number {
  const { sections, arch } = state
  const { gots, stubs } = tableRows(state)
  if (output === sections.got) return gots * GOT_ENTRY
  if (output === sections.stubs) return stubs * arch.stubSize
  if (output === sections.lazyPointers) return stubs * GOT_ENTRY
  if (output === sections.stubHelper)
    return stubs === 0 ? 0 : arch.stubHelperHeaderSize + stubs * arch.stubHelperEntrySize
  if (output === sections.threadVariables) {
    const { world } = state.descriptors
    return aliveCount(world) === 0 ? 0 : highestId(world) * DESCRIPTOR_SIZE
  }
  if (output === sections.unwind) return unwindSize(state)
  return usedSize(state, output)
}

/** Makes room for `size` bytes in a section: twice what it had or more, so that moves are few. */
export function growSection(state: State, output: number, size: number): void {
  const { capacity } = state.rooms.Room
  const least = isThreadTemplate(state, output) ? LEAST_ROOM : SMALL
  capacity[output] = Math.max(size, Math.min(capacity[output] * 2, MOST_ROOM), least)
  const last = state.rooms.Room.last[output]
  if (last !== 0) rebin(state, last)
  layOut(state)
}

/** Every thread has a copy of its room too. */
export function isThreadTemplate({ sections }: State, output: number): boolean {
  return output === sections.threadData || output === sections.threadZeros
}

/** Tables of entries grow before the entry is written. */
export function ensureTables(state: State): void {
  for (const output of [
    state.sections.got,
    state.sections.stubs,
    state.sections.lazyPointers,
    state.sections.stubHelper,
  ]) {
    if (output !== 0 && sectionSize(state, output) > state.rooms.Room.capacity[output])
      growSection(state, output, sectionSize(state, output))
  }
}

/** Places everything and moves the sections' bytes to where they belong now. */
export function layOut(state: State): void {
  const { bytes: old, outputs } = state
  const before = outputs.Extent.fileOffset.slice(0, outputs.count + 1)
  const size = placeSegments(state)
  const bytes = new Uint8Array(size)
  const linked = state.base?.end ?? 0
  bytes.set(old.subarray(0, linked))
  fillCode(state, bytes)
  for (let output = 1; output <= outputs.count; output++) {
    if (old.length === 0 || isZeroFillType(outputs.Section.flags[output])) continue
    const used = Math.min(sectionSize(state, output), old.length - before[output])
    bytes.set(old.subarray(before[output], before[output] + used), outputs.Extent.fileOffset[output])
  }
  setBytes(state, bytes)
  state.size = size
  state.pages = new Uint8Array(Math.ceil(size / 2 ** state.shift)).fill(1)
  const pages = (size - state.dataStart) / state.settings.pageSize
  const pointers = new Uint8Array((size - state.dataStart) / 4)
  if (state.base !== null) pointers.set(state.pointers.subarray(0, (linked - state.dataStart) / 4))
  state.pointers = pointers
  state.unlinked = new Uint8Array(pages).fill(1)
  state.rebased = new Array(pages).fill(null)
  state.pageStarts = new Uint16Array(pages).fill(macho.DYLD_CHAINED_PTR_START_NONE)
  for (const table of Object.values(state.tables)) if (typeof table !== 'number') table.room = 0
  for (const name in state.stale) state.stale[name as keyof State['stale']] = true
  state.relocated = state.resized = true
}

/** Between blocks of code there are instructions that fault. */
function fillCode(state: State, bytes: Uint8Array): void {
  const { text } = state.sections
  const words = state.rooms.Room.capacity[text] >>> 2
  new Uint32Array(bytes.buffer, state.outputs.Extent.fileOffset[text], words).fill(state.arch.trap)
}

export function setBytes(state: State, bytes: Uint8Array): void {
  state.bytes = bytes
  state.view = new DataView(bytes.buffer)
}

/** Returns where __LINKEDIT begins in the file. */
function placeSegments(state: State): number {
  const { settings, segments, base } = state
  let address = base?.addressEnd ?? settings.imageBase
  let fileOffset = base?.end ?? 0
  state.textStart = base?.header.length ?? alignUp(headerOf(state, 0).length + settings.headerPad, 16)
  for (const segment of state.segmentOrder) {
    const name = segments.names[segment]
    if (name === '__PAGEZERO') continue
    if (name === '__DATA_CONST' && base === null) state.dataStart = fileOffset
    segments.Extent.address[segment] = address
    segments.Extent.fileOffset[segment] = fileOffset
    placeSections(state, segment, name === '__TEXT' && base === null ? state.textStart : 0)
    address += segments.Extent.size[segment]
    fileOffset += segments.Extent.fileSize[segment]
  }
  return fileOffset
}

function placeSections(state: State, segment: number, start: number): void {
  const { outputs, segments, settings } = state
  const { Section, Extent } = outputs
  let at = start
  let inFile = start
  for (let output = 1; output <= outputs.count; output++) {
    if (Section.segment[output] !== segment) continue
    if (placeLinkedUnwind(state, output)) continue
    const zero = isZeroFillType(Section.flags[output])
    at = alignUp(at, 2 ** alignOf(state, output))
    Extent.address[output] = segments.Extent.address[segment] + at
    Extent.fileOffset[output] = zero ? 0 : segments.Extent.fileOffset[segment] + at
    at += state.rooms.Room.capacity[output]
    if (!zero) inFile = at
  }
  // An empty segment keeps a page of addresses: no two begin at the same.
  segments.Extent.size[segment] = alignUp(Math.max(at, 1), settings.pageSize)
  segments.Extent.fileSize[segment] = alignUp(inFile, settings.pageSize)
}

/** What edits add to a linked file's unwind information stands with it, in front of the code. */
function placeLinkedUnwind({ base, sections, outputs, rooms, settings }: State, output: number): boolean {
  if (base === null || base.unwind === null || output !== sections.unwind) return false
  outputs.Extent.fileOffset[output] = base.unwind.offset
  outputs.Extent.address[output] = settings.imageBase + base.unwind.offset
  rooms.Room.capacity[output] = base.unwind.room
  return true
}

/** The template begins as its most aligned variable does, so that an offset in it is as aligned as an address. */
function alignOf({ outputs, sections }: State, output: number): number {
  const { alignPow2 } = outputs.Section
  if (output !== sections.threadData) return alignPow2[output]
  alignPow2[output] = Math.max(alignPow2[output], alignPow2[sections.threadZeros])
  return alignPow2[output]
}
