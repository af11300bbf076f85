const MAX_DIGIT_BITS = 11

/**
 * The numbers of `values` in ascending order, in `values` or in another array; what `values` holds afterwards is not defined.
 * Radix sort over the bits in which they differ: two passes for the places of pointers in 16 MB, none where they ascend already.
 */
export function sortNumbers(values: Uint32Array): Uint32Array {
  const differing = differingBits(values)
  if (differing === 0 || ascends(values)) return values
  const lowest = 31 - Math.clz32(differing & -differing)
  const bits = 32 - Math.clz32(differing) - lowest
  const width = Math.ceil(bits / Math.ceil(bits / MAX_DIGIT_BITS))
  const counts = new Uint32Array(1 << width)
  let from: Uint32Array = values
  let to: Uint32Array = new Uint32Array(values.length)
  for (let shift = lowest; shift < lowest + bits; shift += width) {
    counts.fill(0)
    countDigits(from, counts, shift)
    placeDigits(counts)
    scatter(from, to, counts, shift)
    ;[from, to] = [to, from]
  }
  return from
}

// One loop a function: see sortNames.ts.

function differingBits(values: Uint32Array): number {
  let differing = 0
  for (let i = 1; i < values.length; i++) differing |= values[i] ^ values[i - 1]
  return differing
}

function ascends(values: Uint32Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] < values[i - 1]) return false
  return true
}

function countDigits(values: Uint32Array, counts: Uint32Array, shift: number): void {
  const mask = counts.length - 1
  for (let i = 0; i < values.length; i++) counts[(values[i] >>> shift) & mask]++
}

function placeDigits(counts: Uint32Array): void {
  let at = 0
  for (let digit = 0; digit < counts.length; digit++) {
    const here = counts[digit]
    counts[digit] = at
    at += here
  }
}

function scatter(from: Uint32Array, to: Uint32Array, counts: Uint32Array, shift: number): void {
  const mask = counts.length - 1
  for (let i = 0; i < from.length; i++) to[counts[(from[i] >>> shift) & mask]++] = from[i]
}
