// The nodes of an export trie, built from sorted names, and their places.
import type { NameRows, SortedNames } from './sortNames.ts'

// Layout of the nodes, one column each. Ids ascend in the order in which nodes are written (a node, then its first child's
// subtree, and so on), from `first` (the root) to `end`; the first child of `node` is node + 1. 0 is no node.
//   row       of the leftmost name below the node
//   depth     bytes of the path to the node: of that name, when it ends here
//   children  how many
//   parent    0 for the root
//   size      bytes of the node; when its bytes are written, where its next edge goes
//   offset    its place in the trie
export type TrieNodes = {
  row: Uint32Array
  depth: Uint32Array
  children: Uint8Array
  parent: Uint32Array
  size: Uint32Array
  offset: Uint32Array
  first: number
  end: number
}

// Branching nodes whose leftmost name is not met yet, from the root (0) down to `top`: what is known of each so far.
type Open = { depth: Uint32Array; children: Uint32Array; size: Uint32Array; top: number }

/**
 * Builds the nodes from the last name to the first one: then a node is complete when its leftmost name is met, and nodes come
 * about in the reverse of their order. `terminals[i]` are the bytes of the terminal of row i with its size field. Every node but the
 * root is terminal or has two children, so there are at most twice as many as names. Throws RangeError when a name comes twice.
 */
export function buildTrie(names: NameRows, sorted: SortedNames, terminals: Uint8Array | Uint32Array): TrieNodes {
  const count = sorted.order.length
  const nodes = allocateNodes(2 * count + 2)
  const open = allocateOpen(count + 2)
  for (let i = count - 1; i >= 0; i--) {
    const row = sorted.order[i]
    addName(nodes, open, row, names.length[row], i === 0 ? -1 : sorted.shared[i], terminals[row])
  }
  linkParents(nodes, open.depth, open.children)
  return nodes
}

function allocateOpen(capacity: number): Open {
  const column = () => new Uint32Array(capacity)
  return { depth: column(), children: column(), size: column(), top: 0 }
}

function allocateNodes(capacity: number): TrieNodes {
  const column = () => new Uint32Array(capacity)
  return {
    row: column(),
    depth: column(),
    children: new Uint8Array(capacity),
    parent: column(),
    size: column(),
    offset: column(),
    first: capacity,
    end: capacity,
  }
}

/** `before`: bytes that the name has in common with the one before it. */
function addName(nodes: TrieNodes, open: Open, row: number, length: number, before: number, terminal: number): void {
  const { depth, children, size } = open
  if (before === length) throw new RangeError('expected each exported name once, got one twice')
  if (before > depth[open.top]) openNode(open, before)
  if (length > depth[open.top]) {
    addNode(nodes, row, length, 0, terminal + 1)
    attach(open, length)
  }
  while (depth[open.top] > before) {
    const top = open.top--
    const end = depth[top]
    addNode(nodes, row, end, children[top], size[top] + (length === end ? terminal : 1) + 1)
    if (open.top < 0) return
    if (before > depth[open.top]) openNode(open, before)
    attach(open, end)
  }
}

function addNode(nodes: TrieNodes, row: number, depth: number, children: number, size: number): void {
  const node = --nodes.first
  nodes.row[node] = row
  nodes.depth[node] = depth
  nodes.children[node] = children
  nodes.size[node] = size
}

function openNode(open: Open, depth: number): void {
  const top = ++open.top
  open.depth[top] = depth
  open.children[top] = open.size[top] = 0
}

/** A child in the deepest open node: the bytes of the edge, a NUL, and an offset of at least one byte. */
function attach(open: Open, depth: number): void {
  const { top } = open
  open.children[top]++
  open.size[top] += depth - open.depth[top] + 2
}

/** From the first node on: a node belongs to the last one before it that lacks children. `stack` and `left` are room for it. */
function linkParents(nodes: TrieNodes, stack: Uint32Array, left: Uint32Array): void {
  const { parent, children, first, end } = nodes
  let top = 0
  stack[0] = left[0] = 0
  for (let node = first; node < end; node++) {
    parent[node] = stack[top]
    if (left[top] > 1) left[top]--
    else if (top > 0) top--
    if (children[node] === 0) continue
    stack[++top] = node
    left[top] = children[node]
  }
}

/**
 * Fills `offset` and returns the size of the trie. An offset is a ULEB128 in the parent: where offsets reach one byte more, parents
 * grow, and with them offsets, until nothing changes any more. Offsets ascend, so that for each length of ULEB128 one
 * bound says which nodes have reached it. Throws RangeError when the trie passes 4 GiB.
 */
export function placeNodes(nodes: TrieNodes): number {
  const bounds = [nodes.end, nodes.end, nodes.end, nodes.end]
  for (;;) {
    const size = addSizes(nodes)
    if (size > 0xffffffff) throw new RangeError(`expected an export trie below 4 GiB, got ${size} bytes`)
    let moved = false
    for (let i = 0; i < bounds.length; i++) {
      const bound = firstFrom(nodes, 128 ** (i + 1), bounds[i])
      if (bound === bounds[i]) continue
      growParents(nodes, bound, bounds[i])
      bounds[i] = bound
      moved = true
    }
    if (!moved) return size
  }
}

function addSizes(nodes: TrieNodes): number {
  const { offset, size, first, end } = nodes
  let place = 0
  for (let node = first; node < end; node++) {
    offset[node] = place
    place += size[node]
  }
  return place
}

function growParents(nodes: TrieNodes, from: number, to: number): void {
  const { parent, size } = nodes
  for (let node = from; node < to; node++) size[parent[node]]++
}

/** The first node before `end` at `limit` or behind, else `end`. */
function firstFrom(nodes: TrieNodes, limit: number, end: number): number {
  const { offset } = nodes
  let low = nodes.first
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (offset[middle] < limit) low = middle + 1
    else high = middle
  }
  return low
}
