// Tables of __LINKEDIT: their bytes are kept beside the file and brought into it by the pieces that changed.
import { alignUp } from '../core/align.ts'

export const TABLE_ORDER = [
  'rebase',
  'bind',
  'weakBind',
  'lazyBind',
  'chainedFixups',
  'exports',
  'functionStarts',
  'dataInCode',
  'record',
  'symbols',
  'indirect',
  'strings',
] as const
export type TableName = (typeof TABLE_ORDER)[number]

/** Bytes of a piece, as a power of two. */
export const PIECE_SHIFT = 12

export interface Table {
  bytes: Uint8Array
  /** Of `bytes`; and how many there are in the file at `offset`, with `room` for more. */
  length: number
  written: number
  offset: number
  room: number
  /** By piece: 1 where it differs from the file. */
  pieces: Uint8Array
}

export function createTable(): Table {
  return { bytes: new Uint8Array(0), length: 0, written: 0, offset: 0, room: 0, pieces: new Uint8Array(0) }
}

/** Makes the table `length` bytes long; new bytes are zero. */
export function resizeTable(table: Table, length: number): void {
  if (length > table.bytes.length) {
    const size = alignUp(Math.max(length, table.bytes.length * 2), 1 << PIECE_SHIFT)
    const bytes = new Uint8Array(size)
    bytes.set(table.bytes)
    const pieces = new Uint8Array(size >> PIECE_SHIFT)
    pieces.set(table.pieces)
    table.bytes = bytes
    table.pieces = pieces
  }
  if (length < table.length) {
    table.bytes.fill(0, length, table.length)
    touchTable(table, length, table.length)
  }
  table.length = length
}

export function touchTable(table: Table, from: number, to: number): void {
  for (let piece = from >>> PIECE_SHIFT; piece << PIECE_SHIFT < to; piece++) table.pieces[piece] = 1
}

/** Puts other bytes in; pieces that stay the same are not touched. */
export function replaceTable(table: Table, bytes: Uint8Array): void {
  resizeTable(table, bytes.length)
  for (let at = 0; at < bytes.length; at += 1 << PIECE_SHIFT) {
    const end = Math.min(bytes.length, at + (1 << PIECE_SHIFT))
    if (isSame(table.bytes, bytes, at, end)) continue
    table.bytes.set(bytes.subarray(at, end), at)
    touchTable(table, at, end)
  }
}

function isSame(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return false
  return true
}
