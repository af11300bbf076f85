// Objects as a table of plain values, with references by number, and the memory beside it: what a link is besides its columns is a
// few thousand values, and the columns stay the bytes they are.
import { CHUNK_SHIFT, isPaged, type Pages, pagedDataView, pagedView, wholeOf } from '../core/pages.ts'
import { describeKind, isKind, type Kind, restoreKind } from '../ecs.ts'

const VIEWS = [
  Uint8Array,
  Uint16Array,
  Uint32Array,
  Int32Array,
  Float64Array,
  DataView,
  Int8Array,
  Int16Array,
  Float32Array,
] as const
const DATA_VIEW = VIEWS.indexOf(DataView)
type View = InstanceType<(typeof VIEWS)[number]>

/**
 * A value: plain, or [reference], [place in `views`, 0], or a word for what JSON has not. Entries are
 *   ['o', key, value, ...]  object      ['a', value, ...]  array      ['m', key, value, ...]  Map      ['s', value, ...]  Set
 *   ['w', components, run, ...]  world of an entity kind, with the runs of its ids
 */
type Encoded = null | boolean | number | string | [number] | [number, number] | { word: string }
type Entry = [string, ...Encoded[]]

export interface Skeleton {
  entries: Entry[]
  /** Fours: type, buffer, byte offset, length. */
  views: number[]
  /** Bytes of each buffer; -1 for one that no view is on any more. */
  sizes: number[]
}

/** What is left out: properties by path, `*` for any name. Who asks for one after all is told by an exception. */
export type Omitted = readonly string[]

export class MissingPart extends Error {}

/** Buffers by number. Those that were never asked for have a size only. */
export interface Buffers {
  numbers: Map<ArrayBufferLike, number>
  sizes: number[]
}

interface Encoder {
  skeleton: Skeleton
  ids: Map<object, number>
  views: Map<object, number>
  buffers: Buffers
  used: Set<number>
  omitted: Omitted
}

/** Known buffers keep their numbers, new ones are added to `buffers`. Memory that was not asked for is not asked for here either. */
export function encodeGraph(root: object, omitted: Omitted, buffers: Buffers): Skeleton {
  const skeleton: Skeleton = { entries: [], views: [], sizes: [] }
  const encoder = { skeleton, ids: new Map(), views: new Map(), buffers, used: new Set<number>(), omitted }
  encode(encoder, root, '')
  skeleton.sizes = buffers.sizes.map((size, number) => (encoder.used.has(number) ? size : -1))
  return skeleton
}

function encode(encoder: Encoder, value: unknown, path: string): Encoded {
  if (typeof value === 'number') return encodeNumber(value)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (value === undefined) return { word: 'undefined' }
  if (typeof value !== 'object') return { word: MISSING }
  if (ArrayBuffer.isView(value)) return encodeView(encoder, value as View)
  const known = encoder.ids.get(value)
  if (known !== undefined) return [known]
  if (!isPlain(value)) return { word: MISSING }
  const id = encoder.skeleton.entries.length
  encoder.ids.set(value, id)
  encoder.skeleton.entries.push(['o'])
  encoder.skeleton.entries[id] = encodeObject(encoder, value, path)
  return [id]
}

function encodeNumber(value: number): Encoded {
  return Number.isFinite(value) && !Object.is(value, -0) ? value : { word: Object.is(value, -0) ? '-0' : String(value) }
}

function isPlain(value: object): boolean {
  if (Array.isArray(value) || value instanceof Map || value instanceof Set || isKind(value)) return true
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function encodeObject(encoder: Encoder, value: object, path: string): Entry {
  const within = (part: unknown) => encode(encoder, part, `${path}.*`)
  if (isKind(value)) {
    const { components, runs } = describeKind(value as Kind)
    return ['w', within(components), ...runs]
  }
  if (Array.isArray(value)) return ['a', ...Array.from(value, within)]
  if (value instanceof Map) return ['m', ...[...value].flat().map(within)]
  if (value instanceof Set) return ['s', ...[...value].map(within)]
  const entry: Entry = ['o']
  for (const key of Object.keys(value)) {
    const name = path === '' ? key : `${path}.${key}`
    const late = lateSource(value, key)
    if (encoder.omitted.includes(name) || late === MISSING) entry.push(key, { word: MISSING })
    else if (late !== undefined) entry.push(key, addView(encoder, late as Source))
    else entry.push(key, encode(encoder, (value as Record<string, unknown>)[key], name))
  }
  return entry
}

function encodeView(encoder: Encoder, view: View): Encoded {
  const { views, buffers } = encoder
  const known = views.get(view)
  if (known !== undefined) return [known, 0]
  const type = VIEWS.indexOf(view.constructor as (typeof VIEWS)[number])
  if (type < 0) return { word: MISSING }
  if (!buffers.numbers.has(view.buffer))
    buffers.numbers.set(view.buffer, buffers.sizes.push(view.buffer.byteLength) - 1)
  const length = view instanceof DataView ? view.byteLength : view.length
  const made = addView(encoder, [type, buffers.numbers.get(view.buffer)!, view.byteOffset, length])
  views.set(view, made[0])
  return made
}

function addView({ skeleton, used }: Encoder, source: Source): [number, number] {
  used.add(source[1])
  return [skeleton.views.push(...source) / 4 - 1, 0]
}

/** Of a view: type, buffer, byte offset, length. */
type Source = [number, number, number, number]
const MISSING = 'missing'

/** The memory of a buffer, by number. */
export interface Memory {
  /** All of it. */
  load: (buffer: number) => ArrayBufferLike
  /** To be read as it is asked for; null for one that is read as a whole. */
  page: (buffer: number) => Pages | null
}

interface Decoder {
  skeleton: Skeleton
  objects: object[]
  views: (View | undefined)[]
  memory: Memory
}

/** The root again; views that are properties of objects are made when they are asked for. @throws TypeError for what is no such table */
export function decodeGraph(skeleton: Skeleton, memory: Memory): object {
  const objects = skeleton.entries.map(([kind]) =>
    kind === 'a' ? [] : kind === 'm' ? new Map() : kind === 's' ? new Set() : {},
  )
  const decoder: Decoder = { skeleton, objects, views: [], memory }
  for (const [id, entry] of skeleton.entries.entries()) {
    const [kind, ...parts] = entry
    const object = objects[id]
    if (kind === 'o') decodeObject(decoder, object, parts)
    else if (kind === 'a') for (const part of parts) (object as unknown[]).push(decode(decoder, part))
    else if (kind === 's') for (const part of parts) (object as Set<unknown>).add(decode(decoder, part))
    else if (kind === 'm')
      for (let i = 0; i < parts.length; i += 2)
        (object as Map<unknown, unknown>).set(decode(decoder, parts[i]), decode(decoder, parts[i + 1]))
    else if (kind !== 'w') throw new TypeError(`unknown entry ${kind}`)
  }
  return objects[0]
}

function decodeObject(decoder: Decoder, object: object, parts: readonly Encoded[]): void {
  for (let i = 0; i < parts.length; i += 2) {
    const key = String(parts[i])
    const part = parts[i + 1]
    if (typeof part !== 'object' || part === null) set(object, key, part)
    else if (!Array.isArray(part)) {
      if (part.word === MISSING) defineLate(object, key, () => failFor(key), MISSING)
      else set(object, key, decode(decoder, part))
    } else if (part.length === 2) defineView(decoder, object, key, part[0])
    else if (decoder.skeleton.entries[part[0]]?.[0] === 'w') defineLate(object, key, () => objectAt(decoder, part[0]))
    else set(object, key, objectAt(decoder, part[0]))
  }
}

/** Also where the object has an accessor, or its prototype has one. */
function set(object: object, key: string, value: unknown): void {
  if (!(key in object)) (object as Record<string, unknown>)[key] = value
  else Object.defineProperty(object, key, { value, writable: true, configurable: true, enumerable: true })
}

/** Looks at elements from .. to - 1 of a view that comes from a file. */
export type Check = (view: View, from: number, to: number) => void

type Late = (() => unknown) & { source?: Source | typeof MISSING; check?: Check }

/** One that is read by pages goes on standing for its source. */
function defineView(decoder: Decoder, object: object, key: string, at: number): void {
  const get: Late = () => {
    const view = viewAt(decoder, at, get.check)
    if (!isPaged(view)) set(object, key, view)
    return view
  }
  get.source = sourceAt(decoder, at)
  const put = (value: unknown) => set(object, key, value)
  Object.defineProperty(object, key, { get, set: put, configurable: true, enumerable: true })
}

/** A property that becomes a plain one when it is read or written for the first time. */
function defineLate(object: object, key: string, make: () => unknown, source?: Late['source']): void {
  const get: Late = () => {
    const value = make()
    set(object, key, value)
    return value
  }
  if (source !== undefined) get.source = source
  const put = (value: unknown) => set(object, key, value)
  Object.defineProperty(object, key, { get, set: put, configurable: true, enumerable: true })
}

/** Has a view that is made later checked before it is seen; one that is made already is not. */
export function guardLate(object: object, key: string, check: Check): void {
  const get = Object.getOwnPropertyDescriptor(object, key)?.get as Late | undefined
  if (get !== undefined) get.check = check
}

/** What a property that nobody has asked for stands for. */
export function lateSource(object: object, key: string): Late['source'] {
  return (Object.getOwnPropertyDescriptor(object, key)?.get as Late | undefined)?.source
}

function decode(decoder: Decoder, part: Encoded): unknown {
  if (typeof part !== 'object' || part === null) return part
  if (Array.isArray(part)) return part.length === 2 ? wholeAt(decoder, part[0]) : objectAt(decoder, part[0])
  if (part.word === 'undefined') return undefined
  if (part.word === MISSING) return failFor('an element')
  return part.word === '-0' ? -0 : Number(part.word)
}

/** @throws MissingPart */
function failFor(name: string): never {
  throw new MissingPart(`has no ${name}, which a patch asks for`)
}

function objectAt(decoder: Decoder, id: number): object {
  const entry = decoder.skeleton.entries[id]
  if (entry === undefined) throw new TypeError(`no entry ${id}`)
  if (entry[0] !== 'w') return decoder.objects[id]
  const [, components, ...runs] = entry
  return restoreKind(decode(decoder, components) as Record<string, object>, runs as number[])
}

function sourceAt({ skeleton }: Decoder, at: number): Source {
  const source = skeleton.views.slice(at * 4, at * 4 + 4)
  if (source.length < 4) throw new TypeError(`no view ${at}`)
  return source as Source
}

function viewAt(decoder: Decoder, at: number, check?: Check): View {
  const known = decoder.views[at]
  if (known !== undefined) return known
  const [type, buffer, offset, length] = sourceAt(decoder, at)
  const Type = VIEWS[type] as typeof Uint8Array
  const pages = decoder.memory.page(buffer)
  const view = new Type((pages === null ? decoder.memory.load(buffer) : pages.memory) as ArrayBuffer, offset, length)
  if (pages === null) check?.(view, 0, length)
  else if (check !== undefined) checkPages(view, pages, check)
  decoder.views[at] =
    pages === null ? view : type === DATA_VIEW ? pagedDataView(view as never, pages) : pagedView(view, pages)
  return decoder.views[at]
}

/** What is filled already, and what will be. */
function checkPages(view: View, pages: Pages, check: Check): void {
  const size = (view as Uint8Array).BYTES_PER_ELEMENT
  const within = (from: number, to: number) => {
    const first = Math.max(0, (from - view.byteOffset) / size)
    const end = Math.min(view.byteLength, to - view.byteOffset) / size
    if (end > first) check(view, first, end)
  }
  pages.filled.forEach((filled, chunk) => {
    if (filled !== 0) within(chunk << CHUNK_SHIFT, (chunk + 1) << CHUNK_SHIFT)
  })
  pages.checks.push(within)
}

/** A view that is an element of a list, or of a Map: none of them is large. */
function wholeAt(decoder: Decoder, at: number): View {
  const known = decoder.views[at]
  return known === undefined || isPaged(known) ? wholeOf(viewAt(decoder, at)) : known
}
