// Typed arrays on memory that is filled part by part, when a part is asked for: whoever reads or writes them need not know.

/** Memory in chunks of 2^CHUNK_SHIFT bytes. */
export const CHUNK_SHIFT = 12

/** A buffer of which some chunks are filled. */
export interface Pages {
  memory: ArrayBufferLike
  /** By chunk: 1 where the memory holds it. */
  filled: Uint8Array
  /** Fills the chunks of bytes from .. to - 1. */
  fill: (from: number, to: number) => void
  /** Told of bytes that have been filled, from .. to - 1, before anybody sees them. */
  checks: ((from: number, to: number) => void)[]
}

type TypedArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array

const PAGED: unique symbol = Symbol('paged')

/** What such an array stands for. */
interface Paged {
  view: TypedArray | DataView
  pages: Pages
}

/** What the array is that `pagedView` or `pagedDataView` has made; undefined for any other. */
function pagedOf(view: object): Paged | undefined {
  return (view as { [PAGED]?: Paged })[PAGED]
}

export function isPaged(view: object): boolean {
  return pagedOf(view) !== undefined
}

/** The array itself, all of it filled. */
export function wholeOf<V extends object>(view: V): V {
  const paged = pagedOf(view)
  if (paged === undefined) return view
  fillAll(paged)
  return paged.view as unknown as V
}

/**
 * The array itself, of which only the bytes from .. to - 1 of the buffer are sure to be filled: for who reads nothing else, and more
 * than once.
 */
export function filledView<V extends object>(view: V, from: number, to: number): V {
  const paged = pagedOf(view)
  if (paged === undefined) return view
  paged.pages.fill(from, to)
  return paged.view as unknown as V
}

/** A DataView of the same bytes. */
export function dataViewOf(bytes: Uint8Array): DataView {
  const paged = pagedOf(bytes)
  const { buffer, byteOffset, byteLength } = paged === undefined ? bytes : paged.view
  const view = new DataView(buffer, byteOffset, byteLength)
  return paged === undefined ? view : pagedDataView(view, paged.pages)
}

function fillAll({ view, pages }: Paged): void {
  pages.fill(view.byteOffset, view.byteOffset + view.byteLength)
}

const PLAIN = new Set<PropertyKey>(['length', 'byteLength', 'byteOffset', 'BYTES_PER_ELEMENT', 'constructor'])

/**
 * An array that behaves as `view`, on the memory of `pages`. An element costs a fifth of a microsecond; subarray, slice, set and fill
 * ask for the chunks that they need, anything else for all.
 */
export function pagedView<V extends TypedArray>(view: V, pages: Pages): V {
  const size = view.BYTES_PER_ELEMENT
  const base = view.byteOffset
  const { filled } = pages
  const paged: Paged = { view, pages }
  const methods = methodsOf(view, (from, to) => pages.fill(base + from * size, base + to * size))
  const need = (index: number) => {
    const at = base + index * size
    if (filled[at >>> CHUNK_SHIFT] === 0) pages.fill(at, at + size)
  }
  return new Proxy(view, {
    get(_, key) {
      if (typeof key === 'string') {
        const index = Number(key)
        if (index >= 0) {
          need(index)
          return view[index]
        }
      }
      if (key === PAGED) return paged
      if (PLAIN.has(key)) return view[key as 'length']
      const method = methods[key as keyof typeof methods]
      if (method !== undefined) return method
      fillAll(paged)
      const value = view[key as keyof typeof view] as unknown
      return typeof value === 'function' ? value.bind(view) : value
    },
    set(_, key, value) {
      need(Number(key as string))
      view[key as never] = value as never
      return true
    },
  })
}

function methodsOf<V extends TypedArray>(view: V, fill: (from: number, to: number) => void) {
  const range = (from: number | undefined, to: number | undefined): [number, number] => {
    const [first, end] = [clamp(from ?? 0, view.length), clamp(to ?? view.length, view.length)]
    if (end > first) fill(first, end)
    return [first, end]
  }
  return {
    __proto__: null as never,
    subarray: (from?: number, to?: number) => view.subarray(...range(from, to)),
    slice: (from?: number, to?: number) => view.slice(...range(from, to)),
    fill: (value: number, from?: number, to?: number) => view.fill(value, ...range(from, to)),
    set: (values: ArrayLike<number>, at = 0) => {
      range(at, at + values.length)
      view.set(values, at)
    },
  }
}

function clamp(place: number, length: number): number {
  return place < 0 ? Math.max(0, length + place) : Math.min(place, length)
}

/** Bytes that each kind of number takes. */
const NUMBERS = {
  Uint8: 1,
  Int8: 1,
  Uint16: 2,
  Int16: 2,
  Uint32: 4,
  Int32: 4,
  Float32: 4,
  Float64: 8,
  BigUint64: 8,
  BigInt64: 8,
} as const

/** The same for a DataView. */
export function pagedDataView(view: DataView, pages: Pages): DataView {
  const { byteOffset, byteLength } = view
  const paged: Paged = { view, pages }
  const made: Record<PropertyKey, unknown> = { byteOffset, byteLength, [PAGED]: paged }
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const size = NUMBERS[name]
    const [get, set] = [view[`get${name}`].bind(view), view[`set${name}`].bind(view)]
    made[`get${name}`] = (at: number, little?: boolean) => {
      pages.fill(byteOffset + at, byteOffset + at + size)
      return get(at, little)
    }
    made[`set${name}`] = (at: number, value: never, little?: boolean) => {
      pages.fill(byteOffset + at, byteOffset + at + size)
      set(at, value, little)
    }
  }
  Object.defineProperty(made, 'buffer', {
    get: () => {
      fillAll(paged)
      return view.buffer
    },
  })
  return made as unknown as DataView
}
