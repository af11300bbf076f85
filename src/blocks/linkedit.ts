// __LINKEDIT: places its tables, each with room, and brings what changed of them into the file. A table that outgrows its room
// moves those behind it.
import { alignUp } from '../core/align.ts'
import { signatureSize } from '../formats/codesign.ts'
import { fromText } from '../core/bytes.ts'
import { setBytes } from './layout.ts'
import { markPages, type State } from './state.ts'
import { PIECE_SHIFT, TABLE_ORDER, type Table } from './table.ts'

const MIN_ROOM = 256

export function writeLinkedit(state: State): void {
  if (TABLE_ORDER.some((name) => alignUp(state.tables[name].length, 8) > state.tables[name].room)) placeTables(state)
  for (const name of TABLE_ORDER) {
    const table = state.tables[name]
    writeTable(state, table)
    if (name !== 'record') state.linkedit[name] = { bytes: table.bytes.subarray(0, table.length), offset: table.offset }
    else if (state.note !== null) state.note = { ...state.note, offset: table.offset, size: table.length }
  }
}

function placeTables(state: State): void {
  const { segments } = state
  const linkedit = segments.byName.get('__LINKEDIT')!
  const start = segments.Extent.fileOffset[linkedit]
  let at = start
  for (const name of TABLE_ORDER) {
    const table = state.tables[name]
    if (table.length > 0 && alignUp(table.length, 8) > table.room)
      table.room = alignUp(state.packing ? table.length : Math.max(MIN_ROOM, table.length + table.length / 2), 8)
    table.offset = at
    at += table.room
    table.written = 0
    table.pieces.fill(1)
  }
  state.packing = false
  state.signatureAt = alignUp(at, 16)
  const name = fromText(signatureName(state))
  state.signatureSize = state.settings.adhocCodesign ? signatureSize(state.signatureAt, name.length, state.shift) : 0
  resizeFile(state, start, state.signatureAt + state.signatureSize)
  segments.Extent.fileSize[linkedit] = state.size - start
  segments.Extent.size[linkedit] = alignUp(state.size - start, state.settings.pageSize)
}

export function signatureName(state: State): string {
  if (state.base !== null && state.base.identifier !== null) return state.base.identifier
  return state.settings.finalOutput.replace(/^.*[\\/]/, '')
}

function resizeFile(state: State, start: number, size: number): void {
  const bytes = new Uint8Array(size)
  bytes.set(state.bytes.subarray(0, start))
  setBytes(state, bytes)
  const pages = new Uint8Array(Math.ceil(size / 2 ** state.shift))
  pages.set(state.pages.subarray(0, Math.min(state.pages.length, start >>> state.shift)))
  pages.fill(1, start >>> state.shift)
  state.pages = pages
  state.resized ||= size !== state.size
  state.size = size
}

function writeTable(state: State, table: Table): void {
  const end = Math.max(table.length, table.written)
  for (let piece = 0; piece << PIECE_SHIFT < end; piece++) {
    if (table.pieces[piece] === 0) continue
    const from = piece << PIECE_SHIFT
    const to = Math.min(end, from + (1 << PIECE_SHIFT))
    state.bytes.set(table.bytes.subarray(from, to), table.offset + from)
    markPages(state, table.offset + from, table.offset + to)
  }
  table.pieces.fill(0)
  table.written = table.length
}
