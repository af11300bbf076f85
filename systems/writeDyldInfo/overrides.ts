// Strong definitions that take the place of a dylib's weak one everywhere.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { NAME_OVERRIDES_WEAK } from '../../components/names.ts'
import { MH_WEAK_DEFINES } from '../../src/formats/macho/constants.ts'
import { orderNames } from '../kernels/orderNames.ts'

/** Rows of their names; sets MH_WEAK_DEFINES, which makes dyld look at them, in either form of fixups. */
export function overridingNames(link: Link): Uint32Array {
  const { flags, symbol } = link.names.Resolution
  const found: number[] = []
  for (let name = 1; name <= link.names.count; name++) {
    if ((flags[name] & NAME_OVERRIDES_WEAK) === 0) continue
    const block = link.symbols.Definition.block[symbol[name]]
    if (block === 0 || link.blocks.Extent.flags[block] & BLOCK_LIVE) found.push(name)
  }
  if (found.length > 0) link.weakFlags |= MH_WEAK_DEFINES
  return Uint32Array.from(orderNames(link, found))
}
