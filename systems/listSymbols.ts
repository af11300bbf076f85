// listSymbols: decides which symbols stand in the output's symbol table and in which order: locals, externals, undefined names.
// Reads: symbols, names, live blocks, imports. Writes: link.table (these, and the externals' names), Rows, Use.symtab (places among the externals), link.exportOrder.
// Before allocate: nothing here asks for an address, and a thread sorts the exports while another places blocks. Cost: one pass over
// the symbols and one over the names, on all threads; between them one over the mentions of names.

import { memory } from '../components/columns.ts'
import { IMPORT_DYNAMIC_LOOKUP, IMPORT_OWN, IMPORT_USED } from '../components/imports.ts'
import type { Link } from '../components/link.ts'
import { runKernel, startKernel } from '../components/mirror.ts'
import { NAME_LIVE } from '../components/names.ts'
import { countTo } from '../src/core/pool.ts'
import { listByFile } from './listSymbols/byFile.ts'
import { numberOwn, rankExternals } from './listSymbols/byRow.ts'
import { createExportOrder, sortExportChunks } from './listSymbols/exportOrder.ts'
import { createExternalJob, externalChunks, joinExternals } from './listSymbols/externalChunks.ts'
import { gatherNames } from './listSymbols/externalNames.ts'
import { createListJob, joinLocals, listChunks } from './listSymbols/listChunks.ts'
import { type Filter, localFilter } from './listSymbols/localFilter.ts'
import { mentionOrder, wantedNames } from './listSymbols/mentions.ts'

/** What the kernels read of the link. */
const PARTS = ['files', 'blocks', 'symbols', 'names'] as const

export async function listSymbols(link: Link): Promise<void> {
  const { table } = link
  const keeps = localFilter(link)
  const { names, lengths } = link.settings.layout === 'padded' ? listPadded(link, keeps) : await listTight(link, keeps)
  table.externals = table.externals.subarray(0, table.externalCount)
  const ranks = rankExternals(link)
  table.externalNames = await gatherNames(link, names, lengths, ranks)
  numberOwn(link, ranks, 0)
  listImports(link)
  const order = createExportOrder(link)
  const finish = startKernel(link, 'sortExportChunks', [], sortExportChunks, order, 1)
  link.exportOrder = { order, finish }
}

/** Names of the externals, and their lengths where these are known. */
interface Listed {
  names: Uint32Array
  lengths: Uint32Array | null
}

function listPadded(link: Link, keeps: Filter): Listed {
  const { shared } = link.arenas
  let count = 0
  for (const file of [...link.order, link.internal.file]) count += link.files.Ranges.symbols[file]
  link.table.locals = new Uint32Array(memory(count * 4, shared))
  link.table.externals = new Uint32Array(memory(count * 4, shared))
  return { names: listByFile(link, keeps), lengths: null }
}

/**
 * Locals of the objects in their order, and definitions of external names in the order of first mention: exported ones, and private
 * ones behind the locals.
 */
async function listTight(link: Link, keeps: Filter): Promise<Listed> {
  const { table } = link
  const list = createListJob(link, keeps)
  if (typeof keeps === 'function') listChunks(link, list, countTo(list.starts.length))
  else await runKernel(link, 'listChunks', PARTS, listChunks, list, list.starts.length)
  table.locals = list.locals
  table.localCount = joinLocals(link, list)
  const { mentions, mentionStarts, mentionCounts } = list
  const names = mentionOrder(link, { names: mentions, starts: mentionStarts, counts: mentionCounts })
  const job = createExternalJob(link, names, keeps)
  if (typeof keeps === 'function') externalChunks(link, job, countTo(job.chunks))
  else await runKernel(link, 'externalChunks', PARTS, externalChunks, job, job.chunks)
  const [exported, hidden] = joinExternals(job)
  table.locals.set(job.hidden.subarray(0, hidden), table.localCount)
  table.localCount += hidden
  table.externals = job.externals
  table.externalCount = exported
  return { names, lengths: job.lengths }
}

/** Undefined names: those that options mention, then in the order of their imports; with -dead_strip those that live code refers to. */
function listImports(link: Link): void {
  const { undefineds } = link.table
  const wanted = new Set(wantedNames(link).map((name) => link.names.Resolution.import[name]))
  for (const made of wanted) if (made !== 0 && isListed(link, made)) undefineds.push(made)
  for (let made = 1; made <= link.imports.count; made++)
    if (isListed(link, made) && !wanted.has(made)) undefineds.push(made)
}

function isListed(link: Link, made: number): boolean {
  const { Library } = link.imports
  const is = Library.flags[made]
  if (is & IMPORT_OWN || (is & IMPORT_DYNAMIC_LOOKUP && !(is & IMPORT_USED))) return false
  return (link.names.Resolution.flags[Library.name[made]] & NAME_LIVE) !== 0 || (is & IMPORT_USED) !== 0
}
