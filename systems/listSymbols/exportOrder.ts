// What the export trie is made of in the order of names, which nothing but names decides: a thread sorts them while another places
// blocks. One chunk.
import { memory } from '../../components/columns.ts'
import type { ExportOrder, ExternalNames, Link } from '../../components/link.ts'
import { fromText } from '../../src/core/bytes.ts'
import { sortNames } from '../../src/formats/dyld/sortNames.ts'

/** The externals in the order of their symbols' rows, as the objects list them, then re-exports; not sorted yet. */
export function createExportOrder({ table, reexports, arenas }: Link): ExportOrder {
  const { externals, byRow, externalNames } = table
  const count = externals.length + reexports.length
  const words = (size: number): Uint32Array => new Uint32Array(memory(size * 4, arenas.shared))
  const rows = words(count)
  rows.set(byRow)
  for (let i = byRow.length; i < count; i++) rows[i] = i
  return {
    names: reexports.length === 0 ? externalNames : withReexports(externalNames, externals.length, reexports),
    rows,
    shared: words(count + 1),
    isSorted: new Int32Array(memory(4, arenas.shared)),
  }
}

export function sortExportChunks(_: Link, order: ExportOrder, take: () => number): void {
  if (take() >= 0) sortExports(order)
}

export function sortExports({ names, rows, shared, isSorted }: ExportOrder): void {
  sortNames(names, rows, shared)
  Atomics.store(isSorted, 0, 1)
}

/** Names of the externals, of which there are `from`, then those of re-exports. */
function withReexports(own: ExternalNames, from: number, reexports: Link['reexports']): ExternalNames {
  const texts = reexports.map(({ text }) => fromText(text))
  const start = own.bytes.length
  const count = from + texts.length
  const [offset, length] = [new Uint32Array(count), new Uint32Array(count)]
  offset.set(own.offset.subarray(0, from))
  length.set(own.length.subarray(0, from))
  const bytes = new Uint8Array(texts.reduce((size, text) => size + text.length + 1, start))
  bytes.set(own.bytes)
  let at = start
  texts.forEach((text, i) => {
    offset[from + i] = at
    length[from + i] = text.length
    bytes.set(text, at)
    at += text.length + 1
  })
  return { bytes, offset, length }
}
