// Contents for a block: all is checked first, then the old ones go, a place is found, and the new ones are written.
import { EDIT_EXPORTED, EDIT_MOVED, EDIT_PLACED, EDIT_UNDEFINED } from '../../components/edits.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { R_ADDEND, R_BRANCH, R_GOT, R_SUBTRAHEND, R_TLV, R_UNSIGNED } from '../arch/arch.ts'
import { definitionMoved, settleName } from './definitions.ts'
import { checkStrong } from './exports.ts'
import { forgetEntry } from './entryPoint.ts'
import { targetOf } from './handles.ts'
import { growSection, layOut, MAX_ALIGN_POW2 } from './layout.ts'
import { MAX_BIND_ADDEND } from './pointers.ts'
import { addReference, dropReferences, markDirty } from './references.ts'
import { releaseFreed } from './release.ts'
import { findPlace, fitsHere, freePlace, idealRoom, rebin, usedSize } from './space.ts'
import { markPages, type State } from './state.ts'
import { stringBytes } from './strings.ts'
import { addSymbol, writeSymbol } from './symbols.ts'
import { BLOCK_SECTIONS, type BlockRelocation, type BlockUpdate } from './types.ts'

/** Most that a section may hold; branches of arm64 reach less. */
const MAX_SECTION = 0x10000000
const CODE_ALIGN = 16
const DATA_ALIGN = 8

interface Checked {
  section: number
  align: number
  size: number
  bytes: Uint8Array | null
  /** Four numbers a reference: offset, type, target, addend. */
  references: number[]
}

function refuse(text: string): never {
  throw new TypeError(`updateBlock: ${text}`)
}

export function updateBlock(state: State, block: number, update: BlockUpdate): void {
  const checked = checkUpdate(state, block, update)
  const { Place } = state.blocks
  dropReferences(state, block, (target) => releaseFreed(state, target))
  const moved = place(state, block, checked)
  const at = state.outputs.Extent.fileOffset[checked.section] + Place.offset[block]
  if (checked.bytes !== null) {
    state.bytes.set(checked.bytes, at)
    markPages(state, at, at + checked.size)
  }
  const { references } = checked
  for (let i = 0; i < references.length; i += 4)
    addReference(state, block, references[i], references[i + 1], references[i + 2], references[i + 3])
  markDirty(state, block, moved ? EDIT_MOVED : 0)
  if (Place.flags[block] & EDIT_EXPORTED) settle(state, block, moved)
}

/** It may count as its name now, or no longer; what it counted for moves with it. */
function settle(state: State, block: number, moved: boolean): void {
  if (moved || state.blocks.Place.section[block] === state.sections.common)
    settleName(state, state.blocks.Entry.string[block])
  if (moved) definitionMoved(state, block)
}

/** Returns whether it stands elsewhere now. */
function place(state: State, block: number, checked: Checked): boolean {
  const { Place, Entry } = state.blocks
  const { section, size, align } = checked
  alignSection(state, section, Math.log2(align))
  Place.alignPow2[block] = Math.log2(align)
  const wasPlaced = (Place.flags[block] & EDIT_PLACED) !== 0
  const stays = wasPlaced && Place.section[block] === section && fitsHere(state, block, size, align)
  if (stays) {
    if (size < Place.size[block]) fillHole(state, block, size)
    Place.size[block] = size
    rebin(state, block)
    return false
  }
  if (wasPlaced) leavePlace(state, block)
  if (!findPlace(state, block, section, size, align)) {
    growSection(state, section, usedSize(state, section) + 2 * idealRoom(size) + align)
    findPlace(state, block, section, size, align)
  }
  Place.flags[block] |= EDIT_PLACED
  if (!wasPlaced && Entry.stub[block] !== 0) state.indirectEntries.push(-Entry.stub[block])
  if (wasPlaced) writeSymbol(state, block)
  else addSymbol(state, block)
  if (!wasPlaced || section !== state.sections.text) forgetEntry(state, block)
  if (Entry.got[block] !== 0) {
    state.dirtyGots.push(Entry.got[block])
    if (!wasPlaced) state.indirectEntries.push(Entry.got[block])
  }
  if (Place.flags[block] & EDIT_EXPORTED) exportMoved(state, block, wasPlaced)
  return true
}

/** Sections of a packed image are aligned as their blocks have needed. */
function alignSection(state: State, section: number, pow2: number): void {
  const { alignPow2 } = state.outputs.Section
  if (pow2 <= alignPow2[section]) return
  alignPow2[section] = MAX_ALIGN_POW2
  layOut(state)
}

function exportMoved(state: State, block: number, wasPlaced: boolean): void {
  if (wasPlaced) state.movedExports.push(block)
  else state.stale.exports = true
}

/** Gives the place back, filled with what faults in code and with zeros elsewhere. */
export function leavePlace(state: State, block: number): void {
  fillHole(state, block, 0)
  freePlace(state, block)
}

function fillHole(state: State, block: number, from: number): void {
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

function checkUpdate(state: State, block: number, update: BlockUpdate): Checked {
  const name = update.section ?? '__TEXT,__text'
  if (!BLOCK_SECTIONS.includes(name)) refuse(`expected a section of ${BLOCK_SECTIONS.join(' ')}, got ${name}`)
  const section = state.outputs.byName.get(name)!
  checkName(state, block, section)
  const zero = isZeroFillType(state.outputs.Section.flags[section])
  const { code } = update
  const size = typeof code === 'number' ? code : code?.length
  if (zero !== (typeof code === 'number')) refuse(`expected ${zero ? 'a size' : 'bytes'} for ${name}`)
  if (!zero && !(code instanceof Uint8Array)) refuse('expected code as a Uint8Array')
  if (!Number.isInteger(size) || size <= 0) refuse(`expected at least one byte of code, got ${size}`)
  if (usedSize(state, section) + 4 * size > MAX_SECTION) refuse(`${size} bytes are too many for ${name}`)
  const align = update.align ?? (section === state.sections.text ? CODE_ALIGN : DATA_ALIGN)
  if (!(align > 0) || align > 2 ** MAX_ALIGN_POW2 || !Number.isInteger(Math.log2(align)))
    refuse(`expected a power of two up to ${2 ** MAX_ALIGN_POW2} as alignment, got ${align}`)
  const relocations = update.relocations ?? []
  if (zero && relocations.length > 0) refuse(`${name} holds nothing to relocate`)
  const references = checkRelocations(state, relocations, size, name.startsWith('__DATA'))
  const needed = Math.max(align, state.arch.name === 'arm64' && section === state.sections.text ? 4 : 1)
  const pointers = relocations.length > 0 && name.startsWith('__DATA')
  return {
    section,
    align: pointers ? Math.max(align, 8) : needed,
    size,
    bytes: zero ? null : (code as Uint8Array),
    references,
  }
}

function checkName(state: State, block: number, section: number): void {
  const flags = state.blocks.Place.flags[block]
  if (flags & EDIT_UNDEFINED) refuse('a name without a block has no contents')
  if (flags & EDIT_EXPORTED && state.blocks.Place.section[block] !== section) {
    const name = stringBytes(state, state.blocks.Entry.string[block])
    checkStrong(state, 'updateBlock', block, name, flags | EDIT_PLACED, section)
  }
}

function checkRelocations(
  state: State,
  relocations: readonly BlockRelocation[],
  size: number,
  data: boolean,
): number[] {
  const references: number[] = []
  const pointers = new Set<number>()
  for (const { offset, type: spelled, target: handle, addend = 0 } of relocations) {
    const type = state.arch.relocationNames.indexOf(spelled)
    if (type < 0) refuse(`expected a relocation type of ${state.arch.name}, got ${spelled}`)
    const is = state.arch.attributes[type]
    const width = is & R_UNSIGNED ? 8 : 4
    if (!Number.isInteger(offset) || offset < 0 || offset + width > size)
      refuse(`relocation at ${offset} is outside of ${size} bytes of code`)
    if (!Number.isInteger(addend) || Math.abs(addend) > 0x7fffffff)
      refuse(`expected an addend of 32 bits, got ${addend}`)
    const target = targetOf(state, 'updateBlock', handle)
    checkType(state, is, spelled, target, addend)
    if (is & R_UNSIGNED) {
      if (!data) refuse(`${spelled} at ${offset}: pointers are for data, dyld does not write to __TEXT`)
      if (offset % 8 !== 0 || pointers.has(offset))
        refuse(`expected pointers at multiples of 8, one each, got ${offset}`)
      pointers.add(offset)
    } else if (data) refuse(`${spelled} is for code`)
    else if (state.arch.name === 'arm64' && offset % 4 !== 0) refuse(`${spelled} at ${offset} is not on an instruction`)
    references.push(offset, type, target, addend)
  }
  return references
}

function checkType(state: State, is: number, spelled: string, target: number, addend: number): void {
  if (is & (R_TLV | R_SUBTRAHEND | R_ADDEND)) refuse(`${spelled} is not offered`)
  if (!(target & TARGET_IMPORT)) return
  if (is & R_UNSIGNED) {
    const most = state.settings.fixupChains ? MAX_BIND_ADDEND : 0x7fffffff
    if (addend > most || (addend < 0 && state.settings.fixupChains))
      refuse(`expected an addend from 0 to ${most} on a pointer to an import, got ${addend}`)
  } else if (!(is & (R_BRANCH | R_GOT)))
    refuse(`${spelled} cannot reach an import, whose address is known at run time only`)
}
