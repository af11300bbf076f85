// The definition that a name has, and what copies of a weak one add to it.
import type { Link } from '../../components/link.ts'
import {
  NAME_AUTO_HIDE,
  NAME_NO_DEAD_STRIP,
  NAME_PRIVATE,
  NAME_REFERENCED_DYNAMICALLY,
} from '../../components/names.ts'
import {
  SYMBOL_AUTO_HIDE,
  SYMBOL_NO_DEAD_STRIP,
  SYMBOL_PRIVATE,
  SYMBOL_REFERENCED_DYNAMICALLY,
} from '../../components/symbols.ts'

/** Name flags that a definition's symbol flags stand for. */
function weakFlags(flags: number): number {
  return (
    (flags & SYMBOL_PRIVATE ? NAME_PRIVATE : 0) |
    (flags & SYMBOL_AUTO_HIDE ? NAME_AUTO_HIDE : 0) |
    (flags & SYMBOL_REFERENCED_DYNAMICALLY ? NAME_REFERENCED_DYNAMICALLY : 0) |
    (flags & SYMBOL_NO_DEAD_STRIP ? NAME_NO_DEAD_STRIP : 0)
  )
}

const HIDING = NAME_PRIVATE | NAME_AUTO_HIDE

/** From now on `symbol` is what `name` means; `where` is WHERE_GLOBAL or WHERE_TENTATIVE. */
export function setDefinition(link: Link, name: number, symbol: number, where: number): void {
  const { Resolution } = link.names
  Resolution.where[name] = where
  Resolution.symbol[name] = symbol
  const kept = Resolution.flags[name] & ~(HIDING | NAME_REFERENCED_DYNAMICALLY | NAME_NO_DEAD_STRIP)
  Resolution.flags[name] = kept | weakFlags(link.symbols.Definition.flags[symbol])
}

/** One more weak definition of a name that has one: hidden only if all are, wanted if any is. */
export function mergeWeak(link: Link, name: number, symbolFlags: number): void {
  const { flags } = link.names.Resolution
  const merged = weakFlags(symbolFlags)
  flags[name] = (flags[name] & (~HIDING | merged)) | (merged & ~HIDING)
}
