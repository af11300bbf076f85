// Blocks that move within the region of their object: their new addresses, and who refers to them.
import type { Link } from '../../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED, TARGET_IMPORT } from '../../../components/symbols.ts'
import { eachBearer, followersOf, type Relations } from './relations.ts'
import { layoutOf, type Moves, noteMoves, startOf, type Version } from './sharedRegions.ts'
import { type Touched, touch, touchFollower } from './touched.ts'

/**
 * Where blocks go, those of neighbours too, when those of the version change their sizes in its sections `resized`,
 * counted from 1. Null where they leave their room, as together with other changes they may.
 */
export function movesOf(link: Link, version: Version, resized: Iterable<number>): Moves | null {
  const moves: Moves = new Map()
  for (const section of resized) {
    const row = link.files.Ranges.section[version.file] + section - 1
    const [old, now] = [layoutOf(link, row, null), layoutOf(link, row, version)]
    if (old.room !== now.room || old.alignPow2 !== now.alignPow2) return null
    noteMoves(link, moves, startOf(link, row), now)
  }
  return moves
}

interface Moved {
  /** Symbols of this image with another address. */
  symbols: number[]
  /** Other objects that refer to them. */
  touched: Touched
}

/** Puts the addresses into the link's rows, and those of all symbols that follow from them. */
export function moveBlocks(link: Link, relations: Relations, file: number, addresses: Float64Array): Moved {
  const moved: Moved = { symbols: [], touched: new Map() }
  const { address, leader } = link.blocks.Placement
  const first = link.files.Ranges.block[file]
  const leaders = new Set<number>()
  for (let i = 0; i < addresses.length; i++) {
    if (address[first + i] === addresses[i]) continue
    address[first + i] = addresses[i]
    leaders.add(first + i)
  }
  moveSymbols(link, moved, file)
  moveSymbols(link, moved, link.internal.file)
  for (const block of followersOf(link, file)) {
    const other = link.sections.Header.file[link.blocks.Extent.section[block]]
    if (!leaders.has(leader[block])) continue
    if (!moved.touched.has(other)) moveSymbols(link, moved, other)
    touchFollower(moved.touched, other, block)
  }
  moveReferences(link, relations, moved)
  moved.touched.delete(link.internal.file)
  moved.touched.delete(file)
  return moved
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
    touch(moved.touched, file, symbol)
  }
}

/** A definition that lost: its row has the address of what it means. */
function isElsewhere(link: Link, symbol: number): boolean {
  const target = link.symbols.Reference.target[symbol]
  return target !== 0 && ownTarget(link, target) !== symbol
}

/** The symbol of this image that a target means, an import that dyld may bind to it too; 0: none. */
function ownTarget(link: Link, target: number): number {
  return target & TARGET_IMPORT ? link.imports.Library.symbol[target & 0x7fffffff] : target
}

function moveReferences(link: Link, relations: Relations, { symbols, touched }: Moved): void {
  const { target, address } = link.symbols.Reference
  const { name } = link.symbols.Definition
  const isMoved = new Set(symbols)
  const names = symbols.map((symbol) => name[symbol])
  eachBearer(link, relations, names, (row, file) => {
    const to = ownTarget(link, target[row])
    if (to === row || !isMoved.has(to) || address[row] === address[to]) return
    address[row] = address[to]
    touch(touched, file, row)
  })
}
