// Contents for a block: all is checked first, then the old ones go, a place is found, and the new ones are written.
import {
  EDIT_EXPORTED,
  EDIT_MOVED,
  EDIT_PLACED,
  EDIT_REEXPORT,
  EDIT_RESOLVER,
  EDIT_UNDEFINED,
} from '../../components/edits.ts'
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { type CheckedLines, checkLines, setLines } from './debug.ts'
import { definitionMoved, settleName } from './definitions.ts'
import { checkStrong } from './exports.ts'
import { checkRelocations, refuse } from './checkRelocations.ts'
import { forgetEntry } from './entryPoint.ts'
import { fillHole, leavePlace } from './holes.ts'
import { growSection, isThreadTemplate, layOut, MAX_ALIGN_POW2 } from './layout.ts'
import { noThreadLocals } from './linked/threads.ts'
import { addReferences, dropReferences, markDirty, markReferrers } from './references.ts'
import { releaseFreed } from './release.ts'
import { findPlace, fitsHere, idealRoom, rebin, usedSize } from './space.ts'
import { markPages, type State } from './state.ts'
import { stringBytes } from './strings.ts'
import { addSymbol, writeSymbol } from './symbols.ts'
import { endThreadLocal, makeThreadLocal } from './threadLocals.ts'
import { type CheckedUnwind, checkUnwind, setUnwind, unwindReferences } from './unwind.ts'
import { BLOCK_SECTIONS, type BlockUpdate } from './types.ts'

/** Most that a section may hold, and code, so that all places in the file are below 2^31. */
const MAX_SECTION = 0x10000000
const MAX_CODE = 0x30000000
const CODE_ALIGN = 16
const DATA_ALIGN = 8

interface Checked {
  section: number
  align: number
  size: number
  bytes: Uint8Array | null
  /** As `checkRelocations` gives them. */
  references: number[]
  lines: CheckedLines | null
  unwind: CheckedUnwind
}

export function updateBlock(state: State, block: number, update: BlockUpdate): void {
  const checked = checkUpdate(state, block, update)
  const { Place } = state.blocks
  dropReferences(state, block, (target) => releaseFreed(state, target))
  setThreadLocal(state, block, isThreadTemplate(state, checked.section))
  const moved = place(state, block, checked)
  const at = state.outputs.Extent.fileOffset[checked.section] + Place.offset[block]
  if (checked.bytes !== null) {
    state.bytes.set(checked.bytes, at)
    markPages(state, at, at + checked.size)
  }
  addReferences(state, block, checked.references)
  setUnwind(state, block, checked.unwind)
  markDirty(state, block, moved ? EDIT_MOVED : 0)
  if (checked.lines !== null || state.debug !== null) setLines(state, block, checked.lines)
  if (Place.flags[block] & EDIT_EXPORTED) settle(state, block, moved)
}

/** What refers to a block that had contents is to be looked at again, for its code fits the one or the other. */
function setThreadLocal(state: State, block: number, wanted: boolean): void {
  if ((state.blocks.Entry.descriptor[block] !== 0) === wanted) return
  if (wanted) makeThreadLocal(state, block)
  else endThreadLocal(state, block)
  if (state.blocks.Place.flags[block] & EDIT_PLACED) markReferrers(state, block)
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
  if (Entry.descriptor[block] !== 0) state.dirtyDescriptors.push(Entry.descriptor[block])
  if (!wasPlaced && Entry.stub[block] !== 0) state.indirectEntries.push(-Entry.stub[block])
  if (wasPlaced) writeSymbol(state, block)
  else addSymbol(state, block)
  if (!wasPlaced || section !== state.sections.text) forgetEntry(state, block)
  if (Entry.got[block] !== 0) {
    state.dirtyGots.push(Entry.got[block])
    if (!wasPlaced) state.indirectEntries.push(Entry.got[block])
  }
  if (Place.flags[block] & EDIT_RESOLVER) state.stale.exports = true
  if (Place.flags[block] & EDIT_EXPORTED) exportMoved(state, block, wasPlaced)
  return true
}

/** Sections of a packed image are aligned as their blocks have needed. */
function alignSection(state: State, section: number, pow2: number): void {
  const { alignPow2 } = state.outputs.Section
  if (pow2 <= alignPow2[section]) return
  alignPow2[section] = isThreadTemplate(state, section) ? pow2 : MAX_ALIGN_POW2
  layOut(state)
}

function exportMoved(state: State, block: number, wasPlaced: boolean): void {
  if (wasPlaced) state.movedExports.push(block)
  else state.stale.exports = true
}

function checkUpdate(state: State, block: number, update: BlockUpdate): Checked {
  const section = sectionOf(state, update)
  const { outputs, segments } = state
  const name = `${segments.names[outputs.Section.segment[section]]},${outputs.names[section]}`
  checkName(state, block, section)
  const zero = section === state.sections.threadZeros || isZeroFillType(state.outputs.Section.flags[section])
  const { code } = update
  const size = typeof code === 'number' ? code : code?.length
  if (zero !== (typeof code === 'number')) refuse(`expected ${zero ? 'a size' : 'bytes'} for ${name}`)
  if (!zero && !(code instanceof Uint8Array)) refuse('expected code as a Uint8Array')
  if (!Number.isInteger(size) || size <= 0) refuse(`expected at least one byte of code, got ${size}`)
  const most = section === state.sections.text ? MAX_CODE : MAX_SECTION
  if (usedSize(state, section) + 2 * idealRoom(size) > most) refuse(`${size} bytes are too many for ${name}`)
  const align = update.align ?? (section === state.sections.text ? CODE_ALIGN : DATA_ALIGN)
  if (!(align > 0) || align > 2 ** MAX_ALIGN_POW2 || !Number.isInteger(Math.log2(align)))
    refuse(`expected a power of two up to ${2 ** MAX_ALIGN_POW2} as alignment, got ${align}`)
  const relocations = update.relocations ?? []
  if (zero && relocations.length > 0) refuse(`${name} holds nothing to relocate`)
  const checked = checkRelocations(state, relocations, size, name.startsWith('__DATA'))
  const needed = Math.max(align, state.arch.name === 'arm64' && section === state.sections.text ? 4 : 1)
  const unwind = checkUnwind(state, block, section, update.unwind)
  return {
    section,
    align: checked.pointers ? Math.max(align, 8) : needed,
    size,
    bytes: zero ? null : (code as Uint8Array),
    references: [...checked.references, ...unwindReferences(unwind)],
    unwind,
    lines: codeLines(state, section, update, size),
  }
}

function codeLines(state: State, section: number, { file, lines }: BlockUpdate, size: number): CheckedLines | null {
  const checked = checkLines(file, lines, size)
  if (checked === null) return null
  if (section !== state.sections.text) refuse('lines are for code')
  if (state.object !== null) refuse('an object has no companion file for lines')
  return checked
}

function sectionOf(state: State, { section, threadLocal, code }: BlockUpdate): number {
  if (threadLocal === true) {
    if (section !== undefined) refuse(`a thread-local variable is not in ${section}`)
    const reason = noThreadLocals(state)
    if (reason !== null) refuse(reason)
    return typeof code === 'number' ? state.sections.threadZeros : state.sections.threadData
  }
  const name = section ?? '__TEXT,__text'
  if (!BLOCK_SECTIONS.includes(name)) refuse(`expected a section of ${BLOCK_SECTIONS.join(' ')}, got ${name}`)
  return state.outputs.byName.get(name)!
}

function checkName(state: State, block: number, section: number): void {
  const flags = state.blocks.Place.flags[block]
  if (flags & (EDIT_UNDEFINED | EDIT_REEXPORT)) refuse('a name without a block has no contents')
  if (flags & EDIT_EXPORTED && state.blocks.Place.section[block] !== section) {
    const name = stringBytes(state, state.blocks.Entry.string[block])
    checkStrong(state, 'updateBlock', block, name, flags | EDIT_PLACED, section)
  }
}
