// Branches that do not reach: each goes to a thunk nearby, a block that jumps on. It stands in the room of some block, or room is made.
import { EDIT_PLACED, EDIT_THUNK } from '../../components/edits.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { R_BRANCH } from '../arch/arch.ts'
import { alignUp } from '../core/align.ts'
import { entityExists, highestId, removeEntity } from '../ecs.ts'
import * as macho from '../formats/macho/constants.ts'
import { blockAddress } from './entries.ts'
import { nextLife } from './handles.ts'
import { leavePlace } from './holes.ts'
import { componentsOf, layOut } from './layout.ts'
import { addReferences, applyOwn, dropReferences, type Failed, leaveThunk } from './references.ts'
import { releaseFreed } from './release.ts'
import { insertBehind, rebin, roomEnd, usedSize } from './space.ts'
import { markPages, type State, takeRow } from './state.ts'

/** Blocks that are looked at for room, each way. */
const TRIES = 4096
/** Room is made by whole pages of code, so that blocks behind it stay aligned. */
const GAP = 4096
const ADRP_X16 = 0x90000010
const ADD_X16 = 0x91000210
const LDR_X16 = 0xf9400210
const BR_X16 = 0xd61f0200

/** Whether the reference is a branch of a function that a thunk can help. */
export function isBridgeable(state: State, reference: number): boolean {
  const { type, block, addend, through } = state.references.Site
  if (state.arch.thunkSize === 0 || (state.arch.attributes[type[reference]] & R_BRANCH) === 0) return false
  if (through[reference] !== 0 && addend[reference] !== 0) return false
  return state.blocks.Place.section[block[reference]] === state.sections.text
}

function siteAddress(state: State, reference: number): number {
  const { block, offset } = state.references.Site
  return blockAddress(state, block[reference]) + offset[reference]
}

function reaches({ arch }: State, from: number, to: number): boolean {
  return to - from >= -arch.branchReach && to - from <= arch.branchReach - 4
}

/** Gives each of the references a thunk, in the order of addresses. Returns those that nothing can help. */
export function bridge(state: State, far: readonly number[], failed: Failed): number[] {
  const order = [...far].sort((a, b) => siteAddress(state, a) - siteAddress(state, b))
  return order.filter((reference, i) => {
    leaveThunk(state, reference)
    const thunk = findThunk(state, reference) || makeThunk(state, reference, order.length - i, failed)
    if (thunk === 0) return true
    state.references.Site.thunk[reference] = thunk
    state.blocks.Links.uses[thunk]++
    return false
  })
}

function headsOf(state: State, target: number): Uint32Array {
  return target & TARGET_IMPORT ? state.uses.Uses.thunk : state.blocks.Links.thunk
}

function findThunk(state: State, reference: number): number {
  const { target, addend } = state.references.Site
  const { thunk, references } = state.blocks.Links
  const from = siteAddress(state, reference)
  let found = headsOf(state, target[reference])[target[reference] & 0x7fffffff]
  while (found !== 0) {
    if (addend[references[found]] === addend[reference] && reaches(state, from, blockAddress(state, found))) break
    found = thunk[found]
  }
  return found
}

/** 0 where no room is near. `left` thunks may be wanted in all. */
function makeThunk(state: State, reference: number, left: number, failed: Failed): number {
  const { target, block } = state.references.Site
  const size = state.arch.thunkSize
  const host = hostNear(state, reference) || makeGap(state, reference, alignUp(left * size + size, GAP))
  if (host === 0) return 0
  const made = takeRow(state.blocks, Object.values(componentsOf(state)))
  const { Place, Links } = state.blocks
  insertBehind(state, made, host, Place.section[block[reference]], placeBehind(state, host), size)
  Place.flags[made] = EDIT_PLACED | EDIT_THUNK
  Place.alignPow2[made] = 2
  const heads = headsOf(state, target[reference])
  Links.thunk[made] = heads[target[reference] & 0x7fffffff]
  heads[target[reference] & 0x7fffffff] = made
  state.lastThunk = made
  writeThunk(state, made, reference)
  applyOwn(state, made, failed)
  return made
}

/** What a branch reaches by a table entry is jumped to through the GOT. */
function writeThunk(state: State, thunk: number, reference: number): void {
  const { target, addend, through } = state.references.Site
  const table = through[reference] !== 0
  const page = table ? macho.ARM64_RELOC_GOT_LOAD_PAGE21 : macho.ARM64_RELOC_PAGE21
  const offset = table ? macho.ARM64_RELOC_GOT_LOAD_PAGEOFF12 : macho.ARM64_RELOC_PAGEOFF12
  const [to, plus] = [target[reference], addend[reference]]
  addReferences(state, thunk, [0, page, 4, to, plus, 4, offset, 4, to, plus])
  const { Extent } = state.outputs
  const at = Extent.fileOffset[state.sections.text] + state.blocks.Place.offset[thunk]
  state.view.setUint32(at, ADRP_X16, true)
  state.view.setUint32(at + 4, table ? LDR_X16 : ADD_X16, true)
  state.view.setUint32(at + 8, BR_X16, true)
  markPages(state, at, at + state.arch.thunkSize)
}

function placeBehind(state: State, host: number): number {
  const { offset, size } = state.blocks.Place
  return alignUp(offset[host] + size[host], 4)
}

/** A block with room behind it for a thunk, near the reference: behind the last thunk, so that they stand together, or else close by. */
function hostNear(state: State, reference: number): number {
  const { previous, next } = state.blocks.Neighbour
  const owner = state.references.Site.block[reference]
  if (state.lastThunk !== 0 && isHost(state, reference, state.lastThunk)) return state.lastThunk
  for (const step of [next, previous]) {
    let host = step === next ? owner : previous[owner]
    for (let tries = 0; tries < TRIES && host !== 0; tries++, host = step[host])
      if (isHost(state, reference, host)) return host
  }
  return 0
}

function isHost(state: State, reference: number, host: number): boolean {
  const at = placeBehind(state, host)
  if (at + state.arch.thunkSize > roomEnd(state, host)) return false
  return reaches(state, siteAddress(state, reference), state.outputs.Extent.address[state.sections.text] + at)
}

/** Moves all that is behind the reference's block, or that block too. Returns the block with the room, 0 where none is in reach. */
function makeGap(state: State, reference: number, size: number): number {
  const owner = state.references.Site.block[reference]
  const { previous } = state.blocks.Neighbour
  const text = state.outputs.Extent.address[state.sections.text]
  const from = siteAddress(state, reference)
  let host = 0
  if (reaches(state, from, text + placeBehind(state, owner))) host = owner
  else if (reaches(state, from + size, text + placeBehind(state, previous[owner]))) host = previous[owner]
  if (host === 0) return 0
  const { Room } = state.rooms
  const used = usedSize(state, state.sections.text)
  Room.capacity[state.sections.text] += size
  layOut(state)
  moveBehind(state, host, size, used)
  return host
}

function moveBehind(state: State, host: number, size: number, used: number): void {
  const { next } = state.blocks.Neighbour
  const { offset } = state.blocks.Place
  const start = state.outputs.Extent.fileOffset[state.sections.text]
  if (next[host] !== 0) {
    const at = offset[next[host]]
    state.bytes.copyWithin(start + at + size, start + at, start + used)
    const { trap } = state.arch
    for (let place = start + at; place < start + at + size; place += 4) state.view.setUint32(place, trap, true)
    for (let block = next[host]; block !== 0; block = next[block]) offset[block] += size
  }
  rebin(state, host)
}

/** Gives back thunks that no branch goes through. */
export function freeIdleThunks(state: State): void {
  for (const thunk of state.idleThunks.splice(0)) {
    const { flags } = state.blocks.Place
    const idle = entityExists(state.blocks.world, thunk) && flags[thunk] & EDIT_THUNK
    if (idle && state.blocks.Links.uses[thunk] === 0) freeThunk(state, thunk)
  }
}

function freeThunk(state: State, thunk: number): void {
  const { Place, Links } = state.blocks
  const target = state.references.Site.target[Links.references[thunk]]
  const heads = headsOf(state, target)
  const id = target & 0x7fffffff
  if (heads[id] === thunk) heads[id] = Links.thunk[thunk]
  else {
    let before = heads[id]
    while (Links.thunk[before] !== thunk) before = Links.thunk[before]
    Links.thunk[before] = Links.thunk[thunk]
  }
  if (state.lastThunk === thunk) state.lastThunk = 0
  dropReferences(state, thunk, (one) => releaseFreed(state, one))
  leavePlace(state, thunk)
  Links.thunk[thunk] = Place.flags[thunk] = Place.size[thunk] = 0
  Place.generation[thunk] = nextLife(Place.generation[thunk])
  removeEntity(state.blocks.world, thunk)
}

/** All of them: a packed image has those that it needs. */
export function freeThunks(state: State): void {
  const { world } = state.references
  for (let r = highestId(world); r > 0; r--) if (entityExists(world, r)) leaveThunk(state, r)
  freeIdleThunks(state)
  state.lastThunk = 0
}
