/** Rounds up to a multiple of `alignment`, which need not be a power of two; exact below 2^53. */
export function alignUp(value: number, alignment: number): number {
  const over = value % alignment
  return over === 0 ? value : value + alignment - over
}

/** log2 of the largest power of two that divides `value`, at most `limit`. */
export function trailingZeros(value: number, limit: number): number {
  let zeros = 0
  while (zeros < limit && value % 2 ** (zeros + 1) === 0) zeros++
  return zeros
}
