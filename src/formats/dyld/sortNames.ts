/** Names in one buffer: row r is the `length[r]` bytes at `offset[r]` of `bytes`. */
export type NameRows = { bytes: Uint8Array; offset: Uint32Array; length: Uint32Array }

/** `order`: rows in byte order of their names; `shared[i]`: how many bytes the names of order[i - 1] and order[i] have in common. */
export type SortedNames = { order: Uint32Array; shared: Uint32Array }

// Layout of the work: positions fall into runs, within which names ascend.
//   order, shared            as in SortedNames; shared counts within a run only, so that of a run's first name is not defined
//   aside, asideShared       the left one of two runs while they are merged
//   starts                   first position of each run, and the count of names behind the last one
type Sorting = {
  view: DataView
  offset: Uint32Array
  length: Uint32Array
  order: Uint32Array
  shared: Uint32Array
  aside: Uint32Array
  asideShared: Uint32Array
  starts: Uint32Array
}

/**
 * Sorts the rows that `order` lists, in place; a prefix stands before what it starts, equal names (all of whose bytes are then
 * shared) stay in order. Merges the runs that ascend already: assemblers list what an object defines by name, so that there is
 * one a file. What two neighbours share decides most steps of a merge without a look at the names, and comes out as `shared`,
 * which has room for one more.
 */
export function sortNames(
  names: NameRows,
  order: Uint32Array,
  shared: Uint32Array = new Uint32Array(order.length + 1),
): SortedNames {
  const count = order.length
  const sorting = createSorting(names, order, shared)
  let runs = findRuns(sorting, count)
  while (runs > 1) runs = mergePairs(sorting, runs)
  return { order, shared }
}

function createSorting(names: NameRows, order: Uint32Array, shared: Uint32Array): Sorting {
  const { bytes, offset, length } = names
  const count = order.length
  const column = () => new Uint32Array(count)
  return {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    offset,
    length,
    order,
    shared,
    aside: column(),
    asideShared: new Uint32Array(count + 1),
    starts: new Uint32Array(count + 1),
  }
}

// One loop a function, here and wherever a loop runs long the first time, and nothing after it but a return: code that is compiled
// in the midst of a loop knows nothing of what follows and is left there. V8 may enter it again, call after call: two
// assignments behind a loop cost 1,600 such exits and 50 ms for 120,000 names.

/** Returns how many there are. */
function findRuns(sorting: Sorting, count: number): number {
  const { view, offset, length, order, shared, starts } = sorting
  let runs = 1
  for (let i = 1; i < count; i++) {
    const before = order[i - 1]
    const row = order[i]
    const end = Math.min(length[before], length[row])
    const left = offset[before]
    const right = offset[row]
    const at = commonBytes(view, left, right, 0, end)
    shared[i] = at
    if (at < end ? view.getUint8(left + at) > view.getUint8(right + at) : length[before] > end) starts[runs++] = i
  }
  starts[runs] = count
  return runs
}

/** The first place from `at` on where the names at `left` and `right` differ, or `end`. */
function commonBytes(view: DataView, left: number, right: number, at: number, end: number): number {
  for (; at + 4 <= end; at += 4) {
    const differing = view.getInt32(left + at, true) ^ view.getInt32(right + at, true)
    if (differing !== 0) return at + ((31 - Math.clz32(differing & -differing)) >> 3)
  }
  while (at < end && view.getUint8(left + at) === view.getUint8(right + at)) at++
  return at
}

/** Returns how many runs are left. */
function mergePairs(sorting: Sorting, runs: number): number {
  const { starts } = sorting
  const count = starts[runs]
  let left = 0
  for (let run = 0; run + 1 < runs; run += 2) {
    mergeRuns(sorting, starts[run], starts[run + 1], starts[run + 2])
    starts[left++] = starts[run]
  }
  if (runs & 1) starts[left++] = starts[runs - 1]
  starts[left] = count
  return left
}

function mergeRuns(sorting: Sorting, from: number, middle: number, to: number): void {
  const { order, shared } = sorting
  const at = compareAt(sorting, order[middle - 1], order[middle], 0)
  if (at >= 0) {
    shared[middle] = at
    return
  }
  setAside(sorting, from, middle)
  merge(sorting, from, middle, to)
}

/** How many bytes, of which `known` are known, two rows have in common: as such if `a` is not behind `b`, else -1 - as many. */
function compareAt(sorting: Sorting, a: number, b: number, known: number): number {
  const { view, offset, length } = sorting
  const end = Math.min(length[a], length[b])
  const at = commonBytes(view, offset[a], offset[b], known, end)
  const isBehind = at < end ? view.getUint8(offset[a] + at) > view.getUint8(offset[b] + at) : length[a] > end
  return isBehind ? -1 - at : at
}

function setAside(sorting: Sorting, from: number, to: number): void {
  const { order, shared, aside, asideShared } = sorting
  for (let i = from; i < to; i++) {
    aside[i - from] = order[i]
    asideShared[i - from] = shared[i]
  }
}

/**
 * Of the next names of both runs the one that shares more with the last name written comes first; only where both share as
 * much, their bytes behind that decide.
 */
function merge(sorting: Sorting, from: number, middle: number, to: number): void {
  const { order, shared, aside, asideShared } = sorting
  const count = middle - from
  let left = 0
  let right = middle
  let at = from
  let leftShared = 0
  let rightShared = 0
  while (left < count && right < to) {
    const known = leftShared
    let isLeft = leftShared > rightShared
    if (leftShared === rightShared) {
      const common = compareAt(sorting, aside[left], order[right], known)
      isLeft = common >= 0
      if (isLeft) rightShared = common
      else leftShared = -1 - common
    }
    if (isLeft) {
      order[at] = aside[left]
      shared[at++] = known
      const next = moveWhile(aside, asideShared, left + 1, count, order, shared, at, rightShared)
      at += next - left - 1
      left = next
      leftShared = asideShared[left]
    } else {
      order[at] = order[right]
      shared[at++] = rightShared
      const next = moveWhile(order, shared, right + 1, to, order, shared, at, leftShared)
      at += next - right - 1
      right = next
      rightShared = shared[right]
    }
  }
  if (right < to) shared[right] = rightShared
  if (left === count) return
  asideShared[left] = leftShared
  putBack(sorting, left, count, at)
}

/** Moves names as long as they share more than `limit` with the one before; returns the position of the first that does not. */
function moveWhile(
  fromOrder: Uint32Array,
  fromShared: Uint32Array,
  from: number,
  end: number,
  order: Uint32Array,
  shared: Uint32Array,
  at: number,
  limit: number,
): number {
  for (; from < end && fromShared[from] > limit; from++, at++) {
    order[at] = fromOrder[from]
    shared[at] = fromShared[from]
  }
  return from
}

function putBack(sorting: Sorting, from: number, to: number, at: number): void {
  const { order, shared, aside, asideShared } = sorting
  for (let i = from; i < to; i++, at++) {
    order[at] = aside[i]
    shared[at] = asideShared[i]
  }
}
