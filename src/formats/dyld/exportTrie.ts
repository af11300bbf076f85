import { FormatError, toText, ulebSize } from '../../core/bytes.ts'
import { EXPORT_SYMBOL_FLAGS_REEXPORT, EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER } from '../macho/constants.ts'
import { type Cursor, cursorOver, readByte, readRoundedUleb, readUleb, skipCstring } from './cursor.ts'
import { buildTrie, placeNodes, type TrieNodes } from './exportTrieNodes.ts'
import { placeWithRooms } from './exportTrieRooms.ts'
import { type NameRows, type SortedNames, sortNames } from './sortNames.ts'

const NAME_LIMIT = 1 << 16
/** A plain export, without flags and with an address below this, has a terminal of at most 7 bytes. */
const PLAIN_END = 0x80000000

/**
 * Exports, one row each, in any order, no name twice: `flags` EXPORT_SYMBOL_FLAGS_*, `addresses` in bytes from the image
 * base (or the absolute value, negative for 2^64 and so much less), `others` the library ordinal of a re-export or the
 * resolver's address, `importNames` the name under which a re-export is looked up, empty for the same name.
 * `order` lists all rows, best so that their names ascend for long; null as they are. It is sorted in place.
 */
export type ExportRows = {
  names: NameRows
  flags: Uint8Array
  addresses: Float64Array
  others: Uint32Array | null
  importNames: NameRows | null
  order: Uint32Array | null
  count: number
}

/**
 * The export trie (<mach-o/loader.h>, LC_DYLD_EXPORTS_TRIE) of the rows: root first, then each subtree in byte order of
 * the names, so it does not depend on the order of the rows. Unpadded; empty when there are no rows. `make` gives zero bytes. Throws RangeError
 * when a name comes twice or the trie passes 4 GiB. `roomy`: with rooms, as placeWithRooms leaves them.
 */
export function encodeExportTrie(
  rows: ExportRows,
  make: (size: number) => Uint8Array = (size) => new Uint8Array(size),
  roomy = false,
): Uint8Array {
  const order = rows.order ?? Uint32Array.from({ length: rows.count }, (_, i) => i)
  return encodeSortedExports(rows, sortNames(rows.names, order), make, roomy)
}

/** The same of rows that are sorted already; their `order` is not looked at. */
export function encodeSortedExports(
  rows: ExportRows,
  sorted: SortedNames,
  make: (size: number) => Uint8Array,
  roomy: boolean,
): Uint8Array {
  if (rows.count === 0) return new Uint8Array(0)
  const sizes = terminalSizes(rows)
  const nodes = buildTrie(rows.names, sorted, sizes)
  const { size, width } = roomy ? placeWithRooms(nodes) : { size: placeNodes(nodes), width: 0 }
  const bytes = make(size)
  writeNodes(bytes, nodes, rows, sizes)
  writeEdges(bytes, nodes, rows.names, width)
  return bytes
}

/** By row, with the size field. */
function terminalSizes(rows: ExportRows): Uint32Array {
  const sizes = new Uint32Array(rows.count)
  const { flags, addresses, count } = rows
  for (let i = 0; i < count; i++) {
    const address = addresses[i]
    if (flags[i] === 0 && address >= 0 && address < PLAIN_END) sizes[i] = 2 + ulebSize(address)
    else sizes[i] = sizeWithField(terminalSize(rows, i))
  }
  return sizes
}

function sizeWithField(size: number): number {
  return ulebSize(size) + size
}

function terminalSize(rows: ExportRows, i: number): number {
  const flags = rows.flags[i]
  const other = rows.others === null ? 0 : rows.others[i]
  if ((flags & EXPORT_SYMBOL_FLAGS_REEXPORT) !== 0)
    return ulebSize(flags) + ulebSize(other) + 1 + (rows.importNames === null ? 0 : rows.importNames.length[i])
  const address = rows.addresses[i]
  const size = ulebSize(flags) + (address < 0 ? 10 : ulebSize(address))
  return (flags & EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER) !== 0 ? size + ulebSize(other) : size
}

// Two passes of little code each: one of both takes V8 15 ms to compile, during which it runs slowly.

/** All but the edges; `size` becomes the place for those. */
function writeNodes(bytes: Uint8Array, nodes: TrieNodes, rows: ExportRows, sizes: Uint32Array): void {
  const { flags, addresses } = rows
  const { length } = rows.names
  const { row: rowOf, depth, children, offset, size, first, end } = nodes
  for (let node = first; node < end; node++) {
    const row = rowOf[node]
    let at = offset[node]
    if (length[row] !== depth[node]) bytes[at++] = 0
    else if (flags[row] !== 0 || addresses[row] < 0 || addresses[row] >= PLAIN_END)
      at = writeTerminal(bytes, at, rows, row)
    else {
      bytes[at++] = sizes[row] - 1
      bytes[at++] = 0
      let low = addresses[row] | 0
      for (; low > 127; low >>>= 7) bytes[at++] = low | 0x80
      bytes[at++] = low
    }
    bytes[at] = children[node]
    size[node] = at + 1
  }
}

/** A node's edge goes into its parent, behind those that stand there; `width`: bytes of an offset, 0 for as few as it takes. */
function writeEdges(bytes: Uint8Array, nodes: TrieNodes, names: NameRows, width: number): void {
  const { bytes: text, offset: place } = names
  const { row: rowOf, depth, parent, offset, size, first, end } = nodes
  for (let node = first + 1; node < end; node++) {
    const above = parent[node]
    const name = place[rowOf[node]]
    const to = name + depth[node]
    let at = size[above]
    for (let from = name + depth[above]; from < to; from++) bytes[at++] = text[from]
    bytes[at] = 0
    size[above] = width === 0 ? writeUleb(bytes, at + 1, offset[node]) : writeWide(bytes, at + 1, offset[node], width)
  }
}

function writeTerminal(bytes: Uint8Array, at: number, rows: ExportRows, i: number): number {
  const flags = rows.flags[i]
  const other = rows.others === null ? 0 : rows.others[i]
  at = writeUleb(bytes, at, terminalSize(rows, i))
  at = writeUleb(bytes, at, flags)
  if ((flags & EXPORT_SYMBOL_FLAGS_REEXPORT) !== 0) {
    at = writeUleb(bytes, at, other)
    if (rows.importNames !== null) {
      const from = rows.importNames.offset[i]
      at = copyBytes(bytes, at, rows.importNames.bytes, from, from + rows.importNames.length[i])
    }
    bytes[at++] = 0
    return at
  }
  at = writeUleb(bytes, at, rows.addresses[i])
  return (flags & EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER) !== 0 ? writeUleb(bytes, at, other) : at
}

function copyBytes(bytes: Uint8Array, at: number, source: Uint8Array, from: number, to: number): number {
  while (from < to) bytes[at++] = source[from++]
  return at
}

/** Unsigned LEB128; a negative value is 2^64 and so much less, ten bytes. */
function writeUleb(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0) return writeNegative(bytes, at, value)
  for (; value > 0x7fffffff; value = Math.floor(value / 128)) bytes[at++] = (value % 128) | 0x80
  let low = value | 0
  for (; low > 127; low >>>= 7) bytes[at++] = low | 0x80
  bytes[at++] = low
  return at
}

/** With bytes that add nothing up to `width`. */
function writeWide(bytes: Uint8Array, at: number, value: number, width: number): number {
  for (let left = width - 1; left > 0; left--, value = Math.floor(value / 128)) bytes[at++] = (value % 128) | 0x80
  bytes[at++] = value
  return at
}

function writeNegative(bytes: Uint8Array, at: number, value: number): number {
  for (let i = 0; i < 9; i++, value = Math.floor(value / 128)) bytes[at++] = (((value % 128) + 128) % 128) | 0x80
  bytes[at++] = 1
  return at
}

// What a terminal holds, one object for a whole walk: `importAt` to `importEnd` is the import name of a re-export.
type Terminal = { flags: number; address: number; other: number; importAt: number; importEnd: number }

// Layout of the walk: `name[0, frameLength)` is the path to the node of a frame, `at` its next edge, `left` how many.
type Walk = {
  cursor: Cursor
  used: Uint8Array
  name: Uint8Array
  terminal: Terminal
  at: number[]
  left: number[]
  length: number[]
}

type TerminalVisit = (name: Uint8Array, length: number, terminal: Terminal) => void

/**
 * Calls `visit` for each export with its name in `nameBytes[0, length)` (valid during the call only), flags, address
 * (rounded from 2^53 on, negative just below 2^64) and library ordinal or resolver address (else 0). Makes no strings.
 * Throws FormatError: `truncated`, `unterminated-string`, `leb-too-long`, `leb-too-large`, `trie-offset`, `trie-overlap`
 * (bytes used twice, as in a cycle), `trie-terminal-size`, `trie-name-too-long` (more than 65,536 bytes).
 */
export function walkExportTrie(
  bytes: Uint8Array,
  visit: (nameBytes: Uint8Array, length: number, flags: number, address: number, other: number) => void,
): void {
  walk(bytes, (name, length, terminal) => visit(name, length, terminal.flags, terminal.address, terminal.other))
}

/** As `walkExportTrie`, with names as text; `importName` is empty unless a re-export has a name of its own. */
export function decodeExportTrie(
  bytes: Uint8Array,
  visit: (name: string, flags: number, address: number, other: number, importName: string) => void,
): void {
  walk(bytes, (name, length, terminal) => {
    const importName = toText(bytes, terminal.importAt, terminal.importEnd)
    visit(toText(name, 0, length), terminal.flags, terminal.address, terminal.other, importName)
  })
}

function walk(bytes: Uint8Array, visit: TerminalVisit): void {
  if (bytes.length === 0) return
  const state: Walk = {
    cursor: cursorOver(bytes),
    used: new Uint8Array(bytes.length),
    name: new Uint8Array(256),
    terminal: { flags: 0, address: 0, other: 0, importAt: 0, importEnd: 0 },
    at: [],
    left: [],
    length: [],
  }
  enterNode(state, 0, 0, visit)
  while (state.left.length > 0) {
    const top = state.left.length - 1
    if (state.left[top] === 0) {
      state.at.pop()
      state.left.pop()
      state.length.pop()
    } else followEdge(state, top, visit)
  }
}

function enterNode(state: Walk, at: number, length: number, visit: TerminalVisit): void {
  const { cursor, terminal } = state
  if (at >= cursor.end) throw new FormatError('trie-offset', `expected a node before ${cursor.end}, got ${at}`, at)
  cursor.at = at
  const size = readUleb(cursor)
  const end = cursor.at + size
  if (end >= cursor.end) throw new FormatError('trie-terminal-size', `expected a terminal in the trie, got ${size}`, at)
  if (size > 0) {
    readTerminal(cursor, terminal)
    if (cursor.at > end)
      throw new FormatError('trie-terminal-size', `expected a terminal of ${size} bytes, got more`, at)
    cursor.at = end
  }
  const children = readByte(cursor)
  claim(state.used, at, cursor.at)
  state.at.push(cursor.at)
  state.left.push(children)
  state.length.push(length)
  if (size > 0) visit(state.name, length, terminal)
}

function readTerminal(cursor: Cursor, terminal: Terminal): void {
  terminal.flags = readUleb(cursor)
  terminal.address = terminal.other = terminal.importAt = terminal.importEnd = 0
  if ((terminal.flags & EXPORT_SYMBOL_FLAGS_REEXPORT) !== 0) {
    terminal.other = readUleb(cursor)
    terminal.importAt = cursor.at
    terminal.importEnd = skipCstring(cursor)
    return
  }
  terminal.address = readRoundedUleb(cursor)
  if ((terminal.flags & EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER) !== 0) terminal.other = readRoundedUleb(cursor)
}

function followEdge(state: Walk, top: number, visit: TerminalVisit): void {
  const { cursor } = state
  const at = state.at[top]
  cursor.at = at
  const end = skipCstring(cursor)
  const child = readUleb(cursor)
  claim(state.used, at, cursor.at)
  state.at[top] = cursor.at
  state.left[top]--
  const length = appendLabel(state, state.length[top], at, end)
  enterNode(state, child, length, visit)
}

function appendLabel(state: Walk, length: number, at: number, end: number): number {
  const total = length + end - at
  if (total > NAME_LIMIT)
    throw new FormatError('trie-name-too-long', `expected a name of at most ${NAME_LIMIT} bytes, got ${total}`, at)
  if (total > state.name.length) {
    const grown = new Uint8Array(2 * total)
    grown.set(state.name)
    state.name = grown
  }
  const { bytes } = state.cursor
  for (let i = at; i < end; i++) state.name[length++] = bytes[i]
  return total
}

// No byte belongs to two nodes: this bounds the walk by the size of the trie and refuses cycles.
function claim(used: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    if (used[i] !== 0) throw new FormatError('trie-overlap', 'expected each byte in one node, got one in two', i)
    used[i] = 1
  }
}
