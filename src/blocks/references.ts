// What blocks refer to, and the index from a target to those that refer to its address. What goes through a table is counted only:
// it stays as it is when the target moves.
import { EDIT_DIRTY, EDIT_MOVED, EDIT_UNDEFINED, EDIT_WEAK } from '../../components/edits.ts'
import { IMPORT_USED } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { APPLY_OK, APPLY_OUT_OF_RANGE, R_BRANCH, R_GOT, R_LOAD, R_SUBTRAHEND, R_TLV, R_UNSIGNED } from '../arch/arch.ts'
import { aliveCount, entityExists, highestId, removeEntity } from '../ecs.ts'
import { REFERENCE_FIELDS } from './checkRelocations.ts'
import {
  blockAddress,
  descriptorAddress,
  symbolAddress,
  definitionOf,
  gotAddress,
  gotOf,
  isThere,
  putTarget,
  stubAddress,
  stubOf,
} from './entries.ts'
import { isLinkedVariable } from './linked/base.ts'
import { aliasesOf } from './nameIndex.ts'
import { dropPointer } from './pointers.ts'
import { touchLeaf } from './unwindLeaves.ts'
import { markPages, type State, takeRow, UNWIND_PERSONALITY } from './state.ts'

/** Branches to what dyld may bind elsewhere go through a stub whatever the policy. */
export function goesThroughTable(state: State, type: number, target: number): boolean {
  const is = state.arch.attributes[type]
  if (state.object !== null) return false
  if (is & R_GOT) return true
  if ((is & (R_BRANCH | R_TLV)) === 0) return false
  if (state.throughGot || target & TARGET_IMPORT) return true
  return (state.blocks.Place.flags[target] & (EDIT_UNDEFINED | EDIT_WEAK)) !== 0
}

/** The references of `CheckedRelocations`, and the table entries that they go through. */
export function addReferences(state: State, block: number, references: readonly number[]): void {
  let subtrahend = 0
  for (let i = 0; i < references.length; i += REFERENCE_FIELDS) {
    const [offset, type, width, target, addend] = references.slice(i, i + REFERENCE_FIELDS)
    const reference = addReference(state, block, offset, type, width, target, addend)
    if (subtrahend !== 0) {
      state.references.Site.pair[subtrahend] = reference
      state.references.Site.pair[reference] = subtrahend
    }
    subtrahend = state.arch.attributes[type] & R_SUBTRAHEND ? reference : 0
  }
}

function addReference(
  state: State,
  block: number,
  offset: number,
  type: number,
  width: number,
  target: number,
  addend: number,
): number {
  const { references, blocks } = state
  const reference = takeRow(references, [references.Site, references.Chain])
  const { Site, Chain } = references
  Site.block[reference] = block
  Site.offset[reference] = offset
  Site.type[reference] = type
  Site.width[reference] = width
  Site.pair[reference] = Site.thunk[reference] = 0
  Site.target[reference] = target
  Site.addend[reference] = addend
  Chain.next[reference] = blocks.Links.references[block]
  blocks.Links.references[block] = reference
  if (target & TARGET_IMPORT) state.uses.Uses.references[target & 0x7fffffff]++
  Site.through[reference] = goesThroughTable(state, type, target) ? 1 : 0
  if (Site.through[reference] !== 0) takeEntry(state, type, target)
  else linkTo(state, reference, target)
  return reference
}

/** Whether dyld writes it. */
function isPointer(state: State, reference: number): boolean {
  const { type, pair } = state.references.Site
  return (state.arch.attributes[type[reference]] & R_UNSIGNED) !== 0 && pair[reference] === 0
}

function takeEntry(state: State, type: number, target: number): void {
  if (state.arch.attributes[type] & (R_GOT | R_TLV)) gotOf(state, target)
  else stubOf(state, target)
  if (!(target & TARGET_IMPORT)) state.blocks.Links.uses[target]++
}

/** Has the branches that go to a block go through a stub from now on. */
export function routeThroughStub(state: State, block: number): void {
  if (state.object !== null) return
  const { Site, Chain } = state.references
  for (let r = state.blocks.Links.referenced[block]; r !== 0; ) {
    const next = Chain.nextTo[r]
    if (state.arch.attributes[Site.type[r]] & R_BRANCH) {
      unlinkFrom(state, r, block)
      Site.through[r] = 1
      takeEntry(state, Site.type[r], block)
      markDirty(state, Site.block[r], 0)
    }
    r = next
  }
}

function headsOf(state: State, target: number): Uint32Array {
  return target & TARGET_IMPORT ? state.uses.Uses.referenced : state.blocks.Links.referenced
}

export function linkTo(state: State, reference: number, target: number): void {
  const { previousTo, nextTo } = state.references.Chain
  const heads = headsOf(state, target)
  const first = heads[target & 0x7fffffff]
  previousTo[reference] = 0
  nextTo[reference] = first
  if (first !== 0) previousTo[first] = reference
  heads[target & 0x7fffffff] = reference
}

function unlinkFrom(state: State, reference: number, target: number): void {
  const { previousTo, nextTo } = state.references.Chain
  if (previousTo[reference] !== 0) nextTo[previousTo[reference]] = nextTo[reference]
  else headsOf(state, target)[target & 0x7fffffff] = nextTo[reference]
  if (nextTo[reference] !== 0) previousTo[nextTo[reference]] = previousTo[reference]
}

/** Drops a block's references and the pointers it holds. Returns targets that it did not go to in vain, for the caller to look after. */
export function dropReferences(state: State, block: number, left: (target: number) => void): void {
  const { references, blocks } = state
  const { Site, Chain } = references
  let reference = blocks.Links.references[block]
  blocks.Links.references[block] = 0
  while (reference !== 0) {
    const next = Chain.next[reference]
    const target = Site.target[reference]
    if (isPointer(state, reference)) dropPointer(state, sitePlace(state, reference))
    if (target & TARGET_IMPORT) state.uses.Uses.references[target & 0x7fffffff]--
    if (Site.through[reference] === 0) unlinkFrom(state, reference, target)
    else if (!(target & TARGET_IMPORT)) blocks.Links.uses[target]--
    leaveThunk(state, reference)
    removeEntity(references.world, reference)
    if (!(target & TARGET_IMPORT)) left(target)
    reference = next
  }
}

export function isReferenced(state: State, block: number): boolean {
  return state.blocks.Links.referenced[block] !== 0 || state.blocks.Links.uses[block] !== 0
}

function sitePlace(state: State, reference: number): number {
  const { block, offset } = state.references.Site
  const { Place } = state.blocks
  return (
    state.outputs.Extent.fileOffset[Place.section[block[reference]]] +
    Place.offset[block[reference]] +
    offset[reference]
  )
}

/** Marks for the next flush. */
export function markDirty(state: State, block: number, flags: number): void {
  const { Place } = state.blocks
  if ((Place.flags[block] & EDIT_DIRTY) === 0) state.dirtyBlocks.push(block)
  Place.flags[block] |= flags | EDIT_DIRTY
}

/** Marks all that refer to a block, through a table too: a look at every reference. */
export function markReferrers(state: State, block: number): void {
  const { world, Site } = state.references
  for (let r = highestId(world); r > 0; r--)
    if (entityExists(world, r) && definitionOf(state, Site.target[r]) === block) markDirty(state, Site.block[r], 0)
}

/** A reference that does not fit is given to `failed` with its result. */
export type Failed = (reference: number, result: number) => void

/** Applies what the block refers to. */
export function applyOwn(state: State, block: number, failed: Failed): void {
  const { next } = state.references.Chain
  const { type } = state.references.Site
  const { attributes } = state.arch
  for (let r = state.blocks.Links.references[block]; r !== 0; r = next[r])
    if ((attributes[type[r]] & R_SUBTRAHEND) === 0) applyReference(state, r, failed)
}

/** Applies what refers to a block that has moved, but for what blocks that are dirty themselves apply. */
export function applyIncoming(state: State, block: number, failed: Failed): void {
  const { flags } = state.blocks.Place
  if ((flags[block] & EDIT_MOVED) === 0) return
  const { nextTo } = state.references.Chain
  for (let r = state.blocks.Links.referenced[block]; r !== 0; r = nextTo[r])
    if ((flags[state.references.Site.block[r]] & EDIT_DIRTY) === 0) applyReference(state, r, failed)
}

export function applyReference(state: State, reference: number, failed: Failed): void {
  const { Site } = state.references
  const block = Site.block[reference]
  if (Site.type[reference] >= UNWIND_PERSONALITY) return touchLeaf(state, block)
  const target = Site.target[reference]
  const is = state.arch.attributes[Site.type[reference]]
  if (!isThere(state, target)) return
  if (Site.pair[reference] !== 0) return applyDifference(state, reference, failed)
  const at = sitePlace(state, reference)
  if (is & R_UNSIGNED) {
    if (!putTarget(state, at, target, Site.addend[reference])) failed(reference, APPLY_OUT_OF_RANGE)
    return
  }
  const address = Site.through[reference] === 0 ? addressInImage(state, target) : entryAddress(state, is, target)
  if (address === 0) return failed(reference, UNREACHABLE)
  if (is & R_TLV && !isThreadLocal(state, target)) return failed(reference, NOT_THREAD_LOCAL)
  const base = state.settings.imageBase
  const P = blockAddress(state, block) + Site.offset[reference] - base
  const value = address + Site.addend[reference] - base
  const relax = (is & R_TLV) !== 0 && Site.through[reference] === 0 && isLoad(state, is, at)
  const result = state.arch.apply(state.view, at, Site.type[reference], P, value, relax)
  markPages(state, relax ? at - 2 : at, at + 4)
  if (result === APPLY_OUT_OF_RANGE && Site.thunk[reference] !== 0) applyToThunk(state, reference, P, failed)
  else if (result !== APPLY_OK) failed(reference, result)
  else leaveThunk(state, reference)
}

function applyToThunk(state: State, reference: number, P: number, failed: Failed): void {
  const { thunk, type } = state.references.Site
  const address = blockAddress(state, thunk[reference]) - state.settings.imageBase
  const result = state.arch.apply(state.view, sitePlace(state, reference), type[reference], P, address, false)
  if (result !== APPLY_OK) failed(reference, result)
}

/** The branch does not go through its thunk, if it has one, any more. */
export function leaveThunk(state: State, reference: number): void {
  const { thunk } = state.references.Site
  const { uses } = state.blocks.Links
  const left = thunk[reference]
  if (left === 0) return
  thunk[reference] = 0
  if (--uses[left] === 0) state.idleThunks.push(left)
}

/** Either one of a difference; it is there when both are. */
function applyDifference(state: State, reference: number, failed: Failed): void {
  const { Site } = state.references
  const isMinuend = (state.arch.attributes[Site.type[reference]] & R_UNSIGNED) !== 0
  const minuend = isMinuend ? reference : Site.pair[reference]
  const subtrahend = Site.pair[minuend]
  if (!isThere(state, Site.target[minuend]) || !isThere(state, Site.target[subtrahend])) return
  const to = addressInImage(state, Site.target[minuend])
  const from = addressInImage(state, Site.target[subtrahend])
  if (to === 0 || from === 0) return failed(to === 0 ? minuend : subtrahend, UNREACHABLE)
  const value = to - from + Site.addend[minuend]
  const at = sitePlace(state, minuend)
  markPages(state, at, at + Site.width[minuend])
  if (Site.width[minuend] === 8) state.view.setInt32(at + 4, Math.floor(value / 2 ** 32), true)
  else if (value !== (value | 0)) return failed(minuend, APPLY_OUT_OF_RANGE)
  state.view.setInt32(at, value, true)
}

/** What `failed` is told where a variable is not what the code takes it for. */
export const NOT_THREAD_LOCAL = -2

/** As far as it is known here. */
function isThreadLocal(state: State, target: number): boolean {
  const definition = definitionOf(state, target)
  const own = definition & TARGET_IMPORT ? state.imports.Library.symbol[definition & 0x7fffffff] : definition
  return own === 0 || state.blocks.Entry.descriptor[own] !== 0 || isLinkedVariable(state, own)
}

/** Whether the instruction still loads what it is to compute from now on; it is done once. */
function isLoad({ arch, view }: State, is: number, at: number): boolean {
  if ((is & R_LOAD) === 0) return false
  return arch.name === 'arm64' ? view.getUint32(at, true) >>> 22 === LDR_X : view.getUint8(at - 2) === MOVQ
}

/** Opcodes of `ldr x, [x, #offset]` and `movq memory, %r`. */
const [LDR_X, MOVQ] = [0x3e5, 0x8b]

/** What `failed` is told of a reference to an address that is known at run time only. */
export const UNREACHABLE = -1

function entryAddress(state: State, is: number, target: number): number {
  return is & (R_GOT | R_TLV) ? gotAddress(state, gotOf(state, target)) : stubAddress(state, stubOf(state, target))
}

/** 0 for what is in another. */
function addressInImage(state: State, target: number): number {
  const definition = definitionOf(state, target)
  if ((definition & TARGET_IMPORT) === 0) return symbolAddress(state, definition)
  const own = state.imports.Library.symbol[definition & 0x7fffffff]
  return own === 0 ? 0 : symbolAddress(state, own)
}

/** Pointers that are bound to one import, but for its entries: calls `visit` with address and addend. */
export function visitBinds(state: State, made: number, visit: (address: number, addend: number) => void): void {
  visitPointers(state, state.uses.Uses.referenced[made], visit)
  if (made === state.bootstrap && aliveCount(state.descriptors.world) > 0)
    for (let id = 1; id <= highestId(state.descriptors.world); id++) visit(descriptorAddress(state, id), 0)
  if ((state.imports.Library.flags[made] & IMPORT_USED) === 0) return
  for (const block of aliasesOf(state, made)) {
    const got = state.blocks.Entry.got[block]
    if (got !== 0) visit(gotAddress(state, got), 0)
    visitPointers(state, state.blocks.Links.referenced[block], visit)
  }
}

function visitPointers(state: State, first: number, visit: (address: number, addend: number) => void): void {
  const { Site, Chain } = state.references
  for (let r = first; r !== 0; r = Chain.nextTo[r])
    if (isPointer(state, r)) visit(blockAddress(state, Site.block[r]) + Site.offset[r], Site.addend[r])
}
