// Pointers that dyld changes, by place: one byte for each 4 bytes of the data segments says what stands there.
import { writeChainedBind, writeChainedRebase, linkChains } from '../formats/dyld/chainedFixups.ts'
import { DYLD_CHAINED_PTR_START_NONE } from '../formats/macho/constants.ts'
import { writePointer } from '../../systems/kernels/fixups.ts'
import { type State, markPages } from './state.ts'

const POINTER_NONE = 0
export const POINTER_REBASE = 1
export const POINTER_BIND = 2
const POINTER_SIZE = 8
/** Largest addend of a chained bind. */
export const MAX_BIND_ADDEND = 255

/** A pointer into the image at a place in the file. */
export function putRebase(state: State, at: number, target: number): void {
  setKind(state, at, POINTER_REBASE)
  if (state.settings.fixupChains)
    writeChainedRebase(state.view, at, target, 0, state.pointerFormat, state.settings.imageBase)
  else writePointer(state.view, at, target)
}

/** A pointer that dyld binds; the chained import table has a row for each import. False where the addend does not fit. */
export function putBind(state: State, at: number, made: number, addend: number): boolean {
  setKind(state, at, POINTER_BIND)
  if (state.settings.fixupChains) return writeChainedBind(state.view, at, state.imports.Use.chained[made], addend)
  writePointer(state.view, at, 0)
  return true
}

export function isPointer(state: State, at: number): boolean {
  return at >= state.dataStart && at % 4 === 0 && state.pointers[(at - state.dataStart) >> 2] !== POINTER_NONE
}

export function dropPointer(state: State, at: number): void {
  setKind(state, at, POINTER_NONE)
  writePointer(state.view, at, 0)
}

export function setKind(state: State, at: number, kind: number): void {
  const place = (at - state.dataStart) >> 2
  const old = state.pointers[place]
  state.pointers[place] = kind
  const page = Math.floor((at - state.dataStart) / state.settings.pageSize)
  state.unlinked[page] = 1
  markPages(state, at, at + POINTER_SIZE)
  if (old !== kind && (old === POINTER_REBASE || kind === POINTER_REBASE)) {
    state.stale.rebase = true
    state.rebased[page] = null
  }
  if (old === POINTER_BIND || kind === POINTER_BIND) state.stale.bind = true
}

/** Links the chains of the pages that changed. */
export function linkPages(state: State): void {
  const { pageSize } = state.settings
  const places = new Uint32Array(pageSize / 4)
  for (let page = 0; page < state.unlinked.length; page++) {
    if (state.unlinked[page] === 0) continue
    state.unlinked[page] = 0
    const start = page * pageSize
    let count = 0
    for (let at = start; at < start + pageSize; at += 4)
      if (state.pointers[at >> 2] !== POINTER_NONE) places[count++] = at - start
    linkPage(state, page, places, count)
  }
}

function linkPage(state: State, page: number, places: Uint32Array, count: number): void {
  const { view, dataStart, settings } = state
  const start = dataStart + page * settings.pageSize
  for (let i = 0; i < count; i++) {
    const at = start + places[i] + 4
    view.setUint32(at, view.getUint32(at, true) & 0x8007ffff, true)
  }
  const starts = new Uint16Array(1).fill(DYLD_CHAINED_PTR_START_NONE)
  linkChains(view, start, places, 0, count, settings.pageSize, starts)
  if (starts[0] !== state.pageStarts[page]) state.stale.chains = true
  state.pageStarts[page] = starts[0]
}
