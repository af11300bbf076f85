import { ByteSink, FormatError } from '../../core/bytes.ts'
import {
  REBASE_OPCODE_ADD_ADDR_IMM_SCALED,
  REBASE_OPCODE_ADD_ADDR_ULEB,
  REBASE_OPCODE_DO_REBASE_ADD_ADDR_ULEB,
  REBASE_OPCODE_DO_REBASE_IMM_TIMES,
  REBASE_OPCODE_DO_REBASE_ULEB_TIMES,
  REBASE_OPCODE_DO_REBASE_ULEB_TIMES_SKIPPING_ULEB,
  REBASE_OPCODE_DONE,
  REBASE_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB,
  REBASE_OPCODE_SET_TYPE_IMM,
  REBASE_TYPE_POINTER,
} from '../macho/constants.ts'
import { appendUleb64, type Cursor, cursorOver, readUleb, readUleb64 } from './cursor.ts'

const IMMEDIATE_MASK = 0xf
const OPCODE_MASK = 0xf0
const POINTER_SIZE = 8
const DEFAULT_LIMIT = 1 << 26

/**
 * Rebase opcodes (LC_DYLD_INFO_ONLY, <mach-o/loader.h>) for rows sorted by segment index, then by byte offset in the
 * segment; a repeated row counts once. Empty when there are no rows. Byte for byte what ld64.lld 22 writes, unpadded.
 */
export function encodeRebase(segments: Uint8Array, offsets: Float64Array | Uint32Array, count: number): Uint8Array {
  const sink = new ByteSink(count === 0 ? 0 : 1024)
  if (count === 0) return sink.finish()
  sink.u8(REBASE_OPCODE_SET_TYPE_IMM | REBASE_TYPE_POINTER)
  for (let from = 0; from < count; ) {
    const segment = segments[from]
    let to = from + 1
    while (to < count && segments[to] === segment) to++
    sink.u8(REBASE_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB | segment)
    sink.uleb(offsets[from])
    encodeSegment(sink, offsets, from, to)
    from = to
  }
  sink.u8(REBASE_OPCODE_DONE)
  return sink.finish()
}

// A run is `length` pointers that stand `stride` bytes apart; one pointer alone has the stride of the pointer size.
function encodeSegment(sink: ByteSink, offsets: Float64Array | Uint32Array, from: number, to: number): void {
  let length = 1
  let stride = POINTER_SIZE
  for (let i = from + 1; i < to; i++) {
    const distance = offsets[i] - offsets[i - 1]
    if (distance === 0) continue
    if (distance === stride) {
      length++
    } else if (length === 1) {
      length = 2
      stride = distance
    } else if (distance < stride) {
      appendRun(sink, length - 1, stride)
      length = 2
      stride = distance
    } else {
      appendRun(sink, length, stride)
      appendAdvance(sink, distance - stride)
      length = 1
      stride = POINTER_SIZE
    }
  }
  appendRun(sink, length, stride)
}

function appendRun(sink: ByteSink, length: number, stride: number): void {
  if (stride === POINTER_SIZE && length <= IMMEDIATE_MASK) {
    sink.u8(REBASE_OPCODE_DO_REBASE_IMM_TIMES | length)
  } else if (stride === POINTER_SIZE) {
    sink.u8(REBASE_OPCODE_DO_REBASE_ULEB_TIMES)
    sink.uleb(length)
  } else if (length === 1) {
    sink.u8(REBASE_OPCODE_DO_REBASE_ADD_ADDR_ULEB)
    appendUleb64(sink, stride - POINTER_SIZE)
  } else {
    sink.u8(REBASE_OPCODE_DO_REBASE_ULEB_TIMES_SKIPPING_ULEB)
    sink.uleb(length)
    appendUleb64(sink, stride - POINTER_SIZE)
  }
}

function appendAdvance(sink: ByteSink, distance: number): void {
  if (distance % POINTER_SIZE === 0 && distance / POINTER_SIZE <= IMMEDIATE_MASK) {
    sink.u8(REBASE_OPCODE_ADD_ADDR_IMM_SCALED | (distance / POINTER_SIZE))
  } else {
    sink.u8(REBASE_OPCODE_ADD_ADDR_ULEB)
    sink.uleb(distance)
  }
}

type RebaseVisit = (segment: number, offset: number) => void
type RebaseState = { cursor: Cursor; segment: number; offset: number; room: number; visit: RebaseVisit }

/**
 * Calls `visit` with segment index and byte offset in that segment for each pointer; the caller checks both against the
 * image. At most `limit` visits. Throws FormatError: `truncated`, `leb-too-long`, `leb-too-large`, `rebase-opcode`,
 * `rebase-type`, `rebase-without-segment`, `rebase-offset`, `rebase-count`.
 */
export function decodeRebase(bytes: Uint8Array, visit: RebaseVisit, limit = DEFAULT_LIMIT): void {
  const cursor = cursorOver(bytes)
  const state: RebaseState = { cursor, segment: -1, offset: 0, room: limit, visit }
  while (cursor.at < cursor.end) {
    const start = cursor.at
    const byte = bytes[cursor.at++]
    const immediate = byte & IMMEDIATE_MASK
    switch (byte & OPCODE_MASK) {
      case REBASE_OPCODE_DONE:
        return
      case REBASE_OPCODE_SET_TYPE_IMM:
        if (immediate < 1 || immediate > 3)
          throw new FormatError('rebase-type', `expected a rebase type from 1 to 3, got ${immediate}`, start)
        break
      case REBASE_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB:
        state.segment = immediate
        state.offset = readUleb(cursor)
        break
      case REBASE_OPCODE_ADD_ADDR_ULEB:
        state.offset += readUleb64(cursor)
        break
      case REBASE_OPCODE_ADD_ADDR_IMM_SCALED:
        state.offset += immediate * POINTER_SIZE
        break
      case REBASE_OPCODE_DO_REBASE_IMM_TIMES:
        visitRun(state, immediate, 0, start)
        break
      case REBASE_OPCODE_DO_REBASE_ULEB_TIMES:
        visitRun(state, readUleb(cursor), 0, start)
        break
      case REBASE_OPCODE_DO_REBASE_ADD_ADDR_ULEB:
        visitRun(state, 1, readUleb64(cursor), start)
        break
      case REBASE_OPCODE_DO_REBASE_ULEB_TIMES_SKIPPING_ULEB: {
        const count = readUleb(cursor)
        visitRun(state, count, readUleb64(cursor), start)
        break
      }
      default:
        throw new FormatError('rebase-opcode', `expected a rebase opcode, got 0x${byte.toString(16)}`, start)
    }
  }
}

function visitRun(state: RebaseState, count: number, skip: number, start: number): void {
  if (state.segment < 0)
    throw new FormatError('rebase-without-segment', 'expected a segment before the first rebase, got none', start)
  if (count > state.room)
    throw new FormatError('rebase-count', `expected at most ${state.room} more rebases, got ${count}`, start)
  state.room -= count
  for (let i = 0; i < count; i++) {
    const offset = state.offset
    if (offset < 0 || !Number.isSafeInteger(offset))
      throw new FormatError('rebase-offset', `expected an offset in a segment, got ${offset}`, start)
    state.visit(state.segment, offset)
    state.offset = offset + POINTER_SIZE + skip
  }
}
