import { ByteSink, FormatError, toText, ulebSize } from '../../core/bytes.ts'
import { EXPORT_SYMBOL_FLAGS_REEXPORT, EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER } from '../macho/constants.ts'
import { appendName, type NameTable } from './bind.ts'
import { appendUleb64, type Cursor, cursorOver, readByte, readRoundedUleb, readUleb, skipCstring } from './cursor.ts'
import { commonPrefix, sortNames } from './sortNames.ts'

const NAME_LIMIT = 1 << 16

/**
 * Exports, one row each, in any order, no name twice: `names` rows of the name table, `flags` EXPORT_SYMBOL_FLAGS_*,
 * `addresses` in bytes from the image base (or the absolute value), `others` the library ordinal of a re-export or the
 * resolver's address, `importNames` the name row under which a re-export is looked up, 0 for the same name.
 */
export type ExportRows = {
  names: Uint32Array
  flags: Uint8Array
  addresses: Float64Array
  others: Uint32Array | null
  importNames: Uint32Array | null
  count: number
}

// Layout of the nodes, one column each, node 0 the root; the children of a node have consecutive ids.
//   from, to   exports order[from, to) lie below the node
//   start, end the edge to the node is bytes [start, end) of the name of order[from]
//   terminal   whether order[from] itself is the node
//   first, children  ids of the children
//   size       bytes of the node without the child offsets; offset  its place in the trie
//   layout     node ids in the order they are written (a node, then its first child's subtree, and so on)
type Nodes = {
  from: Uint32Array
  to: Uint32Array
  start: Uint32Array
  end: Uint32Array
  terminal: Uint8Array
  first: Uint32Array
  children: Uint8Array
  size: Uint32Array
  offset: Uint32Array
  layout: Uint32Array
  count: number
}

function allocateNodes(capacity: number): Nodes {
  const column = () => new Uint32Array(capacity)
  return {
    from: column(),
    to: column(),
    start: column(),
    end: column(),
    terminal: new Uint8Array(capacity),
    first: column(),
    children: new Uint8Array(capacity),
    size: column(),
    offset: column(),
    layout: column(),
    count: 0,
  }
}

/**
 * The export trie (<mach-o/loader.h>, LC_DYLD_EXPORTS_TRIE) of the rows: root first, then each subtree in byte order of
 * the names, so it does not depend on the order of the rows. Unpadded; empty when there are no rows. Throws RangeError
 * when a name comes twice or the trie passes 4 GiB.
 */
export function encodeExportTrie(rows: ExportRows, table: NameTable): Uint8Array {
  if (rows.count === 0) return new Uint8Array(0)
  const order = sortNames(table, rows.names, rows.count)
  const shared = sharedPrefixes(rows, table, order)
  const nodes = buildNodes(rows, table, order, shared)
  for (let node = 0; node < nodes.count; node++) nodes.size[node] = fixedSize(nodes, node, rows, table, order)
  const sink = new ByteSink(placeNodes(nodes))
  for (let i = 0; i < nodes.count; i++) appendNode(sink, nodes, nodes.layout[i], rows, table, order)
  return sink.finish()
}

// shared[i] is how many bytes the names at order[i - 1] and order[i] have in common.
function sharedPrefixes(rows: ExportRows, table: NameTable, order: Uint32Array): Uint32Array {
  const { names, count } = rows
  const shared = new Uint32Array(count)
  for (let i = 1; i < count; i++) {
    const before = names[order[i - 1]]
    const row = names[order[i]]
    shared[i] = commonPrefix(table, before, row, 0)
    if (shared[i] === table.length[before] && shared[i] === table.length[row])
      throw new RangeError('expected each exported name once, got one twice')
  }
  return shared
}

// Every node but the root is terminal or has two children, so there are at most twice as many as names.
function buildNodes(rows: ExportRows, table: NameTable, order: Uint32Array, shared: Uint32Array): Nodes {
  const nodes = allocateNodes(2 * rows.count + 1)
  const stack = new Uint32Array(2 * rows.count + 1)
  nodes.to[0] = rows.count
  nodes.count = 1
  let depth = 1
  let written = 0
  while (depth > 0) {
    const node = stack[--depth]
    nodes.layout[written++] = node
    const length = table.length[rows.names[order[nodes.from[node]]]]
    closeEdge(nodes, node, length, shared)
    splitRange(nodes, node, shared)
    for (let child = nodes.children[node]; child > 0; ) stack[depth++] = nodes.first[node] + --child
  }
  return nodes
}

function closeEdge(nodes: Nodes, node: number, length: number, shared: Uint32Array): void {
  let end = length
  for (let i = nodes.from[node] + 1; i < nodes.to[node]; i++) if (shared[i] < end) end = shared[i]
  if (node === 0) end = 0
  nodes.end[node] = end
  nodes.terminal[node] = end === length ? 1 : 0
}

function splitRange(nodes: Nodes, node: number, shared: Uint32Array): void {
  const end = nodes.end[node]
  const to = nodes.to[node]
  let from = nodes.from[node] + nodes.terminal[node]
  nodes.first[node] = nodes.count
  while (from < to) {
    let next = from + 1
    while (next < to && shared[next] > end) next++
    const child = nodes.count++
    nodes.from[child] = from
    nodes.to[child] = next
    nodes.start[child] = end
    from = next
  }
  nodes.children[node] = nodes.count - nodes.first[node]
}

function fixedSize(nodes: Nodes, node: number, rows: ExportRows, table: NameTable, order: Uint32Array): number {
  let size = 2
  if (nodes.terminal[node] === 1) {
    const terminal = terminalSize(rows, table, order[nodes.from[node]])
    size = 1 + ulebSize(terminal) + terminal
  }
  const first = nodes.first[node]
  const last = first + nodes.children[node]
  for (let child = first; child < last; child++) size += nodes.end[child] - nodes.start[child] + 1
  return size
}

function terminalSize(rows: ExportRows, table: NameTable, i: number): number {
  const flags = rows.flags[i]
  const other = rows.others === null ? 0 : rows.others[i]
  if ((flags & EXPORT_SYMBOL_FLAGS_REEXPORT) !== 0) {
    const name = rows.importNames === null ? 0 : rows.importNames[i]
    return ulebSize(flags) + ulebSize(other) + 1 + (name === 0 ? 0 : table.length[name])
  }
  const address = rows.addresses[i]
  const size = ulebSize(flags) + (address < 0 ? 10 : ulebSize(address))
  return (flags & EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER) !== 0 ? size + ulebSize(other) : size
}

// A child's offset is a ULEB128 in its parent: offsets grow, and with them sizes, until nothing changes any more.
function placeNodes(nodes: Nodes): number {
  const { layout, offset, first, children, size, count } = nodes
  for (;;) {
    let place = 0
    let moved = false
    for (let i = 0; i < count; i++) {
      const node = layout[i]
      if (offset[node] !== place) moved = true
      offset[node] = place
      place += size[node]
      const last = first[node] + children[node]
      for (let child = first[node]; child < last; child++) place += offsetSize(offset[child])
      if (place > 0xffffffff) throw new RangeError(`expected an export trie below 4 GiB, got ${place} bytes`)
    }
    if (!moved) return place
  }
}

function offsetSize(offset: number): number {
  return offset < 128 ? 1 : offset < 16384 ? 2 : offset < 2097152 ? 3 : offset < 268435456 ? 4 : 5
}

function appendNode(
  sink: ByteSink,
  nodes: Nodes,
  node: number,
  rows: ExportRows,
  table: NameTable,
  order: Uint32Array,
): void {
  if (nodes.terminal[node] === 1) appendTerminal(sink, rows, table, order[nodes.from[node]])
  else sink.u8(0)
  sink.u8(nodes.children[node])
  const last = nodes.first[node] + nodes.children[node]
  for (let child = nodes.first[node]; child < last; child++) {
    const name = rows.names[order[nodes.from[child]]]
    const bytes = table.bytes[table.arena[name]]
    const at = table.offset[name]
    for (let i = nodes.start[child]; i < nodes.end[child]; i++) sink.u8(bytes[at + i])
    sink.u8(0)
    sink.uleb(nodes.offset[child])
  }
}

function appendTerminal(sink: ByteSink, rows: ExportRows, table: NameTable, i: number): void {
  const flags = rows.flags[i]
  const other = rows.others === null ? 0 : rows.others[i]
  sink.uleb(terminalSize(rows, table, i))
  sink.uleb(flags)
  if ((flags & EXPORT_SYMBOL_FLAGS_REEXPORT) !== 0) {
    const name = rows.importNames === null ? 0 : rows.importNames[i]
    sink.uleb(other)
    if (name === 0) sink.u8(0)
    else appendName(sink, table, name)
    return
  }
  appendUleb64(sink, rows.addresses[i])
  if ((flags & EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER) !== 0) sink.uleb(other)
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
