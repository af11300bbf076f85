// What a link of a session has no use for any more, for the link after the next: memory that the process has is zeroed ten times as fast as
// it gets new pages (50 ms a gigabyte against 640).

import { memory } from './columns.ts'

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array
type Component = Record<string, Column>

export interface Spare {
  /** By component and column, with how many elements of it may not be zero. */
  columns: Map<string, { column: Column; used: number }>
  /** Zero from its end to that of its buffer. */
  tail: Uint8Array
  /** What held the parts of the last image. */
  parts: ArrayBufferLike
}

export function createSpare(): Spare {
  return { columns: new Map(), tail: new Uint8Array(0), parts: new ArrayBuffer(0) }
}

/** Rows 1 to `rows` of the component have been in use; what the component `now` has taken over stays there. */
export function putSpare(spare: Spare, key: string, old: Component, now: Component, rows: number): void {
  for (const name in old) {
    const column = old[name]
    if (column !== now[name]) spare.columns.set(`${key}.${name}`, { column, used: rows + 1 })
  }
}

/** Puts spare columns in the place of those that nothing has been written to, or new ones where these have other than `rows` rows; all are zero. */
export function takeSpare(spare: Spare, key: string, component: Component, rows: number): void {
  for (const name in component) {
    const column = component[name]
    const found = spare.columns.get(`${key}.${name}`)
    if (found?.column.length === rows + 1 && isShared(found.column.buffer) === isShared(column.buffer)) {
      found.column.fill(0, 0, found.used)
      component[name] = found.column
      spare.columns.delete(`${key}.${name}`)
    } else if (column.length !== rows + 1) {
      const Type = column.constructor as new (buffer: ArrayBufferLike) => Column
      component[name] = new Type(memory((rows + 1) * column.BYTES_PER_ELEMENT, isShared(column.buffer)))
    }
  }
}

function isShared(buffer: ArrayBufferLike): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer
}

/** `size` zero bytes of the spare tail; null where it is too small. */
export function takeTail(spare: Spare, size: number, shared: boolean): Uint8Array | null {
  const { buffer, length } = spare.tail
  if (buffer.byteLength < size || isShared(buffer) !== shared) return null
  new Uint8Array(buffer, 0, length).fill(0)
  spare.tail = new Uint8Array(0)
  return new Uint8Array(buffer, 0, size)
}

/** `size` bytes, which may hold anything. */
export function takeParts(spare: Spare, size: number): Uint8Array {
  const { parts } = spare
  spare.parts = new ArrayBuffer(0)
  return parts.byteLength < size ? new Uint8Array(size) : new Uint8Array(parts, 0, size)
}
