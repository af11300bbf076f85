// numberSymbols: gives the rows of the output's symbol table their numbers: the debug map, locals, externals, undefined names.
// Reads: link.table as listSymbols has left it, imports, thunks, addresses. Writes: link.table (the rest), Use.symtab.
// After allocate, which makes thunks and gives the debug map its addresses, before writeIndirect, whose indirect table holds
// these numbers. Cost: one visit an import and a thunk, and one a symbol of what has a debug map.

import type { Link } from '../components/link.ts'
import { SYMBOL_EXTERNAL, TARGET_IMPORT } from '../components/symbols.ts'
import { rowRoom } from './kernels/linkeditRooms.ts'
import { orderUndefineds } from './numberSymbols/orderUndefineds.ts'
import { writeStabs } from './numberSymbols/stabs.ts'

export function numberSymbols(link: Link): void {
  const { table } = link
  if (link.settings.layout === 'padded') orderUndefineds(link)
  table.thunks = listThunks(link)
  writeStabs(link)
  const own = table.stabs.count + table.localCount + table.thunks.length
  const rows = own + table.externalCount + table.undefineds.length
  table.room = rowRoom(link, rows) - rows
  const locals = table.room + own
  link.symtab = { locals, externals: table.externalCount, undefineds: table.undefineds.length, strings: 0 }
  numberImports(link)
  link.visited.rows += link.imports.count + link.thunks.count
}

/** Those that stand for a definition of the image have its place among the externals so far. */
function numberImports({ imports, symtab: { locals, externals }, table }: Link): void {
  const { symtab } = imports.Use
  for (let made = 1; made <= imports.count; made++) if (symtab[made] !== 0) symtab[made] += locals
  table.undefineds.forEach((made, index) => {
    symtab[made] ||= locals + externals + index + 1
  })
}

/** Thunks of external names, which are local to the image; ld64.lld lists no others. */
export function listThunks(link: Link): Uint32Array {
  const { Thunk } = link.thunks
  const { Target } = link.branchTargets
  const { flags } = link.symbols.Definition
  if (link.settings.stripLocals !== undefined) return new Uint32Array(0)
  const list: number[] = []
  for (let thunk = 1; thunk <= link.thunks.count; thunk++) {
    const target = Target.target[Thunk.of[thunk]]
    if (target & TARGET_IMPORT || flags[target] & SYMBOL_EXTERNAL) list.push(thunk)
  }
  return Uint32Array.from(list)
}
