// Makes the export trie: every external of the symbol table, with its kind and address, and what is passed on from dylibs. One chunk,
// which threads leave alone until the names are sorted: the one that sorts them comes to it next.
import { memory } from '../../components/columns.ts'
import type { ExportOrder, Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_THREAD_LOCAL, SYMBOL_WEAK_DEF } from '../../components/symbols.ts'
import { encodeSortedExports } from '../../src/formats/dyld/exportTrie.ts'
import * as macho from '../../src/formats/macho/constants.ts'

export interface ExportJob {
  order: ExportOrder
  externals: Uint32Array
  byRow: Uint32Array
  /** Library ordinals of re-exports, which stand behind the externals, and the flags of their entries. */
  ordinals: Uint32Array
  reexportFlags: Uint8Array
  imageBase: number
  /** With rooms, for the padded layout. */
  roomy: boolean
  shared: boolean
}

export interface Exports {
  bytes: Uint8Array
  /** There are weak definitions. */
  weak: boolean
}

/** Returns null where the chunk was taken by another thread, or may not be taken yet. */
export function exportChunks(link: Link, job: ExportJob, take: () => number): Exports | null {
  if (Atomics.load(job.order.isSorted, 0) === 0 || take() < 0) return null
  const own = job.externals.length
  const count = own + job.ordinals.length
  const rows = {
    names: job.order.names,
    flags: new Uint8Array(count),
    addresses: new Float64Array(count),
    others: count === own ? null : new Uint32Array(count),
    importNames: null,
    order: null,
    count,
  }
  const weak = fillOwn(link, job, rows)
  rows.flags.set(job.reexportFlags, own)
  rows.others?.set(job.ordinals, own)
  const make = (size: number): Uint8Array => new Uint8Array(memory(size, job.shared))
  const sorted = { order: job.order.rows, shared: job.order.shared }
  return { bytes: encodeSortedExports(rows, sorted, make, job.roomy), weak }
}

/** Returns whether there are weak definitions. */
function fillOwn({ symbols }: Link, job: ExportJob, rows: { flags: Uint8Array; addresses: Float64Array }): boolean {
  const { externals, byRow, imageBase } = job
  const { flags } = symbols.Definition
  const { address } = symbols.Reference
  let all = 0
  for (let at = 0; at < byRow.length; at++) {
    const symbol = externals[byRow[at]]
    const is = flags[symbol]
    const absolute = (is & SYMBOL_ABSOLUTE) !== 0
    rows.addresses[at] = address[symbol] - (absolute ? 0 : imageBase)
    rows.flags[at] = exportFlags(is)
    all |= is
  }
  return (all & SYMBOL_WEAK_DEF) !== 0
}

/** Of a symbol's flags. */
export function exportFlags(is: number): number {
  return (
    (is & SYMBOL_WEAK_DEF ? macho.EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION : 0) |
    (is & SYMBOL_THREAD_LOCAL ? macho.EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL : 0) |
    (is & SYMBOL_ABSOLUTE ? macho.EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE : 0)
  )
}
