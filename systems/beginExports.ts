// beginExports: has the export trie and the function starts made by another thread, while this one and the others relocate.
// Reads: link.table, symbols, blocks, dylibs. Writes: link.exports and link.functionStarts, which writeDyldInfo waits for.
// After numberSymbols, which lists the externals; addresses stand. The trie's order takes a thread for long, and nothing before the
// table of all tables asks for the size of either. Without threads they are made where they are waited for.

import type { ExternalNames, Link } from '../components/link.ts'
import { startKernel } from '../components/mirror.ts'
import { fromText } from '../src/core/bytes.ts'
import { exportChunks, type ExportJob } from './beginExports/exportChunks.ts'
import { functionStartChunks, START_PARTS } from './beginExports/functionStarts.ts'

export function beginExports(link: Link): void {
  const finish = startKernel(link, 'exportChunks', ['symbols'], exportChunks, createJob(link), 1)
  link.exports = async () => (await finish()).find((made) => made !== null)!
  if (link.settings.functionStarts) beginStarts(link)
}

function beginStarts(link: Link): void {
  const { shared } = link.arenas
  const finish = startKernel(link, 'functionStartChunks', START_PARTS, functionStartChunks, shared, 1)
  link.functionStarts = async () => (await finish()).find((made) => made !== null)!
}

/** The trie as externals and their addresses are now, made here. */
export function encodeExports(link: Link): Uint8Array {
  return exportChunks(link, createJob(link), () => 0)!.bytes
}

function createJob(link: Link): ExportJob {
  const { externals, externalCount: own, byRow, externalNames } = link.table
  return {
    names: link.reexports.length === 0 ? externalNames : exportNames(link, own + link.reexports.length),
    externals,
    byRow,
    ordinals: Uint32Array.from(link.reexports, ({ dylib }) => link.dylibs[dylib].ordinal),
    reexportFlags: Uint8Array.from(link.reexports, ({ flags }) => flags),
    imageBase: link.settings.imageBase,
    roomy: link.settings.layout === 'padded',
    shared: link.arenas.shared,
  }
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
