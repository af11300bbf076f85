// Names of externals that survey has measured while other files were read, until load takes them.

/** Of object `file` there are `count[file]`, from `first[file]` on, in the order of its records; absent where load measures them. */
export interface Measured {
  used: number
  first: number[]
  count: number[]
  length: Uint32Array
  hash: Uint32Array
  /** Where the names of the object at hand begin. */
  start: Uint32Array
}

/** To begin with. */
const NAMES = 1 << 16

export function createMeasured(): Measured {
  const [length, hash] = [new Uint32Array(NAMES), new Uint32Array(NAMES)]
  return { used: 0, first: [], count: [], length, hash, start: new Uint32Array(1024) }
}

/** Room for `count` names more. */
export function reserveMeasured(measured: Measured, count: number): void {
  const rows = measured.used + count
  if (count > measured.start.length) measured.start = new Uint32Array(count * 2)
  if (rows <= measured.length.length) return
  for (const name of ['length', 'hash'] as const) {
    const grown = new Uint32Array(rows * 2)
    grown.set(measured[name])
    measured[name] = grown
  }
}
