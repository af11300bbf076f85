/** Room for the external names of one object: rows, and where their bytes lie; made once, grown to the largest object. */
export interface NameScratch {
  count: number
  row: Uint32Array
  start: Uint32Array
  length: Uint32Array
  hash: Uint32Array
  /** Keeps reads ahead from being optimized away. */
  touched: number
}

export function createNameScratch(): NameScratch {
  return { count: 0, touched: 0, ...arrays(1024) }
}

export function reserveNames(scratch: NameScratch, count: number): void {
  if (count > scratch.row.length) Object.assign(scratch, arrays(count * 2))
}

function arrays(size: number) {
  return {
    row: new Uint32Array(size),
    start: new Uint32Array(size),
    length: new Uint32Array(size),
    hash: new Uint32Array(size),
  }
}
