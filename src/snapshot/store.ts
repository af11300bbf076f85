// The memory of a link in a file: buffers in chunks, read and checked when they are asked for, written where they have changed.
import { CHUNK_SHIFT, type Pages } from '../core/pages.ts'
import type { Host } from '../host/host.ts'
import { CHUNK, chunkMemory, hashChunk, seedOf, wordsOf } from './chunks.ts'
import { damaged, IN_OUTPUT, readIndex, RUN_WORDS, type SnapshotFile, ZERO } from './format.ts'

/** Of one buffer, by chunk: its place in the snapshot, NOWHERE where it is zero, or -2 - place in the output; two words of hash. */
interface Places {
  at: Float64Array
  hash: Uint32Array
}

const NOWHERE = -1

/** A stretch of a buffer that the output file holds too: from its start on, `length` bytes that lie at `at` in the file. */
export interface Mirrored {
  buffer: number
  length: number
  at: number
  /** By page of 2^shift bytes of the file: 1 where it may have changed. Null: all of it may. */
  dirty: { pages: Uint8Array; shift: number } | null
}

export interface Store {
  id: number
  /** Bytes of each buffer; -1 for one that is not used any more. */
  sizes: readonly number[]
  places: Places[]
  /** What has been asked for; where `pages` has the buffer too, as far as those are filled. */
  memory: (ArrayBufferLike | undefined)[]
  pages: (Pages | undefined)[]
  /** Buffers of which all pages are filled. */
  whole: Set<number>
  host: Host
  path: string
  output: string
  /** What was wrong with the file, in words; empty: nothing so far. */
  damage: string
}

function createPlaces(size: number): Places {
  const chunks = Math.ceil(Math.max(size, 0) / CHUNK)
  return { at: new Float64Array(chunks).fill(NOWHERE), hash: new Uint32Array(chunks * 2) }
}

/** A store that no file holds yet. */
export function createStore(host: Host, path: string, output: string, id: number): Store {
  return { id, sizes: [], places: [], memory: [], pages: [], whole: new Set(), host, path, output, damage: '' }
}

/** Bytes of all buffers; one without a chunk that is not zero costs a word of index, and a place for each chunk. */
const MOST_MEMORY = 2 ** 34

/** Reads the indexes of all records; `sizes` as the skeleton has them. @throws FormatError for what is no index of these buffers */
export function openStore(host: Host, file: SnapshotFile, output: string, sizes: readonly number[]): Store {
  const total = sizes.reduce((sum, size) => sum + (Number.isInteger(size) ? Math.abs(size) : Number.NaN), 0)
  if (!(total <= MOST_MEMORY)) throw damaged('claims more memory than a link takes', 0)
  const store = createStore(host, file.path, output, file.id)
  store.sizes = sizes
  store.places = sizes.map(createPlaces)
  for (const record of file.records) {
    const { index, chunks } = readIndex(host, file, record)
    takeIndex(store, index, chunks, record.end)
  }
  return store
}

/** Buffers that are not used any more may have runs. */
function takeIndex({ places, sizes }: Store, index: Uint32Array, chunks: number, end: number): void {
  const runs = index.length === 0 ? 0 : index[0]
  let hash = 1 + runs * RUN_WORDS
  if (hash > index.length) throw damaged('has an index that ends in a run', chunks)
  for (let run = 1; run < 1 + runs * RUN_WORDS; run += RUN_WORDS) {
    const [buffer, first, count, low, high] = index.subarray(run, run + RUN_WORDS)
    const zero = high === ZERO
    const from = chunks + low + (high & 0x7fffffff) * 2 ** 32
    const place = high & IN_OUTPUT ? -2 - (from - chunks) : from
    const known = sizes[buffer] < 0 ? createPlaces(0) : places[buffer]
    const fits = sizes[buffer] < 0 || (known !== undefined && first + count <= known.at.length)
    const inside = zero || place < 0 || from + count * CHUNK <= end
    if (!fits || !inside || hash + (zero ? 0 : count * 2) > index.length)
      throw damaged('has an index of other buffers', chunks)
    for (let i = 0; i < count && first + i < known.at.length; i++)
      known.at[first + i] = zero ? NOWHERE : place < 0 ? place - i * CHUNK : place + i * CHUNK
    if (zero) continue
    if (known.at.length > 0) known.hash.set(index.subarray(hash, hash + count * 2), first * 2)
    hash += count * 2
  }
}

/** The memory of a buffer, whole. @throws FormatError when it is not what was written, HostError when it cannot be read */
export function loadBuffer(store: Store, buffer: number): ArrayBufferLike {
  const known = store.memory[buffer]
  if (known !== undefined && (store.pages[buffer] === undefined || store.whole.has(buffer))) return known
  const { memory, fill } = openBuffer(store, buffer)
  fill(0, store.sizes[buffer])
  store.whole.add(buffer)
  return memory
}

/** The memory of a buffer, to be read as it is asked for. @throws FormatError when there is none; `fill` throws as `loadBuffer` */
export function openBuffer(store: Store, buffer: number): Pages {
  const known = store.pages[buffer]
  if (known !== undefined) return known
  if (store.places[buffer] === undefined || store.sizes[buffer] < 0) throw damage(store, 'has no such buffer', 0)
  const memory = chunkMemory(store.sizes[buffer])
  const filled = new Uint8Array(store.places[buffer].at.length)
  const pages: Pages = {
    memory,
    filled,
    fill: (from, to) => {
      const end = Math.ceil(to / CHUNK)
      for (let chunk = from >>> CHUNK_SHIFT; chunk < end; chunk++)
        if (filled[chunk] === 0) return fillChunks(store, buffer, pages, chunk, end)
    },
    checks: [],
  }
  store.memory[buffer] = memory
  store.pages[buffer] = pages
  return pages
}

/** Opening a file costs as much as reading so many chunks. */
const READ_AHEAD = 4

function fillChunks(store: Store, buffer: number, { memory, filled, checks }: Pages, first: number, end: number): void {
  const { at } = store.places[buffer]
  const bytes = new Uint8Array(memory)
  const most = Math.min(at.length, Math.max(end, first + READ_AHEAD))
  for (let chunk = first; chunk < most; ) {
    const from = chunk++
    if (filled[from] !== 0) continue
    if (at[from] !== NOWHERE) {
      const step = at[from] < NOWHERE ? -CHUNK : CHUNK
      while (chunk < most && filled[chunk] === 0 && at[chunk] === at[chunk - 1] + step) chunk++
      readRun(store, bytes, buffer, from, chunk)
    }
    filled.fill(1, from, chunk)
    for (const check of checks) check(from * CHUNK, chunk * CHUNK)
  }
}

function readRun(store: Store, bytes: Uint8Array, buffer: number, first: number, end: number): void {
  const { at, hash } = store.places[buffer]
  const place = at[first]
  const path = place < NOWHERE ? store.output : store.path
  const position = place < NOWHERE ? -2 - place : place
  store.host.readInto(path, bytes, first * CHUNK, (end - first) * CHUNK, position)
  const words = new Int32Array(bytes.buffer)
  const found = new Uint32Array(2)
  for (let chunk = first; chunk < end; chunk++) {
    hashChunk(words, (chunk * CHUNK) / 4, seedOf(store.id, buffer, chunk), found, 0)
    if (found[0] !== hash[chunk * 2] || found[1] !== hash[chunk * 2 + 1])
      throw damage(
        store,
        path === store.output ? 'was made for an output with other bytes' : 'has other bytes than were written',
        position,
      )
  }
}

function damage(store: Store, text: string, offset: number): Error {
  store.damage = text
  return damaged(text, offset)
}

/** What a record says of the memory: its index, and the chunks side by side. */
export interface Changed {
  index: Uint32Array
  chunks: Uint8Array[]
}

/** Finds the chunks that are not as the store's file has them, of all buffers in memory. */
export function collectChanges(store: Store, mirrored: readonly Mirrored[]): Changed {
  const made: Collection = { runs: [], hashes: [], chunks: [], size: 0 }
  const places = store.sizes.map((size, buffer) => store.places[buffer] ?? createPlaces(size))
  for (const [buffer, memory] of store.memory.entries()) {
    if (memory === undefined || store.sizes[buffer] < 0) continue
    const mirror = mirrored.find((one) => one.buffer === buffer)
    collectBuffer(store, made, buffer, memory, places[buffer], mirror)
  }
  const runs = made.runs.length / RUN_WORDS
  const index = new Uint32Array(1 + made.runs.length + made.hashes.length)
  index[0] = runs
  index.set(made.runs, 1)
  index.set(made.hashes, 1 + made.runs.length)
  return { index, chunks: made.chunks }
}

interface Collection {
  runs: number[]
  hashes: number[]
  chunks: Uint8Array[]
  /** Bytes of the chunks. */
  size: number
}

function collectBuffer(
  { id, pages }: Store,
  made: Collection,
  buffer: number,
  memory: ArrayBufferLike,
  { at, hash }: Places,
  mirror: Mirrored | undefined,
): void {
  const bytes = new Uint8Array(memory)
  const whole = new Int32Array(memory, 0, Math.floor(memory.byteLength / CHUNK) * (CHUNK / 4))
  const found = new Uint32Array(2)
  const filled = pages[buffer]?.filled
  for (let chunk = 0; chunk < at.length; chunk++) {
    const from = chunk * CHUNK
    if (filled !== undefined && filled[chunk] === 0) continue
    if (mirror !== undefined && at[chunk] === -2 - mirror.at - from && !isDirty(mirror, from)) continue
    const isWhole = from + CHUNK <= bytes.length
    const words = isWhole ? whole : wordsOf(bytes, from, bytes.length)
    const hasBits = hashChunk(words, isWhole ? from / 4 : 0, seedOf(id, buffer, chunk), found, 0)
    const place = mirror !== undefined && isMirrored(bytes, mirror, from) ? mirror.at + from : NOWHERE
    // What the output should hold is checked even where that is zero.
    const some = hasBits || place !== NOWHERE
    if (some ? at[chunk] >= 0 || at[chunk] === -2 - place : at[chunk] === NOWHERE)
      if (!some || (hash[chunk * 2] === found[0] && hash[chunk * 2 + 1] === found[1])) continue
    if (!some) addRun(made, buffer, chunk, 0, ZERO)
    else {
      made.hashes.push(found[0], found[1])
      const at = place === NOWHERE ? made.size : place
      const high = Math.floor(at / 2 ** 32) | (place === NOWHERE ? 0 : IN_OUTPUT)
      addRun(made, buffer, chunk, at % 2 ** 32, high)
      if (place === NOWHERE) addChunk(made, isWhole ? bytes.subarray(from, from + CHUNK) : new Uint8Array(words.buffer))
    }
  }
}

function isDirty({ dirty, at }: Mirrored, from: number): boolean {
  if (dirty === null) return true
  const [first, last] = [at + from, at + from + CHUNK - 1].map((place) => Math.floor(place / 2 ** dirty.shift))
  return dirty.pages[first] === 1 || dirty.pages[last] === 1
}

/** Whether the output's bytes from there on are those of the chunk, or the file ends and the chunk is zero. */
function isMirrored(bytes: Uint8Array, { length, at }: Mirrored, from: number): boolean {
  if (from + CHUNK <= length) return true
  return at > 0 && from < length && bytes.subarray(length, from + CHUNK).every((byte) => byte === 0)
}

/** Runs go on where buffer and place do. */
function addRun({ runs }: Collection, buffer: number, chunk: number, low: number, high: number): void {
  const last = runs.length - RUN_WORDS
  if (last >= 0 && runs[last] === buffer && runs[last + 1] + runs[last + 2] === chunk) {
    const next = runs[last + 3] + runs[last + 2] * CHUNK
    if (high === ZERO ? runs[last + 4] === ZERO : next === low && runs[last + 4] === high >>> 0) {
      runs[last + 2]++
      return
    }
  }
  runs.push(buffer, chunk, 1, low, high >>> 0)
}

/** Chunks that lie side by side in memory are one piece. */
function addChunk(made: Collection, bytes: Uint8Array): void {
  const last = made.chunks[made.chunks.length - 1]
  made.size += bytes.length
  if (last !== undefined && last.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset)
    made.chunks[made.chunks.length - 1] = new Uint8Array(bytes.buffer, last.byteOffset, last.length + bytes.length)
  else made.chunks.push(bytes)
}
