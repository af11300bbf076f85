// Blocks that move within the region of their object: their new addresses, and who refers to them.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED, TARGET_IMPORT } from '../../../components/symbols.ts'
import { type Among, createAmong, placeAmong } from './thunksAgain.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'

/** Reverse references, made when something moves for the first time. */
export interface Reverse {
  /** By symbol: rows of other symbols that mean it, as `rows[starts[s]]` to `rows[starts[s + 1]]`. */
  starts: Uint32Array
  rows: Uint32Array
  /** By block: blocks that it leads, in the same way. */
  ledStarts: Uint32Array
  led: Uint32Array
  /** By symbol: its place in the symbol table behind the stabs, plus 1; 0 for none. */
  places: Uint32Array
}

export function createReverse(link: Link): Reverse {
  const [starts, rows] = group(link.symbols.count, link.symbols.count, (symbol) => meantSymbol(link, symbol))
  const { leader } = link.blocks.Placement
  const [ledStarts, led] = group(link.blocks.count, link.blocks.count, (block) => leader[block])
  const places = new Uint32Array(link.symbols.count + 1)
  const { locals, localCount, thunks, externals, externalCount } = link.table
  for (let i = 0; i < localCount; i++) places[locals[i]] = i + 1
  for (let i = 0; i < externalCount; i++) places[externals[i]] = localCount + thunks.length + i + 1
  return { starts, rows, ledStarts, led, places }
}

/** The symbol of this image that another row means; 0 for its own definition, and for what this image does not have. */
function meantSymbol(link: Link, symbol: number): number {
  const to = link.symbols.Reference.target[symbol]
  if (to === symbol) return 0
  return to & TARGET_IMPORT ? link.imports.Library.symbol[to & 0x7fffffff] : to
}

/** Counting sort of 1 .. count by what `of` gives; 0 is left out. */
function group(count: number, groups: number, of: (row: number) => number): [Uint32Array, Uint32Array] {
  const starts = new Uint32Array(groups + 2)
  for (let row = 1; row <= count; row++) starts[of(row) + 1]++
  starts[1] = 0
  for (let at = 1; at < starts.length; at++) starts[at] += starts[at - 1]
  const rows = new Uint32Array(starts[starts.length - 1])
  const fill = starts.slice()
  for (let row = 1; row <= count; row++) if (of(row) !== 0) rows[fill[of(row)]++] = row
  return [starts, rows]
}

/**
 * Addresses of the object's blocks after its change, by block counted from its first: `moved` has their offsets by section, `after`,
 * as of `loadAlone`, their sizes.
 */
export function movedAddresses(
  link: Link,
  file: number,
  after: Link,
  moved: ReadonlyMap<number, readonly number[]>,
): Float64Array {
  const { section: firstSection, block: firstBlock, blocks } = link.files.Ranges
  const addresses = link.blocks.Placement.address.slice(firstBlock[file], firstBlock[file] + blocks[file])
  const { flags } = link.blocks.Extent
  for (const [section, offsets] of moved) {
    const row = firstSection[file] + section - 1
    const first = link.sections.Blocks.first[row]
    const { size, alignPow2 } = after.blocks.Extent
    let among: Among | null = null
    let next = 0
    for (let block = first; block < first + link.sections.Blocks.count[row]; block++) {
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
      const at = block - firstBlock[file]
      among ??= createAmong(link, addresses[at] - offsets[0])
      addresses[at] = placeAmong(link, among, offsets[next++], size[at + 1], 2 ** alignPow2[at + 1])
    }
  }
  return addresses
}

interface Moved {
  /** Symbols of this image with another address. */
  symbols: number[]
  /** Other objects that refer to them. */
  files: Set<number>
}

/** Puts the addresses into the link's rows, and those of all symbols that follow from them. */
export function moveBlocks(link: Link, reverse: Reverse, file: number, addresses: Float64Array): Moved {
  const moved: Moved = { symbols: [], files: new Set() }
  const { address } = link.blocks.Placement
  const first = link.files.Ranges.block[file]
  const leaders: number[] = []
  for (let i = 0; i < addresses.length; i++) {
    if (address[first + i] === addresses[i]) continue
    address[first + i] = addresses[i]
    if (reverse.ledStarts[first + i] < reverse.ledStarts[first + i + 1]) leaders.push(first + i)
  }
  moveSymbols(link, moved, file)
  moveSymbols(link, moved, link.internal.file)
  const led = new Set(leaders.flatMap((block) => ledBy(link, reverse, block)))
  for (const other of led) moveSymbols(link, moved, other)
  for (const other of led) if (other !== link.internal.file) moved.files.add(other)
  for (const symbol of moved.symbols) moveReferences(link, reverse, moved, symbol)
  moved.files.delete(file)
  return moved
}

/** The files of the blocks that a block leads. */
function ledBy(link: Link, { ledStarts, led }: Reverse, block: number): number[] {
  const files: number[] = []
  for (let i = ledStarts[block]; i < ledStarts[block + 1]; i++)
    files.push(link.sections.Header.file[link.blocks.Extent.section[led[i]]])
  return files
}

/** As allocate gives symbols their addresses. */
function moveSymbols(link: Link, moved: Moved, file: number): void {
  const { flags, block, offset } = link.symbols.Definition
  const { address } = link.symbols.Reference
  const { leader, address: placed } = link.blocks.Placement
  const boundaries = new Set(link.boundaries.map(({ symbol }) => symbol))
  const first = link.files.Ranges.symbol[file]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED || block[symbol] === 0) continue
    const now = placed[leader[block[symbol]] || block[symbol]] + offset[symbol]
    if (now === address[symbol] || boundaries.has(symbol) || isElsewhere(link, symbol)) continue
    address[symbol] = now
    moved.symbols.push(symbol)
  }
}

/** A definition that lost: its row has the address of what it means. */
function isElsewhere(link: Link, symbol: number): boolean {
  const target = link.symbols.Reference.target[symbol]
  return target !== 0 && target !== symbol
}

function moveReferences(link: Link, { starts, rows }: Reverse, moved: Moved, symbol: number): void {
  const { address } = link.symbols.Reference
  for (let i = starts[symbol]; i < starts[symbol + 1]; i++) {
    if (address[rows[i]] === address[symbol]) continue
    address[rows[i]] = address[symbol]
    moved.files.add(fileOfRow(link, rows[i]))
  }
}
