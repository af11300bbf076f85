// Personalities: one target for each place, whatever symbols objects reach it by, so that it takes one GOT entry and one number.
import { addInternalSymbol, knownName } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { WHERE_GLOBAL, WHERE_IMPORT } from '../../components/names.ts'
import { SYMBOL_EXTERNAL, TARGET_IMPORT } from '../../components/symbols.ts'
import type { Landing, Site } from '../kernels/references.ts'
import { fileOfSymbol } from '../kernels/ranks.ts'
import { symbolText } from '../kernels/places.ts'

/** The personalities found so far, a handful: the first symbol at each place, and the target that stands for it. */
export interface Personalities {
  symbols: number[]
  targets: number[]
}

/** What stands for `target` (as in Reference.target), which is known from now on. */
export function knownPersonality(link: Link, known: Personalities, target: number): number {
  if (target === 0 || target & TARGET_IMPORT) return target
  const { block, offset } = link.symbols.Definition
  const { leader } = link.blocks.Placement
  const home = leader[block[target]] || block[target]
  for (let i = 0; i < known.symbols.length; i++) {
    const other = known.symbols[i]
    const samePlace = home !== 0 && (leader[block[other]] || block[other]) === home && offset[other] === offset[target]
    if (other === target || samePlace) return known.targets[i]
  }
  const meant = sameNamed(link, target)
  const stands =
    meant === 0 || meant & TARGET_IMPORT || meant === target ? meant || target : knownPersonality(link, known, meant)
  known.symbols.push(target)
  known.targets.push(stands)
  return stands
}

/** ld64.lld: a local personality gives way to the global or imported one of its name. 0 when there is none. */
function sameNamed(link: Link, symbol: number): number {
  if (link.symbols.Definition.flags[symbol] & SYMBOL_EXTERNAL) return 0
  const { where, symbol: winner, import: imported } = link.names.Resolution
  const name = knownName(link, symbolText(link, fileOfSymbol(link, symbol), symbol))
  if (name === 0) return 0
  if (where[name] === WHERE_GLOBAL) return winner[name]
  return where[name] === WHERE_IMPORT && imported[name] !== 0 ? (TARGET_IMPORT | imported[name]) >>> 0 : 0
}

/** The personality at a place of this object: a known one, a symbol there, or one made for it. */
export function personalityAt(link: Link, known: Personalities, site: Site, landing: Landing): number {
  if (landing.block === 0) return 0
  const { block, offset } = link.symbols.Definition
  const isThere = (symbol: number): boolean => block[symbol] === landing.block && offset[symbol] === landing.offset
  const place = known.symbols.findIndex(isThere)
  if (place >= 0) return known.targets[place]
  for (let symbol = site.firstSymbol; symbol < site.firstSymbol + site.symbolCount; symbol++)
    if (isThere(symbol)) return knownPersonality(link, known, link.symbols.Reference.target[symbol] || symbol)
  return knownPersonality(link, known, addInternalSymbol(link, 0, landing.block, landing.offset, 0))
}
