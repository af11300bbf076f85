/**
 * The size class that holds `size` bytes: the least multiple of `smallest` (a power of two) or, where that is more, of
 * 2^-steps of the power of two below. The class of a class is itself.
 */
export function sizeClass(size: number, steps: number, smallest: number): number {
  if (size === 0) return 0
  const power = size > 0xffffffff ? Math.floor(Math.log2(size)) : 31 - Math.clz32(size)
  const step = Math.max(smallest, 2 ** (power - steps))
  const over = size % step
  return over === 0 ? size : size + step - over
}
