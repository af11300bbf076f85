// What blocks refer to, and the index from a target to those that refer to its address. What goes through a table is counted only:
// it stays as it is when the target moves.
import { EDIT_DIRTY, EDIT_MOVED, EDIT_PLACED } from '../../components/edits.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { APPLY_OK, R_BRANCH, R_GOT, R_UNSIGNED } from '../arch/arch.ts'
import { removeEntity } from '../ecs.ts'
import { blockAddress, gotAddress, gotOf, stubAddress, stubOf } from './entries.ts'
import { dropPointer, putBind, putRebase } from './pointers.ts'
import { markPages, type State, takeRow } from './state.ts'

function isThroughTable(state: State, type: number, target: number): boolean {
  const is = state.arch.attributes[type]
  if (is & R_GOT) return true
  return (is & R_BRANCH) !== 0 && ((target & TARGET_IMPORT) !== 0 || state.throughGot)
}

/** Also takes the table entry that the reference goes through. */
export function addReference(
  state: State,
  block: number,
  offset: number,
  type: number,
  target: number,
  addend: number,
): void {
  const { references, blocks, arch } = state
  const reference = takeRow(references, [references.Site, references.Chain])
  const { Site, Chain } = references
  Site.block[reference] = block
  Site.offset[reference] = offset
  Site.type[reference] = type
  Site.target[reference] = target
  Site.addend[reference] = addend
  Chain.next[reference] = blocks.Links.references[block]
  blocks.Links.references[block] = reference
  if (target & TARGET_IMPORT) state.uses.Uses.references[target & 0x7fffffff]++
  if (isThroughTable(state, type, target)) {
    if (arch.attributes[type] & R_GOT) gotOf(state, target)
    else stubOf(state, target)
    if (!(target & TARGET_IMPORT)) blocks.Links.uses[target]++
  } else linkTo(state, reference, target)
}

function headsOf(state: State, target: number): Uint32Array {
  return target & TARGET_IMPORT ? state.uses.Uses.referenced : state.blocks.Links.referenced
}

function linkTo(state: State, reference: number, target: number): void {
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
  const { references, blocks, arch } = state
  const { Site, Chain } = references
  let reference = blocks.Links.references[block]
  blocks.Links.references[block] = 0
  while (reference !== 0) {
    const next = Chain.next[reference]
    const target = Site.target[reference]
    const type = Site.type[reference]
    if (arch.attributes[type] & R_UNSIGNED) dropPointer(state, sitePlace(state, reference))
    if (target & TARGET_IMPORT) state.uses.Uses.references[target & 0x7fffffff]--
    if (!isThroughTable(state, type, target)) unlinkFrom(state, reference, target)
    else if (!(target & TARGET_IMPORT)) blocks.Links.uses[target]--
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

/** A reference that does not fit is given to `failed` with its result. */
type Failed = (reference: number, result: number) => void

/** Applies what the block refers to. */
export function applyOwn(state: State, block: number, failed: Failed): void {
  const { next } = state.references.Chain
  for (let r = state.blocks.Links.references[block]; r !== 0; r = next[r]) applyReference(state, r, failed)
}

/** Applies what refers to a block that has moved, but for what blocks that are dirty themselves apply. */
export function applyIncoming(state: State, block: number, failed: Failed): void {
  const { flags } = state.blocks.Place
  if ((flags[block] & EDIT_MOVED) === 0) return
  const { nextTo } = state.references.Chain
  for (let r = state.blocks.Links.referenced[block]; r !== 0; r = nextTo[r])
    if ((flags[state.references.Site.block[r]] & EDIT_DIRTY) === 0) applyReference(state, r, failed)
}

function applyReference(state: State, reference: number, failed: Failed): void {
  const { Site } = state.references
  const block = Site.block[reference]
  const target = Site.target[reference]
  const is = state.arch.attributes[Site.type[reference]]
  if (!(target & TARGET_IMPORT) && (state.blocks.Place.flags[target] & EDIT_PLACED) === 0) return
  const at = sitePlace(state, reference)
  if (is & R_UNSIGNED) return applyPointer(state, at, target, Site.addend[reference])
  const base = state.settings.imageBase
  const P = blockAddress(state, block) + Site.offset[reference] - base
  const value = targetAddress(state, is, target) + Site.addend[reference] - base
  const result = state.arch.apply(state.view, at, Site.type[reference], P, value, false)
  markPages(state, at, at + 4)
  if (result !== APPLY_OK) failed(reference, result)
}

function applyPointer(state: State, at: number, target: number, addend: number): void {
  if (target & TARGET_IMPORT) putBind(state, at, target & 0x7fffffff, addend)
  else putRebase(state, at, blockAddress(state, target) + addend)
}

function targetAddress(state: State, is: number, target: number): number {
  if (is & R_GOT) return gotAddress(state, gotOf(state, target))
  const stub = is & R_BRANCH && (state.throughGot || target & TARGET_IMPORT)
  return stub ? stubAddress(state, stubOf(state, target)) : blockAddress(state, target)
}

/** Binds in place of one import, opcodes only: calls `visit` with block, offset in it and addend. */
export function visitBinds(state: State, made: number, visit: (address: number, addend: number) => void): void {
  const { Site, Chain } = state.references
  for (let r = state.uses.Uses.referenced[made]; r !== 0; r = Chain.nextTo[r])
    visit(blockAddress(state, Site.block[r]) + Site.offset[r], Site.addend[r])
}
