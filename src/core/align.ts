/** Rounds up to a multiple of `alignment`, which need not be a power of two; exact below 2^53. */
export function alignUp(value: number, alignment: number): number {
  const over = value % alignment
  return over === 0 ? value : value + (alignment - over)
}

/** The same for 2^pow2 (below 32) of an integer, in a tenth of the time: the remainder of a double is a call. */
export function alignUpPow2(value: number, pow2: number): number {
  const mask = ((1 << pow2) - 1) | 0
  const over = value & mask
  return over === 0 ? value : value + (mask - over) + 1
}
