// The export trie: every external of the symbol table, with its kind and address, and what is passed on from dylibs.
import type { ExternalNames, Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_THREAD_LOCAL, SYMBOL_WEAK_DEF } from '../../components/symbols.ts'
import { encodeExportTrie } from '../../src/formats/dyld/exportTrie.ts'
import * as macho from '../../src/formats/macho/constants.ts'

export function writeExports(link: Link): void {
  const { externals, externalCount: own } = link.table
  const count = own + link.reexports.length / 2
  const { flags } = link.symbols.Definition
  const { address } = link.symbols.Reference
  const rows = {
    names: count === own ? link.table.externalNames : exportNames(link, count),
    flags: new Uint8Array(count),
    addresses: new Float64Array(count),
    others: count === own ? null : new Uint32Array(count),
    importNames: null,
    count,
  }
  for (let i = 0; i < own; i++) {
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
  for (let i = own; i < count; i++) {
    rows.flags[i] = macho.EXPORT_SYMBOL_FLAGS_REEXPORT
    rows.others![i] = link.dylibs[link.dylibs[link.reexports[(i - own) * 2]].exporter].ordinal
  }
  link.linkedit.exports = { bytes: encodeExportTrie(rows), offset: 0 }
}

/** Names of the externals, then those of re-exports, which lie in the tables of their dylibs. */
function exportNames(link: Link, count: number): ExternalNames {
  const { externalCount: own, externalNames } = link.table
  const [offset, length] = [new Uint32Array(count), new Uint32Array(count)]
  offset.set(externalNames.offset.subarray(0, own))
  length.set(externalNames.length.subarray(0, own))
  let size = externalNames.bytes.length
  for (let i = own; i < count; i++) {
    const { exports } = link.dylibs[link.reexports[(i - own) * 2]].file
    offset[i] = size
    length[i] = exports.length[link.reexports[(i - own) * 2 + 1]]
    size += length[i] + 1
  }
  const bytes = new Uint8Array(size)
  bytes.set(externalNames.bytes)
  for (let i = own; i < count; i++) {
    const { exports } = link.dylibs[link.reexports[(i - own) * 2]].file
    const from = exports.offset[link.reexports[(i - own) * 2 + 1]]
    bytes.set(exports.bytes.subarray(from, from + length[i]), offset[i])
  }
  return { bytes, offset, length }
}
