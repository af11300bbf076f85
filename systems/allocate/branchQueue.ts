// Branches that wait for their targets while code is laid out, in order of address, and which of the targets have thunks.
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { addBranchTarget } from '../../components/thunks.ts'
import { isInReach } from '../kernels/branches.ts'
import type { BranchList, NamedTargets } from './branchChunks.ts'

/** What a slot, or the state of one, has when the target has a row of link.branchTargets; the rest is that row. */
const HAS_ROW = 0x40000000

/*
 * A branch target is a slot: a name, names.count + a local symbol, or behind those an import; with an addend, HAS_ROW | its row of
 * link.branchTargets.
 * By name, what is looked up at random stays in the nearer caches: there are several times as many symbols.
 *   queue, by position [head, tail), which goes on counting from section to section:
 *     place     u32  the instruction, from the section's start
 *     slot      u32  its target (0: done)
 *     expected  u32  where the target would be without thunks, from the section's start, plus 1; 0 where that is not known
 *     newest    bit  the last one that waits for its target: who leaves need not look at the target, which lies anywhere in memory
 *   by slot:
 *     state     u32  position of the last branch that waits for it, plus 1; once it has a thunk, HAS_ROW | its row
 *   by row of link.branchTargets:
 *     last      u32  as state, since its last thunk
 */
export interface BranchQueue {
  place: Uint32Array
  slot: Uint32Array
  expected: Uint32Array
  newest: Uint32Array
  head: number
  tail: number
  state: Uint32Array
  last: Uint32Array
  /** Targets that branches wait for and that have no thunk for them yet. */
  pending: number
  named: NamedTargets
}

/**
 * Room for `branches` of them in `sections`; in the columns of `list`, whose rows the queue takes as it comes by them. `named`:
 * where names would be without thunks.
 */
export function createBranchQueue(
  link: Link,
  branches: number,
  sections: number,
  list: BranchList | null,
  named: NamedTargets,
): BranchQueue {
  const room = branches + sections
  const { place, slot, expected, state } = list ?? {
    place: new Uint32Array(room),
    slot: new Uint32Array(room),
    expected: new Uint32Array(room),
    state: new Uint32Array(slotsOf(link)),
  }
  return {
    place,
    slot,
    expected,
    newest: new Uint32Array((room >>> 5) + 1),
    head: 0,
    tail: 0,
    state,
    last: new Uint32Array(branches + 1),
    pending: 0,
    named,
  }
}

export function slotsOf(link: Link): number {
  return link.names.count + link.symbols.count + link.imports.count + 1
}

/** Of what `symbol`, a row that a relocation names, refers to. */
export function slotOf(link: Link, symbol: number, addend: number): number {
  if (addend !== 0) return HAS_ROW | addBranchTarget(link.branchTargets, link.symbols.Reference.target[symbol], addend)
  return slotOfTarget(link, link.names.count, symbol)
}

/** The same without addend. Most branches to what is not in the image are to a few imports, which lie side by side here. */
export function slotOfTarget({ symbols }: Link, names: number, symbol: number): number {
  const target = symbols.Reference.target[symbol]
  if (target & TARGET_IMPORT) return names + symbols.count + (target & ~TARGET_IMPORT)
  return symbols.Definition.name[symbol] || names + target
}

/** The row of a target that has one, 0 for one that never had a thunk. */
export function rowOf(queue: BranchQueue, slot: number): number {
  const of = slot & HAS_ROW ? slot : queue.state[slot]
  return of & HAS_ROW ? of & ~HAS_ROW : 0
}

/** The row of a slot, made for its first thunk: what waited does so no longer. */
export function serveSlot(link: Link, queue: BranchQueue, slot: number): number {
  let row = rowOf(queue, slot)
  const waiting = row === 0 ? queue.state[slot] : queue.last[row]
  if (waiting > queue.head) {
    queue.pending--
    ageOf(queue, waiting - 1)
  }
  if (row === 0) {
    row = addBranchTarget(link.branchTargets, targetOf(link, slot), 0)
    queue.state[slot] = HAS_ROW | row
  }
  queue.last[row] = 0
  return row
}

/** Another one waits for the target since, or nobody does. */
function ageOf({ newest }: BranchQueue, at: number): void {
  newest[at >>> 5] &= ~(1 << (at & 31))
}

/** The Reference.target of a slot. */
export function targetOf(link: Link, slot: number): number {
  if (slot & HAS_ROW) return link.branchTargets.Target.target[slot & ~HAS_ROW]
  if (slot > link.names.count + link.symbols.count)
    return (TARGET_IMPORT | (slot - link.names.count - link.symbols.count)) >>> 0
  if (slot > link.names.count) return slot - link.names.count
  return link.names.Resolution.symbol[slot]
}

export function addendOf(link: Link, slot: number): number {
  return slot & HAS_ROW ? link.branchTargets.Target.addend[slot & ~HAS_ROW] : 0
}

export function enqueue(queue: BranchQueue, place: number, slot: number, expected: number): void {
  const at = queue.tail++
  queue.place[at] = place
  queue.slot[at] = slot
  queue.expected[at] = expected
  const before = waitsLast(queue, slot, at + 1)
  if (before > queue.head) ageOf(queue, before - 1)
  else queue.pending++
  queue.newest[at >>> 5] |= 1 << (at & 31)
}

/** Who waited last for a slot, which `at` does from now on: positions plus 1. */
function waitsLast(queue: BranchQueue, slot: number, at: number): number {
  const row = rowOf(queue, slot)
  const column = row === 0 ? queue.state : queue.last
  const before = column[row || slot]
  column[row || slot] = at
  return before
}

/** The branch at the queue's head waits no longer. */
export function leave(queue: BranchQueue): void {
  const { head, newest } = queue
  queue.pending -= (newest[head >>> 5] >>> (head & 31)) & 1
}

/** Counts the targets of the branch at a position, and of those further on, anew: those that `tail + 1` waits for are counted. */
export function countWaiting(queue: BranchQueue, at: number): void {
  if (waitsLast(queue, queue.slot[at], queue.tail + 1) !== queue.tail + 1) queue.pending++
}

/** Only the newest thunk of a target counts: older ones lie further behind. */
export function seesThunk(link: Link, queue: BranchQueue, slot: number, address: number): boolean {
  const row = rowOf(queue, slot)
  if (row === 0) return false
  const thunk = link.branchTargets.Target.last[row]
  return thunk !== 0 && isInReach(link.arch.branchReach, address, link.thunks.Thunk.address[thunk])
}

/** Forgets what waits; thunks stay. Nobody waits at the position behind the last. */
export function emptyQueue(queue: BranchQueue): void {
  queue.head = queue.tail = queue.tail + 1
  queue.pending = 0
}
