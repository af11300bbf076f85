// Branches that wait for their targets while code is laid out, in order of address, and which of the targets have thunks.
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { addBranchTarget } from '../../components/thunks.ts'
import { isInReach } from '../kernels/branches.ts'

/** What a slot, or the state of one, has when the target has a row of link.branchTargets; the rest is that row. */
export const HAS_ROW = 0x40000000

/*
 * A branch target is a slot: a name, or names.count + a local symbol; with an addend, HAS_ROW | its row of link.branchTargets.
 * By name, what is looked up at random stays in the nearer caches: there are several times as many symbols.
 *   queue, by position [head, tail):
 *     place     u32  the instruction, from the section's start
 *     slot      u32  its target (0: done)
 *     expected  u32  where the target would be without thunks, from the section's start, plus 1; 0 where that is not known
 *   by slot:
 *     state     u32  how many branches wait for it; once it has a thunk, HAS_ROW | its row
 *     position  u32  as `expected`, for definitions in the section `measured`
 *   by row of link.branchTargets:
 *     waiting   u32  as state, since its last thunk
 *     since     u32  from which position of the queue on
 */
export interface BranchQueue {
  place: Uint32Array
  slot: Uint32Array
  expected: Uint32Array
  head: number
  tail: number
  state: Uint32Array
  waiting: Uint32Array
  since: Uint32Array
  /** Targets that branches wait for and that have no thunk for them yet. */
  pending: number
  position: Uint32Array
  measured: number
}

/** The column `position`, empty. */
export function createPositions(link: Link): Uint32Array {
  return new Uint32Array(memory(slotsOf(link) * 4, link.arenas.shared))
}

function slotsOf(link: Link): number {
  return link.names.count + link.symbols.count + 1
}

/** Room for `branches` of them. `position` is that of the section `measured`. */
export function createBranchQueue(link: Link, branches: number, position: Uint32Array, measured: number): BranchQueue {
  return {
    place: new Uint32Array(branches),
    slot: new Uint32Array(branches),
    expected: new Uint32Array(branches),
    head: 0,
    tail: 0,
    state: new Uint32Array(slotsOf(link)),
    waiting: new Uint32Array(branches + 1),
    since: new Uint32Array(branches + 1),
    pending: 0,
    position,
    measured,
  }
}

/** Of what `symbol`, a row that a relocation names, refers to. */
export function slotOf(link: Link, symbol: number, addend: number): number {
  if (addend !== 0) return HAS_ROW | addBranchTarget(link.branchTargets, link.symbols.Reference.target[symbol], addend)
  return link.symbols.Definition.name[symbol] || link.names.count + link.symbols.Reference.target[symbol]
}

/** The row of a target that has one, 0 for one that never had a thunk. */
export function rowOf(queue: BranchQueue, slot: number): number {
  const of = slot & HAS_ROW ? slot : queue.state[slot]
  return of & HAS_ROW ? of & ~HAS_ROW : 0
}

/** The row of a slot, made for its first thunk: what waited does so no longer. */
export function serveSlot(link: Link, queue: BranchQueue, slot: number): number {
  let row = rowOf(queue, slot)
  if (row === 0) {
    row = addBranchTarget(link.branchTargets, targetOf(link, slot), 0)
    if (queue.state[slot] > 0) queue.pending--
    queue.state[slot] = HAS_ROW | row
  } else if (queue.waiting[row] > 0) queue.pending--
  queue.waiting[row] = 0
  queue.since[row] = queue.tail
  return row
}

/** The Reference.target of a slot. */
export function targetOf(link: Link, slot: number): number {
  if (slot & HAS_ROW) return link.branchTargets.Target.target[slot & ~HAS_ROW]
  if (slot > link.names.count) return slot - link.names.count
  const { symbol, import: imported } = link.names.Resolution
  return imported[slot] === 0 ? symbol[slot] : (TARGET_IMPORT | imported[slot]) >>> 0
}

export function addendOf(link: Link, slot: number): number {
  return slot & HAS_ROW ? link.branchTargets.Target.addend[slot & ~HAS_ROW] : 0
}

export function enqueue(queue: BranchQueue, place: number, slot: number, expected: number): void {
  const at = queue.tail++
  queue.place[at] = place
  queue.slot[at] = slot
  queue.expected[at] = expected
  const row = rowOf(queue, slot)
  const before = row === 0 ? queue.state[slot]++ : queue.waiting[row]++
  if (before === 0) queue.pending++
}

/** The branch at a position of the queue waits no longer. */
export function leave(queue: BranchQueue, at: number): void {
  const slot = queue.slot[at]
  const row = rowOf(queue, slot)
  if (row === 0) {
    if (--queue.state[slot] === 0) queue.pending--
  } else if (at >= queue.since[row] && queue.waiting[row] > 0 && --queue.waiting[row] === 0) queue.pending--
}

/** Only the newest thunk of a target counts: older ones lie further behind. */
export function seesThunk(link: Link, queue: BranchQueue, slot: number, address: number): boolean {
  const row = rowOf(queue, slot)
  if (row === 0) return false
  const thunk = link.branchTargets.Target.last[row]
  return thunk !== 0 && isInReach(link.arch.branchReach, address, link.thunks.Thunk.address[thunk])
}

/** Forgets what waits; thunks stay. */
export function emptyQueue(link: Link, queue: BranchQueue): void {
  for (let at = queue.head; at < queue.tail; at++) {
    const slot = queue.slot[at]
    if ((slot & HAS_ROW) === 0 && (queue.state[slot] & HAS_ROW) === 0) queue.state[slot] = 0
  }
  queue.waiting.fill(0, 0, link.branchTargets.count + 1)
  queue.since.fill(0, 0, link.branchTargets.count + 1)
  queue.head = queue.tail = queue.pending = 0
}
