// The export trie: every external of the symbol table, with its kind and address.
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_THREAD_LOCAL, SYMBOL_WEAK_DEF } from '../../components/symbols.ts'
import { encodeExportTrie } from '../../src/formats/dyld/exportTrie.ts'
import * as macho from '../../src/formats/macho/constants.ts'

export function writeExports(link: Link): void {
  const { externals, externalCount: count } = link.table
  const { flags } = link.symbols.Definition
  const { address } = link.symbols.Reference
  const rows = {
    names: link.table.externalNames,
    flags: new Uint8Array(count),
    addresses: new Float64Array(count),
    others: null,
    importNames: null,
    count,
  }
  for (let i = 0; i < count; i++) {
    const symbol = externals[i]
    const is = flags[symbol]
    const absolute = (is & SYMBOL_ABSOLUTE) !== 0
    rows.addresses[i] = address[symbol] - (absolute ? 0 : link.settings.imageBase)
    rows.flags[i] =
      (is & SYMBOL_WEAK_DEF ? macho.EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION : 0) |
      (is & SYMBOL_THREAD_LOCAL ? macho.EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL : 0) |
      (absolute ? macho.EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE : 0)
    if (is & SYMBOL_WEAK_DEF) link.weakFlags |= macho.MH_WEAK_DEFINES | macho.MH_BINDS_TO_WEAK
  }
  link.linkedit.exports = { bytes: encodeExportTrie(rows), offset: 0 }
}
