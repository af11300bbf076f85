// Sizes of one object's symbols: each reaches to the next one of its section, alternative entries and left-out names included.
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED } from '../../components/symbols.ts'

/** Room for one object, grown to the largest. `sizes` is by symbol, counted from the file's `first`. */
export interface Sizing {
  first: number
  sizes: Uint32Array
  starts: Uint32Array
  order: Uint32Array
}

export function createSizing(): Sizing {
  return { first: 0, sizes: new Uint32Array(1024), starts: new Uint32Array(1024), order: new Uint32Array(1024) }
}

export function measureFile(link: Link, file: number, sizing: Sizing): void {
  const { symbol: firstSymbol, symbols, block: firstBlock, blocks } = link.files.Ranges
  const [first, count] = [firstSymbol[file], symbols[file]]
  const { offset } = link.symbols.Definition
  if (sizing.sizes.length < count) {
    sizing.sizes = new Uint32Array(count * 2)
    sizing.order = new Uint32Array(count * 2)
  }
  if (sizing.starts.length < blocks[file] + 2) sizing.starts = new Uint32Array(blocks[file] * 2 + 2)
  sizing.first = first
  groupByBlock(link, sizing, first, count, firstBlock[file], blocks[file])
  const { starts, order, sizes } = sizing
  for (let b = 0; b < blocks[file]; b++) {
    const from = starts[b]
    const to = starts[b + 1]
    if (from === to) continue
    sortByOffset(order, offset, first, from, to)
    for (let i = from; i < to; i++) {
      const end = i + 1 < to ? offset[first + order[i + 1]] : link.blocks.Extent.size[firstBlock[file] + b]
      sizes[order[i]] = end - offset[first + order[i]]
    }
  }
}

const PLACED = SYMBOL_DEFINED | SYMBOL_ABSOLUTE

/** Counting sort of the symbols that lie in the file's blocks; afterwards those of block b are order[starts[b]] to order[starts[b + 1]]. */
function groupByBlock(
  link: Link,
  sizing: Sizing,
  first: number,
  count: number,
  firstBlock: number,
  blocks: number,
): void {
  const { block, flags } = link.symbols.Definition
  const { starts, order } = sizing
  starts.fill(0, 0, blocks + 2)
  for (let i = 0; i < count; i++) {
    const at = block[first + i] - firstBlock
    if (at >= 0 && at < blocks && (flags[first + i] & PLACED) === SYMBOL_DEFINED) starts[at + 2]++
  }
  for (let b = 2; b < blocks + 2; b++) starts[b] += starts[b - 1]
  for (let i = 0; i < count; i++) {
    const at = block[first + i] - firstBlock
    if (at >= 0 && at < blocks && (flags[first + i] & PLACED) === SYMBOL_DEFINED) order[starts[at + 1]++] = i
  }
}

/** Nearly always sorted already; of symbols at one place the later one of the object comes last. */
function sortByOffset(order: Uint32Array, offset: Uint32Array, first: number, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    if (offset[first + order[i]] >= offset[first + order[i - 1]]) continue
    order.subarray(from, to).sort((a, b) => offset[first + a] - offset[first + b] || a - b)
    return
  }
}
