// Places of the nodes of an export trie with room: one more name moves only what shares a region with it.
import { sizeClass } from '../../core/sizeClass.ts'
import type { TrieNodes } from './exportTrieNodes.ts'

/*
 * The subtree of a node takes a region: the node, its room, then the regions of its children, those of small ones first, so that one
 * more of these moves no large one. There is room where a subtree is large
 * and several times as large as the largest below one of its children, and in the whole, so that this follows from the sizes of the
 * children's regions. Classes are 1/32 of the power of two apart: levels of them add little. Offsets have as many bytes
 * all over the trie as its size needs.
 */
const LEAST_ROOMY = 1024
const CHILDREN = 3
const STEPS = 5

export function isSmall(size: number): boolean {
  return size < LEAST_ROOMY
}

/** Bytes of the region of a node, which takes `raw` with the regions of its children, of which `largest` is the largest. */
export function regionSize(raw: number, largest: number, isRoot: boolean): number {
  return raw >= LEAST_ROOMY && (isRoot || raw >= CHILDREN * largest) ? sizeClass(raw, STEPS, 1) : raw
}

/** Fills `offset`; returns the size of the trie and the bytes of an offset. Throws RangeError past 4 GiB. */
export function placeWithRooms(nodes: TrieNodes): { size: number; width: number } {
  for (let width = 1; ; width++) {
    const size = placeRegions(nodes, width)
    if (size > 0xffffffff) throw new RangeError(`expected an export trie below 4 GiB, got ${size} bytes`)
    if (size <= 128 ** width) return { size, width }
  }
}

function placeRegions(nodes: TrieNodes, width: number): number {
  const { parent, children, size, offset, first, end } = nodes
  const inner = new Float64Array(end)
  const largest = new Float64Array(end)
  const small = new Float64Array(end)
  const region = new Float64Array(end)
  for (let node = end - 1; node >= first; node--) {
    const raw = size[node] + (width - 1) * children[node] + inner[node]
    region[node] = regionSize(raw, largest[node], node === first)
    if (node === first) break
    const above = parent[node]
    inner[above] += region[node]
    if (isSmall(region[node])) small[above] += region[node]
    if (region[node] > largest[above]) largest[above] = region[node]
  }
  const whole = region[first]
  // From here on `inner` and `small` say where the next large child of a node goes, and the next small one.
  const open = (node: number, stop: number) => {
    const start = stop - inner[node]
    inner[node] = start + small[node]
    small[node] = start
  }
  open(first, whole)
  for (let node = first + 1; node < end; node++) {
    const above = parent[node]
    const pointers = isSmall(region[node]) ? small : inner
    offset[node] = pointers[above]
    pointers[above] += region[node]
    open(node, pointers[above])
  }
  return whole
}
