// Where blocks stand in their sections. The room behind a block, up to the next one, is its own; what is more than it should have
// is free for others, and bins by powers of two find it. A section begins with an empty block, which owns what is free in front.
import { alignUp } from '../core/align.ts'
import type { State } from './state.ts'
import { joinLeaf, leaveLeaf } from './unwindLeaves.ts'

const BINS = 32
const MIN_SURPLUS = 32
const MOST_GROWTH = 1 << 20
/** Blocks of a bin that are looked at: those of the next bin all have room enough, but for alignment. */
const TRIES = 8

/** With a third of its size to grow into, but not without end. */
export function idealRoom(size: number): number {
  return size + Math.min(Math.floor(size / 3), MOST_GROWTH)
}

export function roomEnd(state: State, block: number): number {
  const next = state.blocks.Neighbour.next[block]
  return next === 0 ? state.rooms.Room.capacity[state.blocks.Place.section[block]] : state.blocks.Place.offset[next]
}

export function fitsHere(state: State, block: number, size: number, align: number): boolean {
  const { offset } = state.blocks.Place
  return offset[block] % align === 0 && offset[block] + size <= roomEnd(state, block)
}

/** Finds out again what is free behind a block. */
export function rebin(state: State, block: number): void {
  unbin(state, block)
  const { Place, Neighbour } = state.blocks
  const surplus = roomEnd(state, block) - Place.offset[block] - idealRoom(Place.size[block])
  if (surplus < MIN_SURPLUS) return
  const bin = 31 - Math.clz32(surplus)
  const head = Place.section[block] * BINS + bin
  const first = state.bins[head]
  Neighbour.bin[block] = bin
  Neighbour.binPrevious[block] = 0
  Neighbour.binNext[block] = first
  if (first !== 0) Neighbour.binPrevious[first] = block
  state.bins[head] = block
}

function unbin(state: State, block: number): void {
  const { bin, binPrevious, binNext } = state.blocks.Neighbour
  if (bin[block] === 0) return
  if (binPrevious[block] !== 0) binNext[binPrevious[block]] = binNext[block]
  else state.bins[state.blocks.Place.section[block] * BINS + bin[block]] = binNext[block]
  if (binNext[block] !== 0) binPrevious[binNext[block]] = binPrevious[block]
  bin[block] = 0
}

/** Gives a block that has no place one in `section`; false where there is none. */
export function findPlace(state: State, block: number, section: number, size: number, align: number): boolean {
  const wanted = Math.max(idealRoom(size), 1)
  for (let bin = Math.max(5, 31 - Math.clz32(wanted)); bin < BINS; bin++) {
    let host = state.bins[section * BINS + bin]
    for (let tries = 0; host !== 0 && tries < TRIES; tries++, host = state.blocks.Neighbour.binNext[host]) {
      const { offset, size: sizes } = state.blocks.Place
      const at = alignUp(offset[host] + idealRoom(sizes[host]), align)
      if (at + wanted > roomEnd(state, host)) continue
      insertBehind(state, block, host, section, at, size)
      return true
    }
  }
  return false
}

/** Takes a place in the room of `host`, which ends there from now on. */
export function insertBehind(
  state: State,
  block: number,
  host: number,
  section: number,
  at: number,
  size: number,
): void {
  const { Place, Neighbour } = state.blocks
  const { Room } = state.rooms
  const next = Neighbour.next[host]
  Place.section[block] = section
  Place.offset[block] = at
  Place.size[block] = size
  Neighbour.previous[block] = host
  Neighbour.next[block] = next
  Neighbour.next[host] = block
  if (next === 0) Room.last[section] = block
  else Neighbour.previous[next] = block
  rebin(state, host)
  rebin(state, block)
  if (section === state.sections.text) joinLeaf(state, block)
}

/** Its room goes to the block in front. */
export function freePlace(state: State, block: number): void {
  const { Place, Neighbour } = state.blocks
  const before = Neighbour.previous[block]
  const next = Neighbour.next[block]
  if (Place.section[block] === state.sections.text) leaveLeaf(state, block)
  unbin(state, block)
  Neighbour.next[before] = next
  if (next === 0) state.rooms.Room.last[Place.section[block]] = before
  else Neighbour.previous[next] = before
  Neighbour.previous[block] = Neighbour.next[block] = 0
  rebin(state, before)
}

/** Bytes of a section up to the end of its last block. */
export function usedSize(state: State, section: number): number {
  const last = state.rooms.Room.last[section]
  return last === 0 ? 0 : state.blocks.Place.offset[last] + state.blocks.Place.size[last]
}
