// beginExports: has the export trie and the function starts made by another thread, while this one and the others relocate.
// Reads: link.table, link.exportOrder, symbols, blocks, dylibs. Writes: link.exports and link.functionStarts, which writeDyldInfo waits for.
// After allocate: addresses stand. Nothing before the table of all tables asks for the size of either. Without threads they are made
// where they are waited for.

import type { ExportOrder, Link } from '../components/link.ts'
import { startKernel } from '../components/mirror.ts'
import { exportChunks, type ExportJob } from './beginExports/exportChunks.ts'
import { functionStartChunks, START_PARTS } from './beginExports/functionStarts.ts'

export function beginExports(link: Link): void {
  const { order, finish: sort } = link.exportOrder!
  link.exportOrder = null
  const finish = startKernel(link, 'exportChunks', ['symbols'], exportChunks, createJob(link, order), 1)
  link.exports = async () => {
    await sort()
    return (await finish()).find((made) => made !== null)!
  }
  if (link.settings.functionStarts) beginStarts(link)
  link.visited.rows += link.table.externals.length + link.reexports.length
}

function beginStarts(link: Link): void {
  const { shared } = link.arenas
  const finish = startKernel(link, 'functionStartChunks', START_PARTS, functionStartChunks, shared, 1)
  link.functionStarts = async () => (await finish()).find((made) => made !== null)!
}

/** The trie of externals and re-exports in this order, sorted, with addresses as they are now; made here. */
export function encodeExports(link: Link, order: ExportOrder): Uint8Array {
  return exportChunks(link, createJob(link, order), () => 0)!.bytes
}

function createJob(link: Link, order: ExportOrder): ExportJob {
  const { externals, byRow } = link.table
  return {
    order,
    externals,
    byRow,
    ordinals: Uint32Array.from(link.reexports, ({ dylib }) => link.dylibs[dylib].ordinal),
    reexportFlags: Uint8Array.from(link.reexports, ({ flags }) => flags),
    imageBase: link.settings.imageBase,
    roomy: link.settings.layout === 'padded',
    shared: link.arenas.shared,
  }
}
