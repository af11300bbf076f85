import { ulebSize } from '../../core/bytes.ts'
import { EXPORT_SYMBOL_FLAGS_REEXPORT } from '../macho/constants.ts'
import { cursorOver, readByte, readUleb, skipCstring } from './cursor.ts'

/**
 * Gives an export another address in a finished trie. Returns the place of the address, or -1 where the trie has no such name
 * or the address takes another number of bytes; nothing is written then. `name` is bytes[from, from + length) of `names`. With
 * `padded` a shorter address fits too: it is written with bytes that add nothing, which readers of ULEB128 take.
 */
export function moveExport(
  trie: Uint8Array,
  names: Uint8Array,
  from: number,
  length: number,
  address: number,
  padded = false,
): number {
  const node = findNode(trie, names, from, from + length)
  if (node < 0) return -1
  const cursor = cursorOver(trie, node)
  if (readUleb(cursor) === 0 || readUleb(cursor) & EXPORT_SYMBOL_FLAGS_REEXPORT) return -1
  const place = cursor.at
  readUleb(cursor)
  const over = cursor.at - place - ulebSize(address)
  if (over < 0 || (over > 0 && !padded)) return -1
  let rest = address
  for (let at = place; at < cursor.at; at++) {
    trie[at] = at + 1 < cursor.at ? (rest % 128) | 0x80 : rest
    rest = Math.floor(rest / 128)
  }
  return place
}

function findNode(trie: Uint8Array, names: Uint8Array, from: number, end: number): number {
  let node = 0
  while (from < end) {
    const cursor = cursorOver(trie, node)
    const terminal = readUleb(cursor)
    cursor.at += terminal
    let found = -1
    for (let left = readByte(cursor); left > 0 && found < 0; left--) {
      const edge = cursor.at
      const size = skipCstring(cursor) - edge
      const child = readUleb(cursor)
      if (size > end - from || !isSame(trie, edge, names, from, size)) continue
      found = child
      from += size
    }
    if (found <= node) return -1
    node = found
  }
  return node
}

function isSame(a: Uint8Array, at: number, b: Uint8Array, from: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (a[at + i] !== b[from + i]) return false
  return true
}
