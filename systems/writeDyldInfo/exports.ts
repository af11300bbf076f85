// The export trie: every external of the symbol table, with its kind and address, and what is passed on from dylibs.
import type { ExternalNames, Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_THREAD_LOCAL, SYMBOL_WEAK_DEF } from '../../components/symbols.ts'
import { fromText } from '../../src/core/bytes.ts'
import { encodeExportTrie } from '../../src/formats/dyld/exportTrie.ts'
import * as macho from '../../src/formats/macho/constants.ts'

export function writeExports(link: Link): void {
  const { externals, externalCount: own, byRow } = link.table
  const count = own + link.reexports.length
  const { flags } = link.symbols.Definition
  const { address } = link.symbols.Reference
  const rows = {
    names: count === own ? link.table.externalNames : exportNames(link, count),
    flags: new Uint8Array(count),
    addresses: new Float64Array(count),
    others: count === own ? null : new Uint32Array(count),
    importNames: null,
    order: exportOrder(link, count),
    count,
  }
  for (let at = 0; at < own; at++) {
    const i = byRow[at]
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
    rows.others![i] = link.dylibs[link.reexports[i - own].dylib].ordinal
  }
  link.linkedit.exports = { bytes: encodeExportTrie(rows), offset: 0 }
}

/** Externals in the order of their symbols' rows, as the objects list them, then re-exports. */
function exportOrder(link: Link, count: number): Uint32Array {
  const { byRow } = link.table
  const order = new Uint32Array(count)
  order.set(byRow)
  for (let i = byRow.length; i < count; i++) order[i] = i
  return order
}

/** Names of the externals, then those of re-exports. */
function exportNames(link: Link, count: number): ExternalNames {
  const { externalCount: own, externalNames } = link.table
  const texts = link.reexports.map(({ text }) => fromText(text))
  const [offset, length] = [new Uint32Array(count), new Uint32Array(count)]
  offset.set(externalNames.offset.subarray(0, own))
  length.set(externalNames.length.subarray(0, own))
  const start = externalNames.bytes.length
  const bytes = new Uint8Array(texts.reduce((size, text) => size + text.length + 1, start))
  bytes.set(externalNames.bytes)
  let at = start
  texts.forEach((text, i) => {
    offset[own + i] = at
    length[own + i] = text.length
    bytes.set(text, at)
    at += text.length + 1
  })
  return { bytes, offset, length }
}
