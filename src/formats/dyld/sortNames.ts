/** Names in one buffer: row r is the `length[r]` bytes at `offset[r]` of `bytes`. */
export type NameRows = { bytes: Uint8Array; offset: Uint32Array; length: Uint32Array }

/** `order`: rows in byte order of their names; `shared[i]`: how many bytes the names of order[i - 1] and order[i] have in common. */
export type SortedNames = { order: Uint32Array; shared: Uint32Array }

const KEY_BYTES = 4
const RADIX = 256
const SIGN = 0x80000000

/** From here on counting digits beats insertion. */
const MANY_RUNS = 40

// Layout of the work: a range [from, to) of positions, whose names have the same first bytes, is sorted by the next four bytes,
// then split where these differ. Neighbours with the same four bytes are moved together: names that come file by file have many.
//   order          row of each position; moved  the other side of a move
//   starts         first position of each run of equal keys, and `to` behind the last one
//   keys, runs     the runs to sort; a key has the first byte highest, 0 behind the end of a name, and the highest bit
//                  flipped, so that keys compare as signed numbers; otherKeys, otherRuns  the other side of a radix pass
//   counts         of one digit
//   pending        ranges to do, three numbers each: from, to, bytes known equal
//   count          of runs; differing  bits in which their keys differ; ascending  whether they are in order
type Sorting = {
  names: NameRows
  order: Uint32Array
  moved: Uint32Array
  shared: Uint32Array
  starts: Uint32Array
  keys: Int32Array
  runs: Uint32Array
  otherKeys: Int32Array
  otherRuns: Uint32Array
  counts: Uint32Array
  pending: number[]
  count: number
  differing: number
  ascending: boolean
}

/**
 * Sorts rows 0..count-1; a prefix stands before what it starts, equal names (all of whose bytes are then shared) in order of
 * their rows. Names hold no NUL. All passes are stable: rows whose names lie side by side stay together, so that the names'
 * bytes are read in runs, four of each name a pass.
 */
export function sortNames(names: NameRows, count: number): SortedNames {
  const sorting = createSorting(names, count)
  const { order, pending } = sorting
  if (count > 1) pending.push(0, count, 0)
  while (pending.length > 0) {
    const known = pending.pop()!
    const to = pending.pop()!
    const from = pending.pop()!
    if (to - from === 2) sortPair(sorting, from, known)
    else sortRange(sorting, from, to, known)
  }
  return { order, shared: sorting.shared }
}

function createSorting(names: NameRows, count: number): Sorting {
  return {
    names,
    order: countUp(new Uint32Array(count)),
    moved: new Uint32Array(count),
    shared: new Uint32Array(count),
    starts: new Uint32Array(count + 1),
    keys: new Int32Array(count),
    runs: new Uint32Array(count),
    otherKeys: new Int32Array(count),
    otherRuns: new Uint32Array(count),
    counts: new Uint32Array(RADIX),
    pending: [],
    count: 0,
    differing: 0,
    ascending: true,
  }
}

// One loop a function, here and wherever a loop runs long the first time, and nothing after it but a return: code that is compiled
// in the midst of a loop knows nothing of what follows and is left there. V8 may enter it again, call after call: two
// assignments after findRuns' loop cost 1,600 such exits and 50 ms for 120,000 names.

function countUp(order: Uint32Array): Uint32Array {
  for (let i = 0; i < order.length; i++) order[i] = i
  return order
}

function sortRange(sorting: Sorting, from: number, to: number, known: number): void {
  const count = findRuns(sorting, from, to, known)
  sorting.starts[count] = to
  sorting.count = count
  compareRuns(sorting)
  if (!sorting.ascending) {
    if (sorting.count < MANY_RUNS) insertRuns(sorting)
    else radixSort(sorting)
    moveRuns(sorting, from)
    sorting.order.set(sorting.moved.subarray(from, to), from)
  }
  split(sorting, from, to, known)
}

function sortPair(sorting: Sorting, from: number, known: number): void {
  const { order, shared } = sorting
  const { bytes, offset, length } = sorting.names
  const a = order[from]
  const b = order[from + 1]
  const left = offset[a]
  const right = offset[b]
  const end = Math.min(length[a], length[b])
  let at = known
  while (at < end && bytes[left + at] === bytes[right + at]) at++
  shared[from + 1] = at
  const isAfter = at === end ? length[a] > end : bytes[left + at] > bytes[right + at]
  if (!isAfter) return
  order[from] = b
  order[from + 1] = a
}

/** By bytes left of a name: those that are its own. */
const KEY_MASKS = Int32Array.of(0, -1 << 24, -1 << 16, -1 << 8, -1)

/** Returns how many there are. */
function findRuns(sorting: Sorting, from: number, to: number, known: number): number {
  const { order, starts, keys, runs } = sorting
  const { bytes, offset, length } = sorting.names
  let last = 0
  let count = 0
  for (let i = from; i < to; i++) {
    const row = order[i]
    const at = offset[row] + known
    const left = length[row] - known
    const word = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
    const key = (word & KEY_MASKS[Math.min(left, KEY_BYTES)]) ^ SIGN
    if (key === last && i > from) continue
    starts[count] = i
    keys[count] = key
    runs[count] = count
    last = key
    count++
  }
  return count
}

function compareRuns(sorting: Sorting): void {
  const { keys, count } = sorting
  let differing = 0
  let ascending = true
  for (let i = 1; i < count; i++) {
    differing |= keys[i] ^ keys[i - 1]
    if (keys[i] < keys[i - 1]) ascending = false
  }
  sorting.differing = differing
  sorting.ascending = ascending
}

function insertRuns(sorting: Sorting): void {
  const { keys, runs, count } = sorting
  for (let i = 1; i < count; i++) {
    const key = keys[i]
    const run = runs[i]
    let at = i
    for (; at > 0 && keys[at - 1] > key; at--) {
      keys[at] = keys[at - 1]
      runs[at] = runs[at - 1]
    }
    keys[at] = key
    runs[at] = run
  }
}

/** From the lowest digit up; digits that all keys have in common are left out. */
function radixSort(sorting: Sorting): void {
  const { counts, count, differing } = sorting
  for (let shift = 0; shift < 32; shift += 8) {
    if (((differing >>> shift) & 0xff) === 0) continue
    const { keys, runs, otherKeys, otherRuns } = sorting
    counts.fill(0)
    countDigits(counts, keys, count, shift)
    placeDigits(counts)
    scatter(sorting, shift)
    sorting.keys = otherKeys
    sorting.runs = otherRuns
    sorting.otherKeys = keys
    sorting.otherRuns = runs
  }
}

function countDigits(counts: Uint32Array, keys: Int32Array, count: number, shift: number): void {
  for (let i = 0; i < count; i++) counts[((keys[i] ^ SIGN) >>> shift) & 0xff]++
}

function placeDigits(counts: Uint32Array): void {
  let at = 0
  for (let digit = 0; digit < RADIX; digit++) {
    const here = counts[digit]
    counts[digit] = at
    at += here
  }
}

function scatter(sorting: Sorting, shift: number): void {
  const { counts, keys, runs, otherKeys, otherRuns, count } = sorting
  for (let i = 0; i < count; i++) {
    const key = keys[i]
    const at = counts[((key ^ SIGN) >>> shift) & 0xff]++
    otherKeys[at] = key
    otherRuns[at] = runs[i]
  }
}

function moveRuns(sorting: Sorting, from: number): void {
  const { order, moved, starts, runs, count } = sorting
  let to = from
  for (let i = 0; i < count; i++) {
    const end = starts[runs[i] + 1]
    for (let at = starts[runs[i]]; at < end; at++) moved[to++] = order[at]
  }
}

/** Names differ where keys do; those with the same key are still to sort by what follows, unless they end within it. */
function split(sorting: Sorting, from: number, to: number, known: number): void {
  const { starts, keys, runs, shared, pending, count } = sorting
  let start = from
  let at = from
  for (let i = 0; i < count; i++) {
    at += starts[runs[i] + 1] - starts[runs[i]]
    if (i + 1 < count && keys[i + 1] === keys[i]) continue
    if (at - start > 1) {
      if ((keys[i] & 0xff) !== 0) pending.push(start, at, known + KEY_BYTES)
      else endNames(sorting, start, at)
    }
    if (at < to) shared[at] = known + (Math.clz32(keys[i] ^ keys[i + 1]) >> 3)
    start = at
  }
}

/** Equal names. */
function endNames(sorting: Sorting, from: number, to: number): void {
  sorting.shared.fill(sorting.names.length[sorting.order[from]], from + 1, to)
}
