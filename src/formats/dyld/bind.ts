import { ByteSink, FormatError, toText } from '../../core/bytes.ts'
import {
  BIND_OPCODE_ADD_ADDR_ULEB,
  BIND_OPCODE_DO_BIND,
  BIND_OPCODE_DO_BIND_ADD_ADDR_IMM_SCALED,
  BIND_OPCODE_DO_BIND_ADD_ADDR_ULEB,
  BIND_OPCODE_DO_BIND_ULEB_TIMES_SKIPPING_ULEB,
  BIND_OPCODE_DONE,
  BIND_OPCODE_SET_ADDEND_SLEB,
  BIND_OPCODE_SET_DYLIB_ORDINAL_IMM,
  BIND_OPCODE_SET_DYLIB_ORDINAL_ULEB,
  BIND_OPCODE_SET_DYLIB_SPECIAL_IMM,
  BIND_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB,
  BIND_OPCODE_SET_SYMBOL_TRAILING_FLAGS_IMM,
  BIND_OPCODE_SET_TYPE_IMM,
  BIND_SYMBOL_FLAGS_NON_WEAK_DEFINITION,
  BIND_TYPE_POINTER,
} from '../macho/constants.ts'
import { appendUleb64, type Cursor, cursorOver, readSleb, readUleb, readUleb64, skipCstring } from './cursor.ts'

const IMMEDIATE_MASK = 0xf
const OPCODE_MASK = 0xf0
const POINTER_SIZE = 8
const DEFAULT_LIMIT = 1 << 26

/** Names as bytes: row r is the `length[r]` bytes at `offset[r]` of `bytes[arena[r]]`, without NUL. */
export type NameTable = {
  bytes: Uint8Array[]
  arena: Uint8Array | Uint32Array
  offset: Uint32Array
  length: Uint32Array | Uint16Array
}

/**
 * Pointers to bind, one row each, in the order of emission: `segments` index, `offsets` in bytes from the segment's
 * start, `ordinals` of the library (BIND_SPECIAL_DYLIB_* when not positive), `addends` in bytes, `names` rows of the
 * name table, `flags` BIND_SYMBOL_FLAGS_*.
 */
export type BindRows = {
  segments: Uint8Array
  offsets: Float64Array
  ordinals: Int32Array
  addends: Float64Array
  names: Uint32Array
  flags: Uint8Array
  count: number
}

/** `count` rows of zeros. */
export function createBindRows(count: number): BindRows {
  return {
    segments: new Uint8Array(count),
    offsets: new Float64Array(count),
    ordinals: new Int32Array(count),
    addends: new Float64Array(count),
    names: new Uint32Array(count),
    flags: new Uint8Array(count),
    count,
  }
}

// Layout of what dyld remembers between opcodes, and (`held`, `run`, `skip`) of what is not written yet:
// `run` binds, each followed by `skip` bytes, then one more bind when `held`.
type Emitter = {
  sink: ByteSink
  fold: boolean
  segment: number
  offset: number
  addend: number
  held: boolean
  run: number
  skip: number
}

function emitter(fold: boolean): Emitter {
  return { sink: new ByteSink(), fold, segment: -1, offset: 0, addend: 0, held: false, run: 0, skip: 0 }
}

/** Appends the bytes of name row `row` and a NUL. */
export function appendName(sink: ByteSink, names: NameTable, row: number): void {
  const at = names.offset[row]
  sink.append(names.bytes[names.arena[row]].subarray(at, at + names.length[row]))
  sink.u8(0)
}

/**
 * Bind opcodes (LC_DYLD_INFO_ONLY, <mach-o/loader.h>). The symbol is written where name, flags or library change, so
 * rows of one symbol belong together. `fold` merges binds with what follows, as ld64.lld 22 does at -O2 and above.
 * Byte for byte what ld64.lld 22 writes for rows in its order, unpadded; empty when there are no rows.
 */
export function encodeBind(rows: BindRows, names: NameTable, fold = false): Uint8Array {
  const state = emitter(fold)
  const { sink } = state
  let ordinal = 0
  for (let from = 0; from < rows.count; ) {
    const to = groupEnd(rows, from, true)
    appendSymbol(sink, names, rows.names[from], rows.flags[from])
    sink.u8(BIND_OPCODE_SET_TYPE_IMM | BIND_TYPE_POINTER)
    if (rows.ordinals[from] !== ordinal) appendOrdinal(sink, rows.ordinals[from])
    ordinal = rows.ordinals[from]
    encodeGroup(state, rows, from, to)
    from = to
  }
  if (rows.count > 0) sink.u8(BIND_OPCODE_DONE)
  return sink.finish()
}

/**
 * Weak bind opcodes: first the names (rows of `names`) of strong definitions that override weak ones of other images,
 * then `rows` as in `encodeBind` without libraries and flags. Empty when there is neither.
 */
export function encodeWeakBind(
  rows: BindRows,
  names: NameTable,
  nonWeakDefinitions: Uint32Array,
  fold = false,
): Uint8Array {
  const state = emitter(fold)
  const { sink } = state
  for (let i = 0; i < nonWeakDefinitions.length; i++)
    appendSymbol(sink, names, nonWeakDefinitions[i], BIND_SYMBOL_FLAGS_NON_WEAK_DEFINITION)
  for (let from = 0; from < rows.count; ) {
    const to = groupEnd(rows, from, false)
    appendSymbol(sink, names, rows.names[from], 0)
    sink.u8(BIND_OPCODE_SET_TYPE_IMM | BIND_TYPE_POINTER)
    encodeGroup(state, rows, from, to)
    from = to
  }
  if (rows.count + nonWeakDefinitions.length > 0) sink.u8(BIND_OPCODE_DONE)
  return sink.finish()
}

/**
 * Lazy bind opcodes: dyld reads one record at a time, from where the stub helper points it, up to BIND_OPCODE_DONE, so
 * each record is complete. `starts[i]` is the byte offset of the record of row i. Addends do not exist here.
 */
export function encodeLazyBind(rows: BindRows, names: NameTable): { bytes: Uint8Array; starts: Uint32Array } {
  const sink = new ByteSink()
  const starts = new Uint32Array(rows.count)
  for (let i = 0; i < rows.count; i++) {
    starts[i] = sink.length
    sink.u8(BIND_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB | rows.segments[i])
    sink.uleb(rows.offsets[i])
    appendOrdinal(sink, rows.ordinals[i])
    appendSymbol(sink, names, rows.names[i], rows.flags[i])
    sink.u8(BIND_OPCODE_DO_BIND)
    sink.u8(BIND_OPCODE_DONE)
  }
  return { bytes: sink.finish(), starts }
}

function groupEnd(rows: BindRows, from: number, strict: boolean): number {
  const { names, flags, ordinals } = rows
  let to = from + 1
  while (to < rows.count && names[to] === names[from]) {
    if (strict && (flags[to] !== flags[from] || ordinals[to] !== ordinals[from])) break
    to++
  }
  return to
}

function appendSymbol(sink: ByteSink, names: NameTable, row: number, flags: number): void {
  sink.u8(BIND_OPCODE_SET_SYMBOL_TRAILING_FLAGS_IMM | flags)
  appendName(sink, names, row)
}

function appendOrdinal(sink: ByteSink, ordinal: number): void {
  if (ordinal <= 0) {
    sink.u8(BIND_OPCODE_SET_DYLIB_SPECIAL_IMM | (ordinal & IMMEDIATE_MASK))
  } else if (ordinal <= IMMEDIATE_MASK) {
    sink.u8(BIND_OPCODE_SET_DYLIB_ORDINAL_IMM | ordinal)
  } else {
    sink.u8(BIND_OPCODE_SET_DYLIB_ORDINAL_ULEB)
    sink.uleb(ordinal)
  }
}

function encodeGroup(state: Emitter, rows: BindRows, from: number, to: number): void {
  const { segments, offsets, addends } = rows
  for (let i = from; i < to; i++) {
    if (segments[i] !== state.segment) enterSegment(state, segments[i], offsets[i])
    else if (offsets[i] !== state.offset) skipBytes(state, offsets[i] - state.offset)
    if (addends[i] !== state.addend) setAddend(state, addends[i])
    if (state.held) settle(state)
    if (state.fold) state.held = true
    else state.sink.u8(BIND_OPCODE_DO_BIND)
    state.offset = offsets[i] + POINTER_SIZE
  }
  settle(state)
}

function enterSegment(state: Emitter, segment: number, offset: number): void {
  settle(state)
  state.sink.u8(BIND_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB | segment)
  state.sink.uleb(offset)
  state.segment = segment
}

function skipBytes(state: Emitter, skip: number): void {
  if (!state.held) {
    state.sink.u8(BIND_OPCODE_ADD_ADDR_ULEB)
    appendUleb64(state.sink, skip)
    return
  }
  if (state.skip !== skip) appendRun(state)
  state.run++
  state.skip = skip
  state.held = false
}

function setAddend(state: Emitter, addend: number): void {
  settle(state)
  state.sink.u8(BIND_OPCODE_SET_ADDEND_SLEB)
  state.sink.sleb(addend)
  state.addend = addend
}

function settle(state: Emitter): void {
  appendRun(state)
  if (state.held) state.sink.u8(BIND_OPCODE_DO_BIND)
  state.held = false
}

function appendRun(state: Emitter): void {
  const { sink, run, skip } = state
  state.run = 0
  if (run === 0) return
  if (run > 1) {
    sink.u8(BIND_OPCODE_DO_BIND_ULEB_TIMES_SKIPPING_ULEB)
    sink.uleb(run)
    appendUleb64(sink, skip)
  } else if (skip >= 0 && skip % POINTER_SIZE === 0 && skip / POINTER_SIZE < IMMEDIATE_MASK) {
    // ld64 and lld leave the immediate 15 unused; so do we, for equal bytes.
    sink.u8(BIND_OPCODE_DO_BIND_ADD_ADDR_IMM_SCALED | (skip / POINTER_SIZE))
  } else {
    sink.u8(BIND_OPCODE_DO_BIND_ADD_ADDR_ULEB)
    appendUleb64(sink, skip)
  }
}

/** One bound pointer; units as in BindRows. */
export type BindVisit = (
  segment: number,
  offset: number,
  ordinal: number,
  name: string,
  addend: number,
  flags: number,
) => void

/** `strong` hears of overriding strong definitions in a weak bind table; `limit` bounds the visits. */
export type BindDecodeOptions = { lazy: boolean; strong?: (name: string) => void; limit?: number }

type BindState = {
  cursor: Cursor
  segment: number
  offset: number
  ordinal: number
  name: string | null
  flags: number
  addend: number
  room: number
  visit: BindVisit
}

/**
 * Reads bind, weak bind or (`lazy`) lazy bind opcodes, calling `visit` for each pointer; the caller checks segment,
 * offset and ordinal against the image. Throws FormatError: `truncated`, `unterminated-string`, `leb-too-long`,
 * `leb-too-large`, `bind-opcode`, `bind-type`, `bind-without-segment`, `bind-without-symbol`, `bind-offset`, `bind-count`.
 */
export function decodeBind(bytes: Uint8Array, options: BindDecodeOptions, visit: BindVisit): void {
  const cursor = cursorOver(bytes)
  const state = { cursor, room: options.limit ?? DEFAULT_LIMIT, visit } as BindState
  resetRecord(state)
  while (cursor.at < cursor.end) {
    const start = cursor.at
    const byte = bytes[cursor.at++]
    const immediate = byte & IMMEDIATE_MASK
    switch (byte & OPCODE_MASK) {
      case BIND_OPCODE_DONE:
        if (!options.lazy) return
        resetRecord(state)
        break
      case BIND_OPCODE_SET_DYLIB_ORDINAL_IMM:
        state.ordinal = immediate
        break
      case BIND_OPCODE_SET_DYLIB_ORDINAL_ULEB:
        state.ordinal = readUleb(cursor)
        break
      case BIND_OPCODE_SET_DYLIB_SPECIAL_IMM:
        state.ordinal = immediate === 0 ? 0 : immediate - 16
        break
      case BIND_OPCODE_SET_SYMBOL_TRAILING_FLAGS_IMM:
        state.flags = immediate
        state.name = toText(bytes, cursor.at, skipCstring(cursor))
        if ((immediate & BIND_SYMBOL_FLAGS_NON_WEAK_DEFINITION) !== 0) options.strong?.(state.name)
        break
      case BIND_OPCODE_SET_TYPE_IMM:
        if (immediate < 1 || immediate > 3)
          throw new FormatError('bind-type', `expected a bind type from 1 to 3, got ${immediate}`, start)
        break
      case BIND_OPCODE_SET_ADDEND_SLEB:
        state.addend = readSleb(cursor)
        break
      case BIND_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB:
        state.segment = immediate
        state.offset = readUleb(cursor)
        break
      case BIND_OPCODE_ADD_ADDR_ULEB:
        state.offset += readUleb64(cursor)
        break
      case BIND_OPCODE_DO_BIND:
        visitBinds(state, 1, 0, start)
        break
      case BIND_OPCODE_DO_BIND_ADD_ADDR_ULEB:
        visitBinds(state, 1, readUleb64(cursor), start)
        break
      case BIND_OPCODE_DO_BIND_ADD_ADDR_IMM_SCALED:
        visitBinds(state, 1, immediate * POINTER_SIZE, start)
        break
      case BIND_OPCODE_DO_BIND_ULEB_TIMES_SKIPPING_ULEB: {
        const count = readUleb(cursor)
        visitBinds(state, count, readUleb64(cursor), start)
        break
      }
      default:
        throw new FormatError('bind-opcode', `expected a bind opcode, got 0x${byte.toString(16)}`, start)
    }
  }
}

function resetRecord(state: BindState): void {
  state.segment = -1
  state.offset = 0
  state.ordinal = 0
  state.name = null
  state.flags = 0
  state.addend = 0
}

function visitBinds(state: BindState, count: number, skip: number, start: number): void {
  const { segment, ordinal, name, addend, flags, visit } = state
  if (segment < 0) throw new FormatError('bind-without-segment', 'expected a segment before a bind, got none', start)
  if (name === null) throw new FormatError('bind-without-symbol', 'expected a symbol before a bind, got none', start)
  if (count > state.room)
    throw new FormatError('bind-count', `expected at most ${state.room} more binds, got ${count}`, start)
  state.room -= count
  for (let i = 0; i < count; i++) {
    const offset = state.offset
    if (offset < 0 || !Number.isSafeInteger(offset))
      throw new FormatError('bind-offset', `expected an offset in a segment, got ${offset}`, start)
    visit(segment, offset, ordinal, name, addend, flags)
    state.offset = offset + POINTER_SIZE + skip
  }
}
