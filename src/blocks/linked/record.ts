// What a record says of a linked file: how it was before the first edit, and what edits made of its own blocks and imports.
//   libraries that edits brought: count; install name
//   its weak imports that someone needs: count; number
//   bytes in front of it, its size and the end of its segments, the hash of all of it (4 bytes), bytes of its header
//   runs of its segments that are others now: count; distance from the end of the one before, bytes; then the bytes behind the segments
// and behind all other blocks
//   its blocks that are others now: count; number, flags CHANGED_*, a name, EDIT_* and resolver (number + 1, or 0), contents as of other
//   blocks (a function), or place in the file, size and references (a variable)
import { EDIT_EXPORTED, EDIT_HIDDEN, EDIT_WEAK } from '../../../components/edits.ts'
import { IMPORT_WEAK } from '../../../components/imports.ts'
import { type ByteSink, FormatError, fromText, readU32 } from '../../core/bytes.ts'
import { hashBytes } from '../../core/hash.ts'
import { type Cursor, readUleb } from '../../formats/dyld/cursor.ts'
import type { State } from '../state.ts'
import { isSameString, stringBytes } from '../strings.ts'
import type { Base } from './base.ts'

export const CHANGED_NAME = 1
export const CHANGED_EXPORT = 2
export const CHANGED_FUNCTION = 4
export const CHANGED_VARIABLE = 8
const GLOBAL = EDIT_EXPORTED | EDIT_HIDDEN | EDIT_WEAK
/** Fewer bytes between two runs are part of one. */
const GAP = 8

function appendBytes(sink: ByteSink, bytes: Uint8Array): void {
  sink.uleb(bytes.length)
  sink.append(bytes)
}

/** Its weak imports that someone needs, and the libraries that edits brought. */
export function appendStrong(state: State, base: Base, sink: ByteSink): void {
  const { importFlags } = base.original
  const { flags } = state.imports.Library
  const libraries = state.dylibs.slice(base.libraries)
  sink.uleb(libraries.length)
  for (const { path } of libraries) appendBytes(sink, fromText(path))
  const strong: number[] = []
  for (let made = 1; made < importFlags.length; made++)
    if (importFlags[made] & IMPORT_WEAK && (flags[made] & IMPORT_WEAK) === 0) strong.push(made - 1)
  sink.uleb(strong.length)
  for (const number of strong) sink.uleb(number)
}

export function appendOriginal(state: State, base: Base, sink: ByteSink): void {
  const { source, room, zeros } = base
  const end = base.end - room - zeros
  for (const number of [room, source.length, end]) sink.uleb(number)
  sink.u32(hashBytes(source, 0, source.length))
  const head = room === 0 ? base.header.length : 0
  appendBytes(sink, source.subarray(0, head))
  const runs = differingRuns(source, state.bytes.subarray(room), head, end)
  sink.uleb(runs.length / 2)
  for (let i = 0, last = head; i < runs.length; last = runs[i + 1], i += 2) {
    sink.uleb(runs[i] - last)
    appendBytes(sink, source.subarray(runs[i], runs[i + 1]))
  }
  appendBytes(sink, source.subarray(end))
}

/** Pairs of begin and end. */
function differingRuns(source: Uint8Array, now: Uint8Array, from: number, to: number): number[] {
  const runs: number[] = []
  for (let at = from; at < to; at++) {
    if (source[at] === now[at]) continue
    if (runs.length > 0 && at - runs[runs.length - 1] < GAP) runs[runs.length - 1] = at + 1
    else runs.push(at, at + 1)
  }
  return runs
}

export interface RecordedLinks {
  libraries: string[]
  strong: number[]
}

export function readStrong(cursor: Cursor, readName: (cursor: Cursor) => string): RecordedLinks {
  return { libraries: readMany(cursor, () => readName(cursor)), strong: readMany(cursor, () => readUleb(cursor)) }
}

/** The file as it was, out of the one that holds the record. @throws FormatError */
export function readOriginal(cursor: Cursor): Uint8Array {
  const { at } = cursor
  const [room, size, end] = [readUleb(cursor), readUleb(cursor), readUleb(cursor)]
  const now = cursor.bytes
  if (size > now.length || end > size || end + room > now.length) damaged(at)
  const hash = readU32(take(cursor, 4), 0)
  const bytes = new Uint8Array(size)
  bytes.set(now.subarray(room, room + end))
  const head = take(cursor, readUleb(cursor))
  if (head.length > size) damaged(at)
  bytes.set(head)
  let place = head.length
  for (let runs = readUleb(cursor); runs > 0; runs--) {
    place += readUleb(cursor)
    const run = take(cursor, readUleb(cursor))
    if (place + run.length > end) damaged(at)
    bytes.set(run, place)
    place += run.length
  }
  const tail = take(cursor, readUleb(cursor))
  if (end + tail.length !== size) damaged(at)
  bytes.set(tail, end)
  if (hashBytes(bytes, 0, size) !== hash) damaged(at)
  return bytes
}

function damaged(at: number): never {
  throw new FormatError('bad-edit-record', 'the linked file cannot be put back as it was', at)
}

function take(cursor: Cursor, size: number): Uint8Array {
  if (size > cursor.end - cursor.at) damaged(cursor.at)
  cursor.at += size
  return cursor.bytes.subarray(cursor.at - size, cursor.at)
}

function readMany<T>(cursor: Cursor, read: () => T): T[] {
  const count = readUleb(cursor)
  if (count > cursor.end - cursor.at) damaged(cursor.at)
  return Array.from({ length: count }, read)
}

export function appendLinked(
  state: State,
  base: Base,
  sink: ByteSink,
  appendFunction: (block: number) => void,
  appendReferences: (block: number) => void,
  numbers: Uint32Array,
): void {
  const { Place, Entry } = state.blocks
  const changed: number[] = []
  for (let i = 0; i < base.count; i++) if (changesOf(state, base, i) !== 0) changed.push(i)
  sink.uleb(changed.length)
  for (const i of changed) {
    const block = base.firstBlock + i
    const changes = changesOf(state, base, i)
    sink.uleb(i)
    sink.uleb(changes)
    if (changes & CHANGED_NAME) appendBytes(sink, stringBytes(state, Entry.string[block]))
    if (changes & CHANGED_EXPORT) {
      sink.uleb(Place.flags[block] & GLOBAL)
      sink.uleb(Entry.resolver[block] === 0 ? 0 : numbers[Entry.resolver[block]] + 1)
    }
    if (changes & CHANGED_FUNCTION) appendFunction(base.bodies[i])
    if ((changes & CHANGED_VARIABLE) === 0) continue
    sink.uleb(state.outputs.Extent.fileOffset[Place.section[block]] + Place.offset[block])
    sink.uleb(base.saved.get(block)!.bytes.length)
    appendReferences(block)
  }
}

function changesOf(state: State, { original, firstBlock, bodies, saved }: Base, i: number): number {
  const { Place, Entry } = state.blocks
  const block = firstBlock + i
  const exported = (Place.flags[block] & GLOBAL) !== (original.flags[i] & GLOBAL) || Entry.resolver[block] !== 0
  const variable = saved.has(block) && bodies[i] === 0
  return (
    (isSameString(state, Entry.string[block], original.strings[i]) ? 0 : CHANGED_NAME) |
    (exported ? CHANGED_EXPORT : 0) |
    (bodies[i] === 0 ? 0 : CHANGED_FUNCTION) |
    (variable ? CHANGED_VARIABLE : 0)
  )
}
