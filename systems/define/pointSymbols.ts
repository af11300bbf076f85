// What every reference through a symbol row means, decided once, so that relocations need one load. Imports are made on the
// way: the order of first mention on the command line is their order.
import { FILE_SPECIAL } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import {
  TARGET_IMPORT,
  SYMBOL_ABSOLUTE,
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_THREAD_LOCAL,
  SYMBOL_WEAK_DEF,
} from '../../components/symbols.ts'
import { WHERE_GLOBAL } from '../../components/names.ts'
import { coalesceFile } from './coalesce.ts'
import { MEANS_OPEN, MEANS_SPECIAL } from './exports.ts'
import { considerImport, dynamicNames } from './imports.ts'

const WEAK_EXTERNAL = SYMBOL_WEAK_DEF | SYMBOL_EXTERNAL
const SPECIAL = SYMBOL_ABSOLUTE | SYMBOL_THREAD_LOCAL

/** `meaning` is what decideExports says of each name. */
export function pointSymbols(link: Link, meaning: Uint32Array): void {
  const { symbols, files, names } = link
  const { flags, name } = symbols.Definition
  const { target } = symbols.Reference
  const { symbol: winner } = names.Resolution
  const dynamic = dynamicNames(link)
  for (const file of link.order) {
    const first = files.Ranges.symbol[file]
    const end = first + files.Ranges.symbols[file]
    let special = 0
    let losers = 0
    for (let symbol = first; symbol < end; symbol++) {
      const external = name[symbol]
      const is = flags[symbol]
      special |= is
      if (external === 0) {
        target[symbol] = is & SYMBOL_DEFINED ? symbol : 0
        continue
      }
      if ((is & WEAK_EXTERNAL) === WEAK_EXTERNAL && winner[external] !== symbol) losers++
      let means = meaning[external]
      if (means & MEANS_SPECIAL) {
        if (means === MEANS_OPEN) means = meaning[external] = settle(link, external, dynamic)
        if (means & MEANS_SPECIAL) special |= SPECIAL
        means = (means & ~MEANS_SPECIAL) >>> 0
      }
      target[symbol] = means
    }
    if (special & SPECIAL) files.Source.flags[file] |= FILE_SPECIAL
    if (losers > 0) coalesceFile(link, file)
    link.visited.rows += end - first
  }
}

/** The import that is made for a name, or what it means without. */
function settle(link: Link, name: number, dynamic: ReadonlySet<string>): number {
  const { where, symbol, import: imported } = link.names.Resolution
  considerImport(link, name, dynamic)
  if (imported[name] !== 0) return (TARGET_IMPORT | imported[name]) >>> 0
  return where[name] === WHERE_GLOBAL ? symbol[name] : 0
}
