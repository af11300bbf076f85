// A snapshot: a finished link that can be patched, kept in a file beside its output, for the next run of the command.
import { createObserver } from '../components/observer.ts'
import type { Link } from '../components/link.ts'
import { withBranchReach } from './arch/arch.ts'
import { ARCHITECTURES } from './arch/architectures.ts'
import { createMessages } from './core/messages.ts'
import { isPaged, wholeOf } from './core/pages.ts'
import { createPool } from './core/pool.ts'
import type { Host } from './host/host.ts'
import type { Patching } from './session/patch.ts'
import { guardIds } from './snapshot/limits.ts'
import { decodeGraph, encodeGraph, lateSource, type Skeleton } from './snapshot/graph.ts'
import { damaged, encodeRecord, readSkeleton, type SnapshotFile } from './snapshot/format.ts'
import {
  type Changed,
  collectChanges,
  createStore,
  loadBuffer,
  type Mirrored,
  openBuffer,
  openStore,
  type Store,
} from './snapshot/store.ts'

/** What a patch makes anew, or asks for only to report: see `whyNever`. */
const OMITTED = [
  'relations',
  'live',
  'whole',
  'link.host',
  'link.observer',
  'link.pool',
  'link.arch',
  'link.messages',
  'link.timings',
  'link.visited',
  'link.reports',
  'link.dependencies',
  'link.archives',
  'link.autolinks',
  'link.settings.host',
  'link.settings.signal',
  'link.settings.onProgress',
  'link.settings.cache',
]

/** Others than the user have no business with what went into a program. */
const MODE = 0o600

/** A snapshot whose memory is read as it is asked for. */
export interface Snapshot {
  file: SnapshotFile
  store: Store
  patching: Patching
}

/** Writes a snapshot of `patching` (null: of the front alone) over `path`. @throws HostError when it cannot */
export function saveSnapshot(
  host: Host,
  path: string,
  output: string,
  front: unknown,
  patching: Patching | null,
): void {
  const store = createStore(host, path, output, newId(host))
  const skeleton = patching === null ? null : takeGraph(store, patching)
  writeWhole(host, store, front, skeleton, patching?.link ?? null)
}

/** Adds a record with another front; false where the host cannot write into files. @throws HostError when it cannot */
export function appendFront(host: Host, file: SnapshotFile, front: unknown): boolean {
  return append(host, file, front, null, { index: Uint32Array.of(0), chunks: [] })
}

/** A file that has grown by so many bytes or records since it was written is written anew: what follows is read at every start. */
const MOST_GROWTH = 1 << 23
const MOST_RECORDS = 64

/**
 * Brings the file up to date, by a further record with the chunks that have changed, or else whole; `dirty` are the pages of the
 * output that have. @throws HostError when it
 * cannot; FormatError when what was not read so far is not what was written
 */
export function updateSnapshot(
  host: Host,
  { file, store, patching }: Snapshot,
  front: unknown,
  dirty: Mirrored['dirty'],
): void {
  const skeleton = takeGraph(store, patching)
  const changes = collectChanges(store, mirroredOf(store, patching.link, dirty))
  const [first] = file.records
  const grown = file.records[file.records.length - 1].end - first.end
  const isSmall = grown < Math.max(MOST_GROWTH, first.end / 2) && file.records.length < MOST_RECORDS
  if (isSmall && append(host, file, front, skeleton, changes)) return
  for (const [buffer, size] of store.sizes.entries()) if (size >= 0) loadBuffer(store, buffer)
  store.id = newId(host)
  store.places = []
  writeWhole(host, store, front, skeleton, patching.link)
}

function append(
  host: Host,
  { path, id, records, torn }: SnapshotFile,
  front: unknown,
  skeleton: Skeleton | null,
  changes: Changed,
): boolean {
  if (host.updateFile === undefined || torn) return false
  let at = records[records.length - 1].end
  const parts = encodeRecord({ id, sequence: records.length, front, skeleton, ...changes }).map((bytes) => {
    at += bytes.length
    return { at: at - bytes.length, bytes }
  })
  host.updateFile(path, parts)
  return true
}

function writeWhole(host: Host, store: Store, front: unknown, skeleton: Skeleton | null, link: Link | null): void {
  const changes = collectChanges(store, link === null ? [] : mirroredOf(store, link, null))
  const record = encodeRecord({ id: store.id, sequence: 0, front, skeleton, ...changes })
  host.writeFile(store.path, record, MODE)
}

function newId(host: Host): number {
  const random = new Uint8Array(4)
  host.random(random)
  return new Uint32Array(random.buffer)[0]
}

/** The graph of `patching`; its buffers are in the store then. */
function takeGraph(store: Store, patching: Patching): Skeleton {
  const numbers = new Map<ArrayBufferLike, number>()
  for (const [number, memory] of store.memory.entries()) if (memory !== undefined) numbers.set(memory, number)
  const buffers = { numbers, sizes: [...store.sizes] }
  const skeleton = encodeGraph(patching, OMITTED, buffers)
  store.sizes = skeleton.sizes
  for (const [memory, number] of numbers) store.memory[number] = memory
  return skeleton
}

/** The output holds image and tail: they need not be kept twice. */
function mirroredOf(store: Store, link: Link, dirty: Mirrored['dirty']): Mirrored[] {
  const mirrored: Mirrored[] = []
  let at = 0
  for (const key of ['image', 'tail'] as const) {
    const { buffer, offset, length } = extentOf(store, link, key)
    if (offset === 0 && buffer >= 0 && length > 0) mirrored.push({ buffer, length, at, dirty })
    at += length
  }
  return mirrored
}

/** Also of one that nobody has asked for, or that is read by pages. */
function extentOf(store: Store, link: Link, key: 'image' | 'tail'): { buffer: number; offset: number; length: number } {
  const source = lateSource(link, key)
  if (Array.isArray(source)) return { buffer: source[1], offset: source[2], length: source[3] }
  const bytes = link[key]
  return { buffer: store.memory.indexOf(bytes.buffer), offset: bytes.byteOffset, length: bytes.length }
}

/** Buffers of so many bytes are read by chunks, as they are asked for; smaller ones as a whole, which makes their views plain arrays. */
export const PAGED_FROM = 1 << 16

/**
 * The link of a snapshot, to be patched; null where it has only a front. What is wrong with memory that is asked for later is an
 * exception, and `store.damage`. @throws FormatError, TypeError when the file is not what was written
 */
export function openSnapshot(
  host: Host,
  file: SnapshotFile,
  output: string,
  pagedFrom: number = PAGED_FROM,
): Snapshot | null {
  const skeleton = readSkeleton(host, file) as Skeleton | null
  if (skeleton === null) return null
  const store = openStore(host, file, output, skeleton.sizes)
  const patching = decodeGraph(skeleton, {
    load: (buffer) => loadBuffer(store, buffer),
    page: (buffer) => (skeleton.sizes[buffer] < pagedFrom ? null : openBuffer(store, buffer)),
  }) as Patching
  guardIds(patching.link, (text) => {
    store.damage = text
  })
  revive(patching, host)
  return { file, store, patching }
}

/** What is no memory: made as in a new link. */
function revive(patching: Patching, host: Host): void {
  const { link } = patching
  const { arch, branchReach } = link.settings
  if (ARCHITECTURES[arch] === undefined) throw damaged('is of no known architecture', 0)
  Object.assign(patching, { relations: null, live: null, whole: () => makeWhole(link) })
  Object.assign(link.settings, { host, signal: undefined, onProgress: undefined, cache: undefined })
  Object.assign(link, {
    host,
    observer: createObserver(host, { inputs: [] }),
    pool: createPool(),
    arch: branchReach === undefined ? ARCHITECTURES[arch] : withBranchReach(ARCHITECTURES[arch], branchReach),
    messages: createMessages(),
    timings: [],
    visited: { rows: 0, read: 0, hashed: 0, written: 0, probes: 0, allocated: 0 },
    reports: {},
    dependencies: { read: [], missing: [] },
    archives: [],
    autolinks: new Map(),
  })
}

/** Puts plain arrays in the place of all columns that have a row a symbol or block, for who looks at all of those. */
function makeWhole({ symbols, blocks }: Link): void {
  for (const part of [symbols.Definition, symbols.Reference, ...Object.values(blocks)] as Record<string, unknown>[])
    for (const [key, column] of Object.entries(part))
      if (typeof column === 'object' && column !== null && isPaged(column)) part[key] = wholeOf(column)
}
