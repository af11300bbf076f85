// writeDyldInfo: encodes what dyld has to do: rebase, bind, weak-bind and lazy-bind opcodes, or fixup chains; and the export trie.
// Reads: fixups, imports, stubs, names. Writes: linkedit tables, chain links in the image, stub helper entries, header flags.
// After writeIndirect (all fixups stand), before writeHeader, which places the tables. Cost: one visit a fixup and an export, sorted.

import type { Link, LinkeditName } from '../components/link.ts'
import { writeChains } from './writeDyldInfo/chains.ts'
import { writeExports } from './writeDyldInfo/exports.ts'
import { writeOpcodes, writeStubHelperEntries } from './writeDyldInfo/opcodes.ts'

const TABLES: readonly LinkeditName[] = ['rebase', 'bind', 'weakBind', 'lazyBind', 'chainedFixups', 'exports']

export function writeDyldInfo(link: Link): void {
  if (link.settings.fixupChains) writeChains(link)
  else {
    writeOpcodes(link)
    writeStubHelperEntries(link)
  }
  writeExports(link)
  link.visited.rows += link.fixups.rebases + link.fixups.binds
  for (const name of TABLES) link.visited.written += link.linkedit[name]?.bytes.length ?? 0
}
