import type { NameTable } from './bind.ts'

const SMALL = 12

/** Bytes that two names have in common from the start, given that the first `known` are equal. */
export function commonPrefix(names: NameTable, a: number, b: number, known: number): number {
  const left = names.bytes[names.arena[a]]
  const right = names.bytes[names.arena[b]]
  const from = names.offset[a]
  const start = names.offset[b]
  const end = Math.min(names.length[a], names.length[b])
  let at = known
  while (at < end && left[from + at] === right[start + at]) at++
  return at
}

/**
 * Positions 0..count-1 in the byte order of the names `rows[position]`; a prefix stands before what it starts. Names
 * hold no NUL. Multikey quicksort on four bytes at a time, the keys beside the order, so that most comparisons stay out
 * of the arenas.
 */
export function sortNames(names: NameTable, rows: Uint32Array, count: number): Uint32Array {
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  const keys = new Uint32Array(count)
  // Ranges still to sort, three numbers each: from, to, bytes known equal; `~bytes` when the keys are those already.
  const pending = [0, count, 0]
  while (pending.length > 0) {
    let known = pending.pop()!
    const to = pending.pop()!
    const from = pending.pop()!
    const fresh = known >= 0
    if (!fresh) known = ~known
    if (to - from <= SMALL) {
      insertionSort(names, rows, order, from, to, known)
      continue
    }
    if (fresh) fillKeys(names, rows, order, keys, from, to, known)
    partition(order, keys, from, to, known, pending)
  }
  return order
}

function fillKeys(
  names: NameTable,
  rows: Uint32Array,
  order: Uint32Array,
  keys: Uint32Array,
  from: number,
  to: number,
  known: number,
): void {
  const { bytes, arena, offset, length } = names
  for (let i = from; i < to; i++) {
    const row = rows[order[i]]
    const arenaBytes = bytes[arena[row]]
    const at = offset[row] + known
    const left = length[row] - known
    let key = left > 0 ? arenaBytes[at] << 24 : 0
    if (left > 1) key |= arenaBytes[at + 1] << 16
    if (left > 2) key |= arenaBytes[at + 2] << 8
    if (left > 3) key |= arenaBytes[at + 3]
    keys[i] = key
  }
}

function partition(
  order: Uint32Array,
  keys: Uint32Array,
  from: number,
  to: number,
  known: number,
  pending: number[],
): void {
  const pivot = median(keys[from], keys[(from + to) >>> 1], keys[to - 1])
  let low = from
  let high = to
  for (let i = from; i < high; ) {
    const key = keys[i]
    if (key === pivot) {
      i++
      continue
    }
    const other = key < pivot ? low++ : --high
    const moved = order[i]
    keys[i] = keys[other]
    order[i] = order[other]
    keys[other] = key
    order[other] = moved
    if (key < pivot) i++
  }
  if (low - from > 1) pending.push(from, low, ~known)
  if (to - high > 1) pending.push(high, to, ~known)
  // A key that ends in NUL ends the name: these names are equal.
  if (high - low > 1 && (pivot & 0xff) !== 0) pending.push(low, high, known + 4)
}

function median(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
}

function insertionSort(
  names: NameTable,
  rows: Uint32Array,
  order: Uint32Array,
  from: number,
  to: number,
  known: number,
): void {
  for (let i = from + 1; i < to; i++) {
    const moved = order[i]
    let at = i
    while (at > from && isAfter(names, rows[order[at - 1]], rows[moved], known)) {
      order[at] = order[at - 1]
      at--
    }
    order[at] = moved
  }
}

function isAfter(names: NameTable, a: number, b: number, known: number): boolean {
  const shared = commonPrefix(names, a, b, known)
  if (shared >= names.length[b]) return names.length[a] > shared
  if (shared >= names.length[a]) return false
  return names.bytes[names.arena[a]][names.offset[a] + shared] > names.bytes[names.arena[b]][names.offset[b] + shared]
}
