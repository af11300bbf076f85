// numberSymbols: decides which symbols stand in the output's symbol table and in which order: locals, externals, undefined names.
// Reads: symbols, names, live blocks, imports. Writes: link.table (rows in order), Use.symtab.
// After allocate, before writeIndirect, whose indirect table holds these numbers. Cost: one pass over the
// symbols and one over the names, on all threads; between them one over the mentions of names.

import { IMPORT_DYNAMIC_LOOKUP, IMPORT_OWN, IMPORT_USED } from '../components/imports.ts'
import { memory } from '../components/columns.ts'
import type { Link } from '../components/link.ts'
import { runKernel } from '../components/mirror.ts'
import { NAME_LIVE } from '../components/names.ts'
import { SYMBOL_EXTERNAL, TARGET_IMPORT } from '../components/symbols.ts'
import { countTo } from '../src/core/pool.ts'
import { rowRoom } from './kernels/linkeditRooms.ts'
import { listByFile } from './numberSymbols/byFile.ts'
import { numberOwn, rankExternals } from './numberSymbols/byRow.ts'
import { createExternalJob, externalChunks, joinExternals } from './numberSymbols/externalChunks.ts'
import { gatherNames } from './numberSymbols/externalNames.ts'
import { createListJob, joinLocals, listChunks } from './numberSymbols/listChunks.ts'
import { type Filter, localFilter } from './numberSymbols/localFilter.ts'
import { mentionOrder, wantedNames } from './numberSymbols/mentions.ts'
import { orderUndefineds } from './numberSymbols/orderUndefineds.ts'
import { writeStabs } from './numberSymbols/stabs.ts'

/** What the kernels read of the link. */
const PARTS = ['files', 'blocks', 'symbols', 'names'] as const

export async function numberSymbols(link: Link): Promise<void> {
  const { table } = link
  const keeps = localFilter(link)
  const padded = link.settings.layout === 'padded'
  const { names, lengths } = padded ? listPadded(link, keeps) : await listTight(link, keeps)
  listImports(link)
  if (padded) orderUndefineds(link)
  table.thunks = listThunks(link, keeps)
  writeStabs(link)
  const own = table.stabs.count + table.localCount + table.thunks.length
  const rows = own + table.externalCount + table.undefineds.length
  table.room = rowRoom(link, rows) - rows
  const locals = table.room + own
  link.symtab = { locals, externals: table.externalCount, undefineds: table.undefineds.length, strings: 0 }
  table.undefineds.forEach((made, index) => {
    link.imports.Use.symtab[made] = locals + table.externalCount + index + 1
  })
  table.externals = table.externals.subarray(0, table.externalCount)
  const ranks = rankExternals(link)
  table.externalNames = await gatherNames(link, names, lengths, ranks)
  numberOwn(link, ranks, locals)
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

/** Thunks of external names, which are local to the image; ld64.lld lists no others. */
export function listThunks(link: Link, keeps: Filter): Uint32Array {
  const { Thunk } = link.thunks
  const { Target } = link.branchTargets
  const { flags } = link.symbols.Definition
  const list: number[] = []
  for (let thunk = 1; thunk <= link.thunks.count && keeps === 'all'; thunk++) {
    const target = Target.target[Thunk.of[thunk]]
    if (target & TARGET_IMPORT || flags[target] & SYMBOL_EXTERNAL) list.push(thunk)
  }
  return Uint32Array.from(list)
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
