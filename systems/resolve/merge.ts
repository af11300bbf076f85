// One external symbol into the resolver. Which definition wins depends on ranks alone, never on the order of calls.
import type { Link } from '../../components/link.ts'
import {
  NAME_STRONG_REF,
  NAME_WEAK_REF,
  WHERE_GLOBAL,
  WHERE_TENTATIVE,
  WHERE_UNDEFINED,
  WHERE_UNKNOWN,
} from '../../components/names.ts'
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_COMMON,
  SYMBOL_DEFINED,
  SYMBOL_WEAK_DEF,
  SYMBOL_WEAK_REF,
} from '../../components/symbols.ts'
import { mergeWeak, setDefinition } from '../kernels/definitions.ts'
import { fileOfSymbol, ranksBefore } from '../kernels/ranks.ts'

export function mergeSymbol(link: Link, file: number, symbol: number): void {
  const { flags, name: names } = link.symbols.Definition
  const name = names[symbol]
  const is = flags[symbol]
  if (is & SYMBOL_DEFINED) mergeDefinition(link, file, name, symbol, is)
  else if (is & SYMBOL_COMMON) mergeCommon(link, file, name, symbol)
  else if (is & SYMBOL_ABSOLUTE) return
  else {
    const { Resolution } = link.names
    if (Resolution.where[name] === WHERE_UNKNOWN) Resolution.where[name] = WHERE_UNDEFINED
    Resolution.flags[name] |= is & SYMBOL_WEAK_REF ? NAME_WEAK_REF : NAME_STRONG_REF
  }
}

function mergeDefinition(link: Link, file: number, name: number, symbol: number, is: number): void {
  const { Resolution } = link.names
  if (Resolution.where[name] !== WHERE_GLOBAL) return setDefinition(link, name, symbol, WHERE_GLOBAL)
  const winner = Resolution.symbol[name]
  const winnerIsWeak = (link.symbols.Definition.flags[winner] & SYMBOL_WEAK_DEF) !== 0
  if (is & SYMBOL_WEAK_DEF) {
    if (!winnerIsWeak) return
    mergeWeak(link, name, is)
    if (ranksBefore(link, file, fileOfSymbol(link, winner))) Resolution.symbol[name] = symbol
    return
  }
  if (winnerIsWeak) return setDefinition(link, name, symbol, WHERE_GLOBAL)
  const first = ranksBefore(link, file, fileOfSymbol(link, winner))
  link.duplicates.push(name, first ? symbol : winner, first ? winner : symbol)
  if (first) setDefinition(link, name, symbol, WHERE_GLOBAL)
}

/** The largest tentative definition wins; of equal ones the last on the command line. */
function mergeCommon(link: Link, file: number, name: number, symbol: number): void {
  const { Resolution } = link.names
  const { offset: size } = link.symbols.Definition
  if (Resolution.where[name] === WHERE_GLOBAL) return
  if (Resolution.where[name] === WHERE_TENTATIVE) {
    const winner = Resolution.symbol[name]
    if (size[symbol] < size[winner]) return
    if (size[symbol] === size[winner] && ranksBefore(link, file, fileOfSymbol(link, winner))) return
  }
  setDefinition(link, name, symbol, WHERE_TENTATIVE)
}
