// writeDyldInfo: encodes what dyld has to do: rebase, bind, weak-bind and lazy-bind opcodes, or fixup chains; and takes the export trie
// and the function starts, which others have begun.
// Reads: fixups, imports, stubs, names. Writes: linkedit tables, chain links in the image, stub helper entries, header flags.
// After writeIndirect (all fixups stand), before writeHeader, which places the tables. Cost: one visit a fixup and an export, sorted.

import type { Link, LinkeditName } from '../components/link.ts'
import { MH_BINDS_TO_WEAK, MH_WEAK_DEFINES } from '../src/formats/macho/constants.ts'
import { writeChains } from './writeDyldInfo/chains.ts'
import { writeOpcodes, writeStubHelperEntries } from './writeDyldInfo/opcodes.ts'

const TABLES: readonly LinkeditName[] = [
  'rebase',
  'bind',
  'weakBind',
  'lazyBind',
  'chainedFixups',
  'functionStarts',
  'exports',
]

export async function writeDyldInfo(link: Link): Promise<void> {
  if (link.settings.fixupChains) writeChains(link)
  else {
    writeOpcodes(link)
    writeStubHelperEntries(link)
  }
  // Made here where the other thread is still at the trie.
  if (link.functionStarts !== null) link.linkedit.functionStarts = { bytes: await link.functionStarts(), offset: 0 }
  link.functionStarts = null
  const { bytes, weak } = await link.exports!()
  link.exports = null
  link.linkedit.exports = { bytes, offset: 0 }
  if (weak) link.weakFlags |= MH_WEAK_DEFINES | MH_BINDS_TO_WEAK
  link.visited.rows += link.fixups.rebases + link.fixups.binds
  for (const name of TABLES) link.visited.written += link.linkedit[name]?.bytes.length ?? 0
}
