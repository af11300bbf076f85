// Where the padded layout has islands of thunks: code is cut into stretches where regions begin, by where they would be without thunks.
// What branches of a stretch need stands in one island, a table of slots, well before they would lose sight of it: code that moves within
// a region, or needs a thunk more, then moves nothing but a few thunks.
import type { Link } from '../../components/link.ts'
import { addThunk, dropThunks } from '../../components/thunks.ts'
import { sizeClass } from '../../src/core/sizeClass.ts'
import { compareTargets, hashedSlots, targetHash } from '../kernels/entrySlots.ts'

/** Least length of a stretch, and how far behind its start its island stands, as parts of the reach. */
const STRETCH = 1 / 256
const DISTANCE = 7 / 8
/** An island is a table of slots by the targets' names, at most so full, in classes an eighth of the power of two apart. */
const LOAD = 0.75
const SLOT_STEPS = 3
const LEAST_SLOTS = 8

export interface Stretches {
  /** Where each begins, from the section's start without thunks, and the queue's tail then. */
  starts: number[]
  tails: number[]
  /** The first one without an island. */
  next: number
}

export function createStretches(): Stretches {
  return { starts: [], tails: [], next: 0 }
}

/**
 * A region begins at `start`. Where a stretch does so too, returns up to which place in the queue branches are due for an island there;
 * -1: for none.
 */
export function openStretch(stretches: Stretches, start: number, tail: number, reach: number): number {
  const { starts, tails } = stretches
  if (starts.length > 0 && start - starts[starts.length - 1] < reach * STRETCH) return -1
  starts.push(start)
  tails.push(tail)
  const first = stretches.next
  while (start - starts[stretches.next] > reach * DISTANCE) stretches.next++
  return stretches.next === first ? -1 : tails[stretches.next]
}

/** Of an island with so many thunks. */
export function islandSlots(thunks: number): number {
  return sizeClass(Math.ceil(thunks / LOAD), SLOT_STEPS, LEAST_SLOTS)
}

/** Gives the thunks from `first` on, which stand side by side, the slots of their targets. Returns the bytes of the island. */
export function spreadIsland(link: Link, first: number): number {
  const { thunks, branchTargets, arch } = link
  const { Thunk } = thunks
  const { target, addend } = branchTargets.Target
  const of = Thunk.of.slice(first, thunks.count + 1)
  const [output, start] = [Thunk.output[first], Thunk.address[first]]
  const capacity = islandSlots(of.length)
  const hashes = Uint32Array.from(of, (row) => targetHash(link, target[row]))
  const slots = hashedSlots(
    hashes,
    capacity,
    (a, b) => compareTargets(link, target[of[a]], target[of[b]]) || addend[of[a]] - addend[of[b]],
  )
  const rows = new Uint32Array(capacity)
  for (let i = 0; i < slots.length; i++) rows[slots[i]] = of[i]
  dropThunks(thunks, branchTargets, first)
  for (let slot = 0; slot < capacity; slot++)
    if (rows[slot] !== 0) addThunk(thunks, branchTargets, rows[slot], output, start + slot * arch.thunkSize)
  return capacity * arch.thunkSize
}
