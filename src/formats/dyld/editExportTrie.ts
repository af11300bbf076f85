// A name comes into a finished trie with rooms, or goes: nodes on the way to it are written anew, up to the first region that keeps its
// size; subtrees beside it move as they are, if at all.
import { ulebSize } from '../../core/bytes.ts'
import { cursorOver, readByte, readUleb, skipCstring } from './cursor.ts'
import { isSmall, regionSize } from './exportTrieRooms.ts'

/** A subtree that stays as it is: the bytes from .. to - 1, `place` is where it goes. */
interface Kept {
  from: number
  to: number
  place: number
}

/** A node that is written anew. */
interface Made {
  /** What its terminal holds behind the size; null: no name ends here. */
  terminal: Uint8Array | null
  edges: Edge[]
  place: number
}

interface Edge {
  label: Uint8Array
  child: Kept | Made
}

/** A node on the way to the name, the end of its region, and the edge that the way takes. */
interface Step {
  node: Made
  from: number
  to: number
  depth: number
  taken: number
}

/** Nodes below each other are visited by recursion. */
const MOST_STEPS = 500

/** Bytes of a trie, and of each offset in it. */
interface Trie {
  bytes: Uint8Array
  width: number
}

/**
 * Gives the trie, as encodeExportTrie makes it with room, an export more, or another terminal for one (flags, address and so on,
 * without the size), or takes one out (null). Returns the first byte that may have changed and the end, or null where
 * the trie has to be made anew; nothing is written then. @throws FormatError for a trie that cannot be read
 */
export function editExportTrie(
  bytes: Uint8Array,
  name: Uint8Array,
  terminal: Uint8Array | null,
): [number, number] | null {
  const steps = walk(bytes, name)
  if (steps.length > MOST_STEPS) return null
  const trie = { bytes, width: offsetWidth(bytes) }
  const rest = name.subarray(steps[steps.length - 1].depth)
  if (trie.width === 0 || !(terminal === null ? removeName(steps, rest) : addName(steps, rest, terminal))) return null
  for (let i = steps.length - 1; i >= 0; i--) {
    const { node, from, to } = steps[i]
    // A node that is no more, or of which too little is left, is the business of the one above.
    const isNode = i === 0 || node.terminal !== null || node.edges.length > 1
    if (!isNode || sizeOf(trie, node, i === 0) !== to - from) continue
    node.place = from
    place(trie, node, to)
    return write(trie, node, from, to) ? [from, to] : null
  }
  return null
}

/** The nodes on the way to the name, as far as it goes; each is the child of the one before. */
function walk(bytes: Uint8Array, name: Uint8Array): Step[] {
  const steps = [readStep(bytes, 0, endOf(bytes, 0), 0)]
  for (;;) {
    const step = steps[steps.length - 1]
    const { node, depth } = step
    const taken = node.edges.findIndex(({ label }) => startsWith(name, depth, label))
    if (taken < 0) return steps
    const { label, child } = node.edges[taken]
    const next = readStep(bytes, (child as Kept).from, (child as Kept).to, depth + label.length)
    step.taken = taken
    node.edges[taken].child = next.node
    steps.push(next)
  }
}

function startsWith(name: Uint8Array, depth: number, label: Uint8Array): boolean {
  return label.length > 0 && common(name.subarray(depth), label) === label.length
}

/** How many bytes both begin with. */
function common(a: Uint8Array, b: Uint8Array): number {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at++
  return at
}

/** Children's regions stand side by side, up to the end of the node's own. */
function readStep(bytes: Uint8Array, from: number, to: number, depth: number): Step {
  const cursor = cursorOver(bytes, from)
  const size = readUleb(cursor)
  const terminal = size === 0 ? null : bytes.slice(cursor.at, cursor.at + size)
  cursor.at += size
  const edges: Edge[] = []
  for (let left = readByte(cursor); left > 0; left--) {
    const start = cursor.at
    const label = bytes.slice(start, skipCstring(cursor))
    const child = readUleb(cursor)
    edges.push({ label, child: { from: child, to, place: child } })
  }
  const regions = edges.map(({ child }) => child as Kept).sort((a, b) => a.from - b.from)
  for (let i = 0; i + 1 < regions.length; i++) regions[i].to = regions[i + 1].from
  return { node: { terminal, edges, place: from }, from, to, depth, taken: -1 }
}

/** A region ends with its last node. */
function endOf(bytes: Uint8Array, node: number): number {
  for (;;) {
    const cursor = cursorOver(bytes, node)
    const terminal = readUleb(cursor)
    cursor.at += terminal
    let last = node
    for (let left = readByte(cursor); left > 0; left--) {
      skipCstring(cursor)
      last = Math.max(last, readUleb(cursor))
    }
    if (last <= node) return cursor.at
    node = last
  }
}

/** Bytes of an offset; 0 in a trie without edges. */
function offsetWidth(bytes: Uint8Array): number {
  const cursor = cursorOver(bytes)
  const terminal = readUleb(cursor)
  cursor.at += terminal
  if (readByte(cursor) === 0) return 0
  skipCstring(cursor)
  const from = cursor.at
  readUleb(cursor)
  return cursor.at - from
}

/** `rest` is the name behind the last node of the way. */
function addName(steps: readonly Step[], rest: Uint8Array, terminal: Uint8Array): boolean {
  const { node } = steps[steps.length - 1]
  if (rest.length === 0) {
    node.terminal = terminal
    return true
  }
  const leaf: Edge = { label: rest, child: { terminal, edges: [], place: 0 } }
  const at = node.edges.findIndex(({ label }) => label[0] >= rest[0])
  if (at < 0 || node.edges[at].label[0] !== rest[0]) node.edges.splice(at < 0 ? node.edges.length : at, 0, leaf)
  else node.edges[at] = split(node.edges[at], rest, terminal)
  return node.edges.length < 256
}

/** An edge that goes the name's way for a part becomes two, or the name ends within it. */
function split({ label, child }: Edge, rest: Uint8Array, terminal: Uint8Array): Edge {
  const shared = common(label, rest)
  const below: Edge = { label: label.slice(shared), child }
  const made: Made = { terminal: null, edges: [below], place: 0 }
  if (rest.length === shared) made.terminal = terminal
  else {
    const leaf: Edge = { label: rest.slice(shared), child: { terminal, edges: [], place: 0 } }
    if (leaf.label[0] < below.label[0]) made.edges.unshift(leaf)
    else made.edges.push(leaf)
  }
  return { label: label.slice(0, shared), child: made }
}

/** False where the name is not there, or the last one. */
function removeName(steps: readonly Step[], rest: Uint8Array): boolean {
  let last = steps.length - 1
  if (rest.length > 0 || steps[last].node.terminal === null) return false
  steps[last].node.terminal = null
  if (last > 0 && steps[last].node.edges.length === 0) {
    last--
    steps[last].node.edges.splice(steps[last].taken, 1)
  }
  const { node } = steps[last]
  if (last === 0) return node.edges.length > 0
  if (node.terminal === null && node.edges.length === 1) {
    const above = steps[last - 1]
    const [{ label, child }] = node.edges
    const before = above.node.edges[above.taken].label
    const joined = new Uint8Array(before.length + label.length)
    joined.set(before)
    joined.set(label, before.length)
    above.node.edges[above.taken] = { label: joined, child }
  }
  return true
}

function isKept(child: Kept | Made): child is Kept {
  return 'from' in child
}

/** Of a node without its region's room and children. */
function ownSize({ width }: Trie, { terminal, edges }: Made): number {
  const length = terminal?.length ?? 0
  return ulebSize(length) + length + 1 + edges.reduce((size, { label }) => size + label.length + 1 + width, 0)
}

/** Of a node's region. Depth is bounded by that of the way to one name. */
function sizeOf(trie: Trie, node: Made, isRoot = false): number {
  let [raw, largest] = [ownSize(trie, node), 0]
  for (const { child } of node.edges) {
    const size = isKept(child) ? child.to - child.from : sizeOf(trie, child)
    raw += size
    largest = Math.max(largest, size)
  }
  return regionSize(raw, largest, isRoot)
}

/** Gives what lies below a node its place, in the region that ends at `end`. */
function place(trie: Trie, node: Made, end: number): void {
  for (let i = 0; i < 2; i++)
    for (const { child } of node.edges.toReversed()) {
      const size = isKept(child) ? child.to - child.from : sizeOf(trie, child)
      if (isSmall(size) !== (i === 1)) continue
      child.place = end - size
      if (!isKept(child)) place(trie, child, end)
      end -= size
    }
}

/** Writes the region from .. to - 1: subtrees in their new places, then the nodes between them. False where some change their order. */
function write(trie: Trie, node: Made, from: number, to: number): boolean {
  const { bytes } = trie
  const kept: Kept[] = []
  gather(node, kept)
  kept.sort((a, b) => a.from - b.from)
  if (kept.some((run, i) => i > 0 && run.place < kept[i - 1].place)) return false
  for (const run of kept) if (run.place < run.from) bytes.copyWithin(run.place, run.from, run.to)
  for (const run of kept.toReversed()) if (run.place > run.from) bytes.copyWithin(run.place, run.from, run.to)
  for (const run of kept) if (run.place !== run.from) shiftOffsets(trie, run.place, run.place - run.from)
  let at = from
  for (const { place: start, from: old, to: end } of kept) {
    bytes.fill(0, at, start)
    at = start + end - old
  }
  bytes.fill(0, at, to)
  writeNode(trie, node)
  return true
}

/** Subtrees below a node. */
function gather(node: Made, kept: Kept[]): void {
  for (const { child } of node.edges) {
    if (isKept(child)) kept.push(child)
    else gather(child, kept)
  }
}

/** A subtree that was moved by `by` bytes: its offsets are as they were before. */
function shiftOffsets({ bytes, width }: Trie, root: number, by: number): void {
  const due = [root]
  for (let node = due.pop(); node !== undefined; node = due.pop()) {
    let at = node
    let length = bytes[at] & 127
    for (let scale = 128; bytes[at++] > 127; scale *= 128) length += (bytes[at] & 127) * scale
    at += length
    for (let left = bytes[at++]; left > 0; left--) {
      while (bytes[at] !== 0) at++
      let child = by
      for (let i = 0, scale = 1; i < width; i++, scale *= 128) child += (bytes[at + 1 + i] & 127) * scale
      writeOffset(bytes, at + 1, child, width)
      due.push(child)
      at += 1 + width
    }
  }
}

function writeOffset(bytes: Uint8Array, at: number, value: number, width: number): void {
  for (let i = 0; i < width; i++, value = Math.floor(value / 128))
    bytes[at + i] = (value % 128) | (i + 1 < width ? 128 : 0)
}

/** A node and those below it that are made anew. */
function writeNode(trie: Trie, { terminal, edges, place: at }: Made): void {
  const { bytes, width } = trie
  let length = terminal?.length ?? 0
  for (; length > 127; length = Math.floor(length / 128)) bytes[at++] = (length % 128) | 128
  bytes[at++] = length
  if (terminal !== null) bytes.set(terminal, at)
  at += terminal?.length ?? 0
  bytes[at++] = edges.length
  for (const { label, child } of edges) {
    bytes.set(label, at)
    at += label.length
    bytes[at++] = 0
    writeOffset(bytes, at, child.place, width)
    at += width
    if (!isKept(child)) writeNode(trie, child)
  }
}
