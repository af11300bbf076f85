// Strong definitions that take the place of a dylib's weak one: dyld is told, so that the dylib uses ours too.
import type { Link } from '../../components/link.ts'
import { findName, NAME_OVERRIDES_WEAK, WHERE_GLOBAL } from '../../components/names.ts'
import { SYMBOL_WEAK_DEF } from '../../components/symbols.ts'
import { EXPORT_WEAK } from '../../src/formats/exportTable.ts'

/** Before commons and aliases are defined: a tentative definition overrides nothing (ld64.lld). Cost: a probe a weak export (all have rows). */
export function findOverrides(link: Link): void {
  const { where, symbol, flags } = link.names.Resolution
  const definition = link.symbols.Definition.flags
  for (const index of link.dylibOrder) {
    const { exports } = link.dylibs[index].file
    for (let row = 0; row < exports.count; row++) {
      if ((exports.flags[row] & EXPORT_WEAK) === 0) continue
      const name = findName(link.names, link.arenas, exports.bytes, exports.offset[row], exports.length[row])
      if (name === 0 || where[name] !== WHERE_GLOBAL || definition[symbol[name]] & SYMBOL_WEAK_DEF) continue
      flags[name] |= NAME_OVERRIDES_WEAK
    }
  }
}
