// Which symbols and blocks of an object's new version stand for those that others know by number, and who knows them.
import { retarget } from '../../../components/thunks.ts'
import { KEY_LOCAL, rehashGots } from '../../../components/gots.ts'
import type { Link } from '../../../components/link.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, TARGET_IMPORT } from '../../../components/symbols.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'
import { symbolText } from '../../../systems/kernels/places.ts'
import type { Folding } from './regions.ts'
import { followersOf } from './relations.ts'
import type { Heirs, OldSymbols } from './renames.ts'
import { type Touched, touchFollower } from './touched.ts'

/** Local symbols that have entries in the GOT, or are personalities, find their heirs by name. False if one has none. */
export function findLocalHeirs(link: Link, file: number, after: Link, heirs: Heirs): boolean {
  const first = link.files.Ranges.symbol[file]
  for (const symbol of knownSymbols(link, first, heirs.length)) {
    if (heirs[symbol - first] !== 0) continue
    if (link.symbols.Definition.flags[symbol] & SYMBOL_EXTERNAL) return false
    const heir = localNamed(after, symbolText(link, file, symbol))
    if (heir === 0) return false
    heirs[symbol - first] = first + heir - 1
  }
  findBranchHeirs(link, first, after, heirs)
  return true
}

/** Local targets of thunks: where one has no heir, other thunks are due, which a patch finds out. */
function findBranchHeirs(link: Link, first: number, after: Link, heirs: Heirs): void {
  const { Target } = link.branchTargets
  for (let row = 1; row <= link.branchTargets.count; row++) {
    const at = Target.target[row] - first
    if (at < 0 || at >= heirs.length || heirs[at] !== 0) continue
    if (link.symbols.Definition.flags[Target.target[row]] & SYMBOL_EXTERNAL) continue
    const heir = localNamed(after, symbolText(link, fileOfRow(link, Target.target[row]), Target.target[row]))
    if (heir !== 0) heirs[at] = first + heir - 1
  }
}

function knownSymbols({ gots, personalities }: Link, first: number, count: number): Set<number> {
  const found = new Set<number>()
  for (let got = 1; got <= gots.count; got++) if (gots.Key.kind[got] === KEY_LOCAL) found.add(gots.Key.index[got])
  for (const target of personalities) found.add(target)
  return new Set([...found].filter((symbol) => symbol >= first && symbol < first + count))
}

/** Of an object alone; 0 for none, and for several. */
function localNamed(after: Link, text: string): number {
  const { flags } = after.symbols.Definition
  let found = 0
  for (let symbol = 1; symbol <= after.files.Ranges.symbols[1]; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_EXTERNAL)) !== SYMBOL_DEFINED) continue
    if (symbolText(after, 1, symbol) !== text) continue
    if (found !== 0) return 0
    found = symbol
  }
  return found
}

/** The heir of a symbol of the object, any other one itself. */
function heirOf(link: Link, file: number, heirs: Heirs, symbol: number): number {
  const at = symbol - link.files.Ranges.symbol[file]
  return at >= 0 && at < heirs.length ? heirs[at] : symbol
}

/** Symbols that tables of the link know by number become their heirs. */
export function replaceKnown(link: Link, file: number, heirs: Heirs): void {
  const replaced = (symbol: number) => heirOf(link, file, heirs, symbol)
  const { Key } = link.gots
  for (let got = 1; got <= link.gots.count; got++)
    if (Key.kind[got] === KEY_LOCAL) Key.index[got] = replaced(Key.index[got])
  rehashGots(link.gots)
  const target = (meant: number) => (meant & TARGET_IMPORT ? meant : replaced(meant))
  link.personalities = link.personalities.map(target)
  retarget(link.branchTargets, target)
  if (!link.personalities.some((meant) => meant !== 0 && heirs.includes(meant))) return
  const { personality } = link.unwinds.Entry
  for (let row = 1; row <= link.unwinds.count; row++)
    if (personality[row] !== 0) personality[row] = target(personality[row])
}

/** Of a key as of `keyOf`. */
export function keyHeir(link: Link, file: number, heirs: Heirs, key: number): number {
  return (key & 3) === KEY_LOCAL ? heirOf(link, file, heirs, key >>> 2) * 4 + KEY_LOCAL : key
}

/** By block of the old version, counted from the object's first: that which stands for it; 0: none. */
type BlockHeirs = Uint32Array

/** Blocks of definitions that others may share, and literals. `old` and `foldings` are of the old version. */
export function findBlockHeirs(
  link: Link,
  file: number,
  heirs: Heirs,
  old: OldSymbols,
  foldings: readonly (Folding | null)[],
): BlockHeirs {
  const { block } = link.files.Ranges
  const found = new Uint32Array(old.placed.length)
  heirs.forEach((heir, i) => {
    const at = old.block[i] - block[file]
    if (heir !== 0 && at >= 0 && at < found.length) found[at] = link.symbols.Definition.block[heir]
  })
  for (const folding of foldings)
    folding?.heirs.forEach((heir, at) => {
      found[folding.first - block[file] + at] = heir
    })
  return found
}

/** Blocks of other objects that follow this one's, and where their leaders were. */
export interface Led {
  blocks: number[]
  placed: number[]
}

/** Blocks of other objects follow the heirs of their leaders; null where a leader has no heir. `placed` as of the old version. */
export function leadAgain(link: Link, file: number, heirs: BlockHeirs, placed: Float64Array): Led | null {
  const { leader } = link.blocks.Placement
  const { block } = link.files.Ranges
  const led: Led = { blocks: [], placed: [] }
  for (const other of followersOf(link, file)) {
    const at = leader[other] - block[file]
    if (at < 0 || at >= heirs.length) continue
    if (heirs[at] === 0) return null
    leader[other] = heirs[at]
    led.blocks.push(other)
    led.placed.push(placed[at])
  }
  return led
}

/** Objects of which a block follows one that has moved. */
export function ledElsewhere(link: Link, { blocks, placed }: Led): Touched {
  const { leader, address } = link.blocks.Placement
  const touched: Touched = new Map()
  blocks.forEach((block, i) => {
    if (address[leader[block]] === placed[i]) return
    touchFollower(touched, link.sections.Header.file[link.blocks.Extent.section[block]], block)
  })
  return touched
}
