// Addresses of an object's symbols, and of all rows that mean them.
import type { Link } from '../../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED, TARGET_IMPORT } from '../../../components/symbols.ts'
import { eachBearer, type Relations } from './relations.ts'
import { type Touched, touch } from './touched.ts'

/** `touched`: objects of which blocks follow some of this one's that have moved. The other objects that refer to what has moved come to it. */
export function addressAgain(link: Link, relations: Relations, file: number, touched: Touched): void {
  addressFile(link, file)
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  const { name, flags } = link.symbols.Definition
  const names: number[] = []
  for (let symbol = first; symbol < end; symbol++) if (flags[symbol] & SYMBOL_DEFINED) names.push(name[symbol])
  const led = new Set<number>()
  for (const [other, what] of touched)
    for (const symbol of followSymbols(link, other, what!.followers)) {
      touch(touched, other, symbol)
      led.add(symbol)
      names.push(name[symbol])
    }
  const { target, address } = link.symbols.Reference
  const { symbol: ownOf } = link.imports.Library
  eachBearer(link, relations, names, (symbol, other) => {
    let to = target[symbol]
    if (to & TARGET_IMPORT) to = ownOf[to & 0x7fffffff]
    if (to === symbol || address[symbol] === address[to] || !((to >= first && to < end) || led.has(to))) return
    address[symbol] = address[to]
    touch(touched, other, symbol)
  })
  touched.delete(file)
}

/** Gives symbols of blocks that follow others their addresses; returns those that have another one now. */
function followSymbols(link: Link, file: number, followers: readonly number[]): number[] {
  const { flags, block, offset } = link.symbols.Definition
  const { target, address } = link.symbols.Reference
  const { leader, address: placed } = link.blocks.Placement
  const { symbol: firsts, symbols, block: firstBlocks, blocks } = link.files.Ranges
  const firstBlock = firstBlocks[file]
  const follows = new Uint8Array(blocks[file])
  for (const follower of followers) follows[follower - firstBlock] = 1
  const moved: number[] = []
  for (let symbol = firsts[file]; symbol < firsts[file] + symbols[file]; symbol++) {
    if (follows[block[symbol] - firstBlock] !== 1 || (flags[symbol] & SYMBOL_ABSOLUTE) !== 0) continue
    const now = placed[leader[block[symbol]]] + offset[symbol]
    if ((target[symbol] !== 0 && target[symbol] !== symbol) || now === address[symbol]) continue
    address[symbol] = now
    moved.push(symbol)
  }
  return moved
}

/** As allocate does. */
function addressFile(link: Link, file: number): void {
  const { flags, block, offset } = link.symbols.Definition
  const { target, address } = link.symbols.Reference
  const { leader, address: placed } = link.blocks.Placement
  const { symbol: ownOf } = link.imports.Library
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED || block[symbol] === 0) continue
    address[symbol] = placed[leader[block[symbol]] || block[symbol]] + offset[symbol]
  }
  for (let symbol = first; symbol < end; symbol++) {
    const to = target[symbol]
    if (to !== symbol && to !== 0) address[symbol] = address[to & TARGET_IMPORT ? ownOf[to & 0x7fffffff] : to]
  }
}
