// Every column of the link is allocated here: fixed buffers, sized once from the survey's counts. A row is an entity id, so a
// column for n entities has n + 1 elements and element 0 belongs to nobody. Untouched pages cost no memory.

import { alignUp } from '../src/core/align.ts'

/** Columns begin on cache lines of their own. */
const ALIGNMENT = 64

/** Small components have one buffer: making one takes a microsecond. Large columns have their own, which is freed with its last reader. */
const TOGETHER = 1 << 20

const TYPES = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f64: Float64Array,
} as const

export type ColumnType = keyof typeof TYPES
export type Columns<L extends Record<string, ColumnType>> = { [K in keyof L]: InstanceType<(typeof TYPES)[L[K]]> }

/** Allocates one component: a column per name of `layout`, each for entities 1..rows. */
export function columns<L extends Record<string, ColumnType>>(rows: number, layout: L, shared = false): Columns<L> {
  let size = 0
  for (const name in layout) size = alignUp(size, ALIGNMENT) + (rows + 1) * TYPES[layout[name]].BYTES_PER_ELEMENT
  const made: Record<string, unknown> = {}
  if (size > TOGETHER) {
    for (const name in layout) made[name] = column(layout[name], rows, shared)
    return made as Columns<L>
  }
  const buffer = memory(size, shared)
  let at = 0
  for (const name in layout) {
    const Type = TYPES[layout[name]]
    made[name] = new Type(buffer, at, rows + 1)
    at = alignUp(at + (rows + 1) * Type.BYTES_PER_ELEMENT, ALIGNMENT)
  }
  return made as Columns<L>
}

/** One column of elements 0..rows, zero-filled; on a SharedArrayBuffer when workers are to see it. */
export function column<T extends ColumnType>(type: T, rows: number, shared = false): InstanceType<(typeof TYPES)[T]> {
  const Type = TYPES[type]
  return new Type(memory((rows + 1) * Type.BYTES_PER_ELEMENT, shared)) as InstanceType<(typeof TYPES)[T]>
}

/** `size` zero bytes. The type hides the difference, which matters to few: text decoders and random generators refuse shared memory. */
export function memory(size: number, shared: boolean): ArrayBuffer {
  return (shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size)) as ArrayBuffer
}

/**
 * Gives every column of a component room for `rows` rows, with what they hold. Only images that are edited block by block grow so:
 * a link's columns are reserved once.
 */
export function growColumns(component: Record<string, InstanceType<(typeof TYPES)[ColumnType]>>, rows: number): void {
  for (const name in component) {
    const old = component[name]
    const Type = old.constructor as typeof Uint32Array
    const grown = new Type(memory((rows + 1) * old.BYTES_PER_ELEMENT, false))
    grown.set(old as Uint32Array)
    component[name] = grown
  }
}
