/** Among blocks first .. first + count, ascending by `offsets`, the last that starts at or before `offset` (else the first). */
export function findBlock(offsets: Uint32Array, first: number, count: number, offset: number): number {
  let low = first
  let high = first + count - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (offsets[middle] <= offset) low = middle
    else high = middle - 1
  }
  return low
}
