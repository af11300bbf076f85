// Places that dyld changes: the rows of those that come, go or lie elsewhere, and, once all objects of a patch are relocated, the
// chains of their pages or the opcodes.
import type { Fixups } from '../../../components/fixups.ts'
import type { Link } from '../../../components/link.ts'
import { placeChainedImports } from '../../../systems/kernels/chainedImports.ts'
import { bindsToWeak, numbersAtOnce } from '../../../systems/kernels/fixups.ts'
import { encodeChains } from '../../../systems/writeDyldInfo/chains.ts'
import { encodeOpcodes, OPCODES, writeStubHelperEntries } from '../../../systems/writeDyldInfo/opcodes.ts'
import { type DirtyPages, markChanges, type Pointers } from './dirtyPages.ts'
import { replaceTable } from './patchTables.ts'
import { exchangeRows, sortFixups } from './fixupRows.ts'
import { eachPlace, pageOf, rechain, rewriteBinds } from './rechain.ts'

/** Keeps what the image holds, until `finishPointers` compares. */
export function saveBytes(link: Link, pointers: Pointers, at: number, size: number): void {
  pointers.saved.push({ at, before: link.image.slice(at, at + size) })
}

/** Puts an object's fixups in the place of those it had, in the link's rows. */
export function replaceFixups(link: Link, pointers: Pointers, old: Fixups, now: Fixups): void {
  for (const fixups of [old, now]) eachPlace(fixups, (place) => pointers.pages.add(pageOf(link, place)))
  reserveFixups(link, now.rebases, now.binds)
  sortFixups(link, pointers)
  exchangeRows(link, old, now)
  pointers.changed = true
}

/** Makes room for so many rows more. */
export function reserveFixups({ fixups }: Link, rebases: number, binds: number): void {
  reserve(fixups.Rebase, fixups.rebases + rebases + 1)
  reserve(fixups.Bind, fixups.binds + binds + 1)
}

/** A column with room for `rows` stays as it is: one that is read from a snapshot by pages goes on standing for its place there. */
function reserve(component: Record<string, Float64Array | Uint32Array>, rows: number): void {
  for (const name in component) {
    const column = component[name]
    if (rows < column.length) continue
    const made = new (column.constructor as new (size: number) => Float64Array | Uint32Array)(rows * 2)
    made.set(column)
    component[name] = made
  }
}

/** Brings chains or opcodes up to date; returns why it cannot, in words, empty when it is done. */
export function finishPointers(link: Link, dirty: DirtyPages): string {
  const { pointers } = dirty
  if (!pointers.changed) return ''
  if (bindsToWeak(link) !== pointers.weak) return 'binds to a first weak definition, or to none any more'
  const trouble = link.settings.fixupChains ? finishChains(link, pointers, dirty) : finishOpcodes(link, pointers, dirty)
  for (const { at, before } of pointers.saved) markChanges(link, dirty, at, before)
  return trouble
}

function finishOpcodes(link: Link, pointers: Pointers, dirty: DirtyPages): string {
  const tables = encodeOpcodes(link)
  for (const name of OPCODES)
    if (!replaceTable(link, dirty, name, tables[name]))
      return 'has more or fewer pointers than their table has room for'
  const { fileOffset, size } = link.outputs.Extent
  const helper = link.tables.stubHelper
  if (helper !== 0) saveBytes(link, pointers, fileOffset[helper], size[helper])
  writeStubHelperEntries(link)
  return ''
}

function finishChains(link: Link, pointers: Pointers, dirty: DirtyPages): string {
  if (!numbersAtOnce(link)) {
    const rows = link.chained.imports.length
    placeChainedImports(link)
    if (link.chained.imports.length !== rows) return 'binds to more or fewer imports than their table has room for'
    rewriteBinds(link, dirty)
  }
  if (!rechain(link, pointers.pages, dirty)) return 'has pointers in segments that had none, or has none there any more'
  if (replaceTable(link, dirty, 'chainedFixups', encodeChains(link))) return ''
  return 'has more or fewer pointers than their table has room for'
}
