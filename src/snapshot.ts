// A snapshot: a finished link that can be patched, kept in a file beside its output, for the next run of the command.
import { createObserver } from '../components/observer.ts'
import type { Link } from '../components/link.ts'
import { withBranchReach } from './arch/arch.ts'
import { ARCHITECTURES } from './arch/architectures.ts'
import { createMessages } from './core/messages.ts'
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
  openStore,
  type Store,
} from './snapshot/store.ts'

/** What a patch makes anew, or asks for only to report: see `whyNever`. */
const OMITTED = [
  'reverse',
  'live',
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
  if (lateSource(link, 'image') !== undefined || lateSource(link, 'tail') !== undefined) return []
  const { image, tail } = link
  const mirrored: Mirrored[] = []
  for (const [bytes, at] of [
    [image, 0],
    [tail, image.length],
  ] as const) {
    const buffer = store.memory.indexOf(bytes.buffer)
    if (bytes.byteOffset === 0 && buffer >= 0 && bytes.length > 0)
      mirrored.push({ buffer, length: bytes.length, at, dirty })
  }
  return mirrored
}

/**
 * The link of a snapshot, to be patched; null where it has only a front. What is wrong with memory that is asked for later is an
 * exception, and `store.damage`. @throws FormatError, TypeError when the file is not what was written
 */
export function openSnapshot(host: Host, file: SnapshotFile, output: string): Snapshot | null {
  const skeleton = readSkeleton(host, file) as Skeleton | null
  if (skeleton === null) return null
  const store = openStore(host, file, output, skeleton.sizes)
  const patching = decodeGraph(skeleton, (buffer) => loadBuffer(store, buffer)) as Patching
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
  Object.assign(patching, { reverse: null, live: null })
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
