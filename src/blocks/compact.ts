// compact: the canonical layout. Blocks, entries, symbols and strings are put in the order of names, without room; then everything
// is laid out and applied again.
import { createEditStrings, EDIT_PLACED, EDIT_REEXPORT, EDIT_UNDEFINED } from '../../components/edits.ts'
import { createGots, KEY_IMPORT, KEY_LOCAL } from '../../components/gots.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { R_GOT, R_TLV } from '../arch/arch.ts'
import { alignUp } from '../core/align.ts'
import { entityExists, highestId } from '../ecs.ts'
import { isLazy } from './entries.ts'
import { packLines } from './debug.ts'
import { settleLookUps } from './definitions.ts'
import { setImportRow } from './importRows.ts'
import { layOut, sectionSize, setBytes } from './layout.ts'
import { goesThroughTable, linkTo } from './references.ts'
import { rebin, usedSize } from './space.ts'
import { markPages, type State, takeRow } from './state.ts'
import { STRINGS_START } from './strings.ts'
import { isExternal, setRow } from './symbols.ts'
import { resizeTable } from './table.ts'
import { packUnwind } from './unwind.ts'
import { freeThunks } from './thunks.ts'
import { packDescriptors } from './threadLocals.ts'

const NEEDS_GOT = 1
const NEEDS_STUB = 2
/** log2: what a section that holds code or pointers is aligned to at least. */
const LEAST_ALIGN = 4

export function compactImage(state: State): void {
  state.note = null
  freeThunks(state)
  const blocks = blocksInOrder(state)
  settleLookUps(state, blocks)
  straighten(state, blocks)
  packDescriptors(state, blocks)
  const imports = importsInOrder(state)
  packEntries(state, blocks, imports)
  packBlocks(state, blocks)
  packStrings(state, blocks, imports)
  packLines(state, blocks)
  packSymbols(state, symbolOwners(state, blocks, imports))
  state.packing = true
}

/** Branches to what was weak once need their stubs no more. */
function straighten(state: State, blocks: readonly number[]): void {
  const { Site, Chain } = state.references
  const { references, uses } = state.blocks.Links
  for (const block of blocks)
    for (let r = references[block]; r !== 0; r = Chain.next[r]) {
      if (Site.through[r] === 0 || goesThroughTable(state, Site.type[r], Site.target[r])) continue
      Site.through[r] = 0
      uses[Site.target[r]]--
      linkTo(state, r, Site.target[r])
    }
}

function compareNames(state: State, a: number, b: number): number {
  const { offset, length } = state.strings.Text
  const { bytes } = state.tables.strings
  const shared = Math.min(length[a], length[b])
  for (let i = 0; i < shared; i++) {
    const difference = bytes[offset[a] + i] - bytes[offset[b] + i]
    if (difference !== 0) return difference
  }
  return length[a] - length[b]
}

/** All that are declared; those that own the starts of sections have no name. */
export function blocksInOrder(state: State): number[] {
  const { string, declared } = state.blocks.Entry
  const blocks: number[] = []
  for (let block = highestId(state.blocks.world); block > 0; block--)
    if (entityExists(state.blocks.world, block) && string[block] !== 0) blocks.push(block)
  return blocks.sort((a, b) => compareNames(state, string[a], string[b]) || declared[a] - declared[b])
}

export function importsInOrder(state: State): number[] {
  const { string } = state.uses.Uses
  const { ordinal } = state.imports.Library
  const imports = [...state.importRows.Row.owner.subarray(1, state.importRows.count + 1)].filter((made) => made !== 0)
  return imports.sort((a, b) => compareNames(state, string[a], string[b]) || ordinal[a] - ordinal[b])
}

/** The entries that references go through and, where calls go through the GOT, one for each block. */
function packEntries(state: State, blocks: readonly number[], imports: readonly number[]): void {
  const { needs, importNeeds } = entriesNeeded(state, blocks)
  const { imports: made, uses, importRows, rooms, sections } = state
  state.gots = { rows: blocks.length + imports.length, ...createGots(blocks.length + imports.length, false) }
  state.stubs = { rows: blocks.length + imports.length, ...createGots(blocks.length + imports.length, false) }
  importRows.Row.owner.fill(0)
  importRows.count = state.freeImportRows.length = 0
  for (const block of blocks) {
    state.blocks.Entry.got[block] = needs[block] & NEEDS_GOT ? addEntry(state.gots, KEY_LOCAL, block) : 0
    state.blocks.Entry.stub[block] = needs[block] & NEEDS_STUB ? addEntry(state.stubs, KEY_LOCAL, block) : 0
  }
  for (const [row, one] of imports.entries()) {
    setImportRow(state, row, one)
    made.Use.got[one] = importNeeds[one] & NEEDS_GOT ? addEntry(state.gots, KEY_IMPORT, one) : 0
    uses.Uses.stub[one] = importNeeds[one] & NEEDS_STUB ? addEntry(state.stubs, KEY_IMPORT, one) : 0
  }
  for (const output of [sections.got, sections.stubs, sections.lazyPointers, sections.stubHelper])
    if (output !== 0) rooms.Room.capacity[output] = sectionSize(state, output)
  state.dirtyGots.length = state.dirtyStubs.length = 0
}

function addEntry(entries: State['gots'], kind: number, index: number): number {
  const id = takeRow(entries, [entries.Key, entries.Slot])
  entries.Key.kind[id] = kind
  entries.Key.index[id] = index
  entries.Slot.slot[id] = id - 1
  return id
}

function entriesNeeded(state: State, blocks: readonly number[]): { needs: Uint8Array; importNeeds: Uint8Array } {
  const { Site, Chain } = state.references
  const needs = new Uint8Array(highestId(state.blocks.world) + 1)
  const importNeeds = new Uint8Array(highestId(state.imports.world) + 1)
  if (state.binder !== 0) importNeeds[state.binder] = NEEDS_GOT
  for (const block of blocks) {
    if (state.throughGot && !(state.blocks.Place.flags[block] & (EDIT_UNDEFINED | EDIT_REEXPORT)))
      needs[block] |= NEEDS_GOT
    for (let r = state.blocks.Links.references[block]; r !== 0; r = Chain.next[r]) {
      const target = Site.target[r]
      if (Site.through[r] === 0) continue
      const stub = (state.arch.attributes[Site.type[r]] & (R_GOT | R_TLV)) === 0
      const list = target & TARGET_IMPORT ? importNeeds : needs
      list[target & 0x7fffffff] |= (stub ? NEEDS_STUB : 0) | (stub && isLazy(state, target) ? 0 : NEEDS_GOT)
    }
  }
  return { needs, importNeeds }
}

/** Blocks stand one behind the other in their sections. */
function packBlocks(state: State, blocks: readonly number[]): void {
  const { Place } = state.blocks
  const old = state.bytes
  const places = Float64Array.from(blocks, (block) => fileOffsetOf(state, block))
  unchain(state, blocks)
  for (const block of blocks) if (Place.flags[block] & EDIT_PLACED) append(state, block)
  for (let output = 1; output <= state.outputs.count; output++)
    if (state.rooms.Room.first[output] !== 0) state.rooms.Room.capacity[output] = usedSize(state, output)
  packUnwind(state, blocks)
  setBytes(state, new Uint8Array(0))
  layOut(state)
  for (const [i, block] of blocks.entries()) {
    if (!(Place.flags[block] & EDIT_PLACED) || isZeroFill(state, block)) continue
    const at = fileOffsetOf(state, block)
    state.bytes.set(old.subarray(places[i], places[i] + Place.size[block]), at)
    markPages(state, at, at + Place.size[block])
  }
  for (const block of blocks) if (Place.flags[block] & EDIT_PLACED) rebin(state, block)
}

function isZeroFill(state: State, block: number): boolean {
  return isZeroFillType(state.outputs.Section.flags[state.blocks.Place.section[block]])
}

function fileOffsetOf(state: State, block: number): number {
  const { section, offset } = state.blocks.Place
  return state.outputs.Extent.fileOffset[section[block]] + offset[block]
}

/** Takes all blocks out of their sections; only the empty ones at the starts are left. */
function unchain(state: State, blocks: readonly number[]): void {
  const { Neighbour } = state.blocks
  const { Room } = state.rooms
  state.bins.fill(0)
  for (const block of blocks) Neighbour.bin[block] = Neighbour.previous[block] = Neighbour.next[block] = 0
  for (let output = 1; output <= state.outputs.count; output++) {
    const first = Room.first[output]
    if (first === 0) continue
    Room.last[output] = first
    Neighbour.bin[first] = Neighbour.next[first] = 0
    state.outputs.Section.alignPow2[output] = LEAST_ALIGN
  }
}

function append(state: State, block: number): void {
  const { Place, Neighbour } = state.blocks
  const section = Place.section[block]
  const { alignPow2 } = state.outputs.Section
  const before = state.rooms.Room.last[section]
  Place.offset[block] = alignUp(usedSize(state, section), 2 ** Place.alignPow2[block])
  alignPow2[section] = Math.max(alignPow2[section], Place.alignPow2[block])
  Neighbour.previous[block] = before
  Neighbour.next[before] = block
  state.rooms.Room.last[section] = block
}

/** In the order of the symbol table; then names of what has no row there. */
function packStrings(state: State, blocks: readonly number[], imports: readonly number[]): void {
  const { Uses } = state.uses
  const { Entry } = state.blocks
  const old = state.strings.Text
  const bytes = state.tables.strings.bytes.slice()
  const owners = namesInOrder(state, blocks, imports)
  const strings = owners.map((o) => (o & TARGET_IMPORT ? Uses.string[o & 0x7fffffff] : Entry.string[o]))
  state.strings = createEditStrings(Math.max(64, owners.length))
  state.freeStrings.fill(0)
  const { Text } = state.strings
  resizeTable(state.tables.strings, 0)
  resizeTable(state.tables.strings, STRINGS_START + strings.reduce((sum, one) => sum + old.length[one] + 1, 0))
  let at = STRINGS_START
  for (const [i, owner] of owners.entries()) {
    const string = takeRow(state.strings, [Text])
    const from = old.offset[strings[i]]
    Text.offset[string] = at
    Text.length[string] = old.length[strings[i]]
    Text.room[string] = Text.length[string] + 1
    Text.hash[string] = old.hash[strings[i]]
    state.tables.strings.bytes.set(bytes.subarray(from, from + Text.length[string]), at)
    at += Text.room[string]
    if (owner & TARGET_IMPORT) Uses.string[owner & 0x7fffffff] = string
    else Entry.string[owner] = string
  }
}

function namesInOrder(state: State, blocks: readonly number[], imports: readonly number[]): number[] {
  const { row } = state.blocks.Entry
  const { symtab } = state.imports.Use
  const others = imports.filter((made) => symtab[made] === 0)
  return [
    ...symbolOwners(state, blocks, imports),
    ...blocks.filter((block) => row[block] === 0),
    ...others.map((made) => (TARGET_IMPORT | made) >>> 0),
  ]
}

/** Locals, externals, imports: what has a row in the symbol table. */
function symbolOwners(state: State, blocks: readonly number[], imports: readonly number[]): number[] {
  const rows = blocks.filter((block) => state.blocks.Entry.row[block] !== 0)
  const undefineds = imports.filter((made) => state.imports.Use.symtab[made] !== 0)
  return [
    ...rows.filter((block) => !isExternal(state, block)),
    ...rows.filter((block) => isExternal(state, block)),
    ...undefineds.map((made) => (TARGET_IMPORT | made) >>> 0),
  ]
}

function packSymbols(state: State, owners: readonly number[]): void {
  for (const [row, owner] of owners.entries()) setRow(state, row, owner)
}
