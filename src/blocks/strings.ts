// Names in the string table. A name has room for its size class; a freed one is used again for a name of the same class.
import { fromText, toText } from '../core/bytes.ts'
import { hashBytes, sameBytes } from '../core/hash.ts'
import { sizeClass } from '../core/sizeClass.ts'
import { MAX_NAME, type State, takeRow } from './state.ts'
import { resizeTable, touchTable } from './table.ts'

/** Offset 0 is no name. */
export const STRINGS_START = 8

/** @throws TypeError for what cannot be a symbol's name. */
export function checkName(caller: string, name: string): Uint8Array {
  if (typeof name !== 'string' || name === '' || name.includes('\0'))
    throw new TypeError(`${caller}: expected a name without NUL, got ${JSON.stringify(name)}`)
  const bytes = fromText(name)
  if (bytes.length > MAX_NAME)
    throw new TypeError(`${caller}: expected a name of at most ${MAX_NAME} bytes, got ${bytes.length}`)
  return bytes
}

export function addString(state: State, name: Uint8Array): number {
  const { strings, freeStrings } = state
  const table = state.tables.strings
  const room = sizeClass(name.length + 1, 2, 8)
  let string = freeStrings[room / 8]
  if (string !== 0) freeStrings[room / 8] = strings.Text.next[string]
  else {
    string = takeRow(strings, [strings.Text])
    const at = Math.max(STRINGS_START, table.length)
    resizeTable(table, at + room)
    strings.Text.offset[string] = at
    strings.Text.room[string] = room
  }
  strings.Text.length[string] = name.length
  strings.Text.hash[string] = hashBytes(name, 0, name.length)
  table.bytes.set(name, strings.Text.offset[string])
  touchTable(table, strings.Text.offset[string], strings.Text.offset[string] + room)
  return string
}

/** A string of a packed table has room for its bytes only, and serves names of the class below. */
function freeListOf(room: number): number {
  const step = Math.max(8, 2 ** (29 - Math.clz32(room)))
  return (room - (room % step)) / 8
}

export function freeString(state: State, string: number): void {
  const { Text } = state.strings
  const from = Text.offset[string]
  state.tables.strings.bytes.fill(0, from, from + Text.room[string])
  touchTable(state.tables.strings, from, from + Text.room[string])
  const list = freeListOf(Text.room[string])
  Text.next[string] = state.freeStrings[list]
  state.freeStrings[list] = string
}

export function isString(state: State, string: number, name: Uint8Array): boolean {
  const { offset, length } = state.strings.Text
  return length[string] === name.length && sameBytes(state.tables.strings.bytes, offset[string], name, 0, name.length)
}

export function isSameString(state: State, a: number, b: number): boolean {
  const { offset, length } = state.strings.Text
  const { bytes } = state.tables.strings
  return a === b || (length[a] === length[b] && sameBytes(bytes, offset[a], bytes, offset[b], length[a]))
}

/** A copy of its bytes. */
export function stringBytes(state: State, string: number): Uint8Array {
  const { offset, length } = state.strings.Text
  return state.tables.strings.bytes.slice(offset[string], offset[string] + length[string])
}

/** For messages. */
export function stringText(state: State, string: number): string {
  const { offset, length } = state.strings.Text
  return toText(state.tables.strings.bytes, offset[string], offset[string] + length[string])
}
