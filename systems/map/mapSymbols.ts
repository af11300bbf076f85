// What the map needs to know of symbols: their sizes, which of them lie in each block, whose file they are.
import { BLOCK_COALESCED, BLOCK_FOLDED } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { WHERE_GLOBAL } from '../../components/names.ts'
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_COMMON,
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_OMITTED,
  SYMBOL_SYNTHETIC,
} from '../../components/symbols.ts'

/*
 * By symbol: `size` to the next one in its section, `next` the following one of its block in order of address, `file` where the
 * linker defined it for a tentative definition (0: its own). By block: its first symbol, the first block that was folded into it,
 * and that one's next.
 */
export interface MapSymbols {
  size: Float64Array
  next: Uint32Array
  file: Uint32Array
  first: Uint32Array
  folded: Uint32Array
  nextFolded: Uint32Array
}

export function gatherMapSymbols(link: Link): MapSymbols {
  const gathered: MapSymbols = {
    size: new Float64Array(link.symbols.count + 1),
    next: new Uint32Array(link.symbols.count + 1),
    file: new Uint32Array(link.symbols.count + 1),
    first: new Uint32Array(link.blocks.count + 1),
    folded: new Uint32Array(link.blocks.count + 1),
    nextFolded: new Uint32Array(link.blocks.count + 1),
  }
  for (const file of link.order) gatherFile(link, gathered, file)
  gatherFile(link, gathered, link.internal.file)
  for (const file of link.order) gatherMoved(link, gathered, file)
  gatherTentative(link, gathered)
  for (let i = link.order.length - 1; i >= 0; i--) gatherFolded(link, gathered, link.order[i])
  return gathered
}

function isInBlock(link: Link, symbol: number): boolean {
  const { flags, block } = link.symbols.Definition
  return (flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) === SYMBOL_DEFINED && block[symbol] !== 0
}

const LABEL = SYMBOL_SYNTHETIC | SYMBOL_OMITTED

/** A local, or the definition that its name means everywhere; not one in a block that another file's stands for. */
export function prevails(link: Link, symbol: number): boolean {
  const { name, flags } = link.symbols.Definition
  const { where, symbol: winner } = link.names.Resolution
  if (!isInBlock(link, symbol)) return false
  if (flags[symbol] & SYMBOL_EXTERNAL) return where[name[symbol]] === WHERE_GLOBAL && winner[name[symbol]] === symbol
  // What a pointer of a merged category leads to.
  if ((flags[symbol] & LABEL) === LABEL) return false
  return (link.blocks.Extent.flags[link.symbols.Definition.block[symbol]] & BLOCK_COALESCED) === 0
}

function gatherFile(link: Link, gathered: MapSymbols, file: number): void {
  const { block, offset } = link.symbols.Definition
  const { section, offset: start } = link.blocks.Extent
  const first = link.files.Ranges.symbol[file]
  const found: number[] = []
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++)
    if (isInBlock(link, symbol) && !isMoved(link, file, symbol)) found.push(symbol)
  const place = (symbol: number): number => start[block[symbol]] + offset[symbol]
  found.sort((a, b) => section[block[a]] - section[block[b]] || place(a) - place(b) || a - b)
  for (let i = found.length - 1; i >= 0; i--) {
    const home = block[found[i]]
    const later = i + 1 < found.length && section[block[found[i + 1]]] === section[home]
    const end = later ? place(found[i + 1]) : link.sections.Header.size[section[home]]
    gathered.size[found[i]] = file === link.internal.file ? 0 : end - place(found[i])
    if (!prevails(link, found[i])) continue
    gathered.next[found[i]] = gathered.first[home]
    gathered.first[home] = found[i]
  }
}

/** Whether a local symbol names a place in a block of another file: define has moved it there. */
function isMoved(link: Link, file: number, symbol: number): boolean {
  const { flags, block } = link.symbols.Definition
  const home = link.sections.Header.file[link.blocks.Extent.section[block[symbol]]]
  return (flags[symbol] & SYMBOL_EXTERNAL) === 0 && home !== file && file !== link.internal.file
}

/** Local symbols beside a weak definition that lost: they stand beside the winner, and have no size. */
function gatherMoved(link: Link, gathered: MapSymbols, file: number): void {
  const { flags, block } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
    if (!isInBlock(link, symbol) || flags[symbol] & SYMBOL_EXTERNAL || (flags[symbol] & LABEL) === LABEL) continue
    const lost = link.blocks.Extent.flags[block[symbol]] & BLOCK_COALESCED
    if (lost) insert(link, gathered, symbol, link.blocks.Placement.leader[block[symbol]])
    else if (isMoved(link, file, symbol)) insert(link, gathered, symbol, block[symbol])
  }
}

/** Behind what the block has at the same place. */
function insert(link: Link, { first, next, size }: MapSymbols, symbol: number, block: number): void {
  const { offset } = link.symbols.Definition
  let before = 0
  for (let at = first[block]; at !== 0 && offset[at] <= offset[symbol]; at = next[at]) before = at
  next[symbol] = before === 0 ? first[block] : next[before]
  if (before === 0) first[block] = symbol
  else next[before] = symbol
  size[symbol] = 0
}

/** A tentative definition belongs to the file whose record won, though its block is the linker's. */
function gatherTentative(link: Link, gathered: MapSymbols): void {
  const { flags, name, block } = link.symbols.Definition
  for (const file of link.order) {
    const first = link.files.Ranges.symbol[file]
    for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
      if ((flags[symbol] & SYMBOL_COMMON) === 0 || link.names.Resolution.symbol[name[symbol]] !== symbol) continue
      gathered.file[symbol] = file
      gathered.size[symbol] = link.blocks.Extent.size[block[symbol]]
    }
  }
}

function gatherFolded(link: Link, gathered: MapSymbols, file: number): void {
  const { leader } = link.blocks.Placement
  const first = link.files.Ranges.block[file]
  for (let block = first + link.files.Ranges.blocks[file] - 1; block >= first; block--) {
    if ((link.blocks.Extent.flags[block] & BLOCK_FOLDED) === 0) continue
    gathered.nextFolded[block] = gathered.folded[leader[block]]
    gathered.folded[leader[block]] = block
  }
}
