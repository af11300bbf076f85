// Puts a new version of an object with other symbols and blocks in the place of the old one: what the systems decide of one object
// is decided anew, and what follows from it elsewhere is brought up to date.
import type { Link } from '../../../components/link.ts'
import { IMPORT_OWN } from '../../../components/imports.ts'
import { SYMBOL_DEFINED } from '../../../components/symbols.ts'
import { startsOfFile } from '../../../systems/beginExports/functionStarts.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'
import { indirectSymbols } from '../../../systems/writeIndirect.ts'
import type { Patching } from '../patch.ts'
import { addressAgain } from './addressAgain.ts'
import { changeTables } from './changeTables.ts'
import { moveNeighbours, type Neighbour, patchNeighbours, patchStarts, saveNeighbours } from './neighbours.ts'
import type { DirtyPages } from './dirtyPages.ts'
import { type Effects, effectsOf } from './effects.ts'
import { saveExtents } from './extents.ts'
import { gatherAgain, keepFramesAgain } from './gatherAgain.ts'
import { findBlockHeirs, findLocalHeirs, keyHeir, type Led, leadAgain, ledElsewhere, replaceKnown } from './heirs.ts'
import { installRows } from './installRows.ts'
import { keepAgain, stripAgain } from './liveAgain.ts'
import { hasObjectiveCTables } from './hasObjectiveCTables.ts'
import { livenessOf } from './liveness.ts'
import type { Alone } from './loadAlone.ts'
import { areSameNames, type Exported, exportedOf, patchExports } from './patchExports.ts'
import { moveEntries, patchHeader } from './patchMoved.ts'
import { patchRows } from './patchRows.ts'
import { patchInitOffsets, replaceTable } from './patchTables.ts'
import { rewriteUnwind } from './patchUnwind.ts'
import { foldAgain, matchLiterals, placeAgain, type Region, saveRegions } from './regions.ts'
import { hasGuests, noteChanged, relationsAgain } from './relations.ts'
import { MOST_OTHERS, relocateAgain, relocateOthers } from './relocateAgain.ts'
import { relocateFile } from './relocateFile.ts'
import {
  applyRenames,
  findRenames,
  nameMentioned,
  type OldSymbols,
  type OtherImports,
  type Renames,
  saveSymbols,
} from './renames.ts'
import { type Touched, touchAll } from './touched.ts'
import { patchUndefineds } from './undefineds.ts'
import { unwindAgain } from './unwindAgain.ts'
import { unwindState } from './unwindState.ts'

/** A new version of an object, as `whyNoOther` lets pass. */
export interface Restructure {
  file: number
  before: Alone
  after: Alone
  modified: number
}

/** What the link has of the old version. */
interface Old {
  symbols: OldSymbols
  regions: Region[]
  effects: Effects
  exports: Exported
  starts: number[] | null
  unwind: Float64Array
}

/** Returns how many blocks have changed, or why a patch is not possible. */
export function restructure(patching: Patching, change: Restructure, dirty: DirtyPages): number | string {
  const { link, heads } = patching
  const { file, before, after, modified } = change
  if (hasObjectiveCTables(link)) return 'has other symbols or blocks, and Objective-C tables may list them'
  if (!nameMentioned(link, file, after)) return 'has more names than room is kept for'
  const renames = findRenames(link, () => relationsAgain(patching), file, before.link, after.link)
  if (typeof renames === 'string') return renames
  const relations = relationsAgain(patching)
  if (hasGuests(link, relations, file)) return 'has other symbols, and aliases in or of other objects'
  if (!findLocalHeirs(link, file, after.link, renames.heirs))
    return 'has other symbols: one with an entry in the GOT goes'
  const effects = effectsOf(link, file, heads)
  if (effects === null) return 'has references that only a full link follows'
  if (link.settings.deadStrip) patching.live ??= livenessOf(link)
  patching.isChanging = true
  const extents = saveExtents(link, file, null, null)
  const fixups = relocateFile(link, file)
  for (const extent of extents) {
    link.image.set(extent.before, extent.from)
    extent.blocks = []
  }
  const old: Old = {
    symbols: saveSymbols(link, file),
    regions: saveRegions(link, file),
    effects,
    exports: exportedOf(link, file),
    starts: startsOfFile(link, file),
    unwind: unwindState(link, file),
  }
  installRows(link, file, after.link, modified)
  noteChanged(relations, file)
  replaceKnown(link, file, renames.heirs)
  const imports = applyRenames(link, relations, file, renames, old.symbols)
  const led = decide(patching, file, renames, old)
  if (typeof led === 'string') return led
  const moves = placeAgain(link, file, old.regions)
  if (typeof moves === 'string') return moves
  extents.push(...saveExtents(link, file, null, null))
  const neighbours = saveNeighbours(link, moves)
  const touched = ledElsewhere(link, led)
  const isLed = touched.size > 0
  addressAgain(link, relations, file, touched)
  const moved = moveNeighbours(link, relations, neighbours, touched)
  touched.delete(file)
  const affected = changeEntries(patching, file, renames, effects, dirty)
  if (typeof affected === 'string') return affected
  if (touched.size > MOST_OTHERS) return `moves what ${touched.size} objects refer to`
  const count = relocateAgain(link, [{ file, extents, fixups }, ...neighbours], dirty)
  if (typeof count === 'string') return count
  touchAll(touched, affected)
  const more = relocateOthers(link, touched, dirty)
  if (typeof more === 'string') return more
  const isAlone = !isLed && neighbours.length === 0
  return (
    patchTables(link, file, old, imports, neighbours, dirty) ||
    (patchNeighbours(link, neighbours, moved, dirty) ? '' : 'has more or fewer exports than there is room for') ||
    patchUnwind(link, file, isAlone ? old : null, dirty) ||
    count + more
  )
}

/** What the systems up to fold decide of one object. Returns which blocks follow this one's, or why not. */
function decide(patching: Patching, file: number, renames: Renames, { symbols, regions }: Old): Led | string {
  const { link, heads, live } = patching
  const relations = relationsAgain(patching)
  if (hasGuests(link, relations, file)) return 'has other symbols, and aliases of other objects'
  if (!gatherAgain(link, file, heads)) return 'has more unwind entries than rows are kept free for it'
  if (link.settings.deadStrip) {
    patching.live = stripAgain(link, file, live!)
    if (patching.live === null) return 'changes what lives'
  } else keepAgain(link, file)
  if (!matchLiterals(link, file, regions)) return 'has a literal twice'
  const foldings = regions.map(({ folding }) => folding)
  const heirs = findBlockHeirs(link, file, renames.heirs, symbols, foldings)
  const folded = foldAgain(link, file, regions, heirs)
  if (folded !== '') return folded
  keepFramesAgain(link, file)
  return leadAgain(link, file, heirs, symbols.placed) ?? 'has other symbols: a definition that others share goes'
}

/** As for an object that keeps its symbols, with the old version's entries under the names of the new one's. */
function changeEntries(
  patching: Patching,
  file: number,
  { heirs }: Renames,
  { uses, unwinds }: Effects,
  dirty: DirtyPages,
): Touched | string {
  const { link, heads } = patching
  const now = effectsOf(link, file, heads)
  if (now === null) return 'has references that only a full link follows'
  if (link.messages.errors > 0) return 'has relocations that cannot be linked'
  const before = { ...uses, gots: uses.gots.map((key) => keyHeir(link, file, heirs, key)) }
  return changeTables(link, () => relationsAgain(patching), file, { uses: before, unwinds }, now, dirty)
}

/** What holds symbols or their addresses; returns why it cannot, in words. */
function patchTables(
  link: Link,
  file: number,
  old: Old,
  imports: OtherImports,
  neighbours: readonly Neighbour[],
  dirty: DirtyPages,
): string {
  const rows = patchRows(link, file, dirty) || patchUndefineds(link, imports, dirty)
  if (rows !== '') return rows
  const exports = exportedOf(link, file)
  if (!areSameNames(exports, old.exports)) {
    numberOwnImports(link)
    if (!replaceTable(link, dirty, 'indirect', indirectSymbols(link))) return 'has other indirect symbols'
  }
  if (!patchExports(link, old.exports, exports, dirty)) return 'has more or fewer exports than there is room for'
  moveAllEntries(link, file, dirty)
  if (!patchStarts(link, file, old.starts, neighbours, dirty)) return 'makes the list of functions longer or shorter'
  patchInitOffsets(link, 0, dirty)
  patchHeader(link, dirty)
  return ''
}

/** Rows of imports that stand for a definition of the image. */
function numberOwnImports(link: Link): void {
  const { Library, Use } = link.imports
  const { external, externals } = link.files.Rows
  for (let made = 1; made <= link.imports.count; made++) {
    const own = Library.symbol[made]
    if ((Library.flags[made] & IMPORT_OWN) === 0 || own === 0) continue
    const file = fileOfRow(link, own)
    const at = link.table.externals.subarray(external[file], external[file] + externals[file]).indexOf(own)
    Use.symtab[made] = at < 0 ? 0 : link.symtab.locals + external[file] + at + 1
  }
}

/** `old` is null where functions of other objects may have moved. Returns why it cannot, in words. */
function patchUnwind(link: Link, file: number, old: Old | null, dirty: DirtyPages): string {
  const now = unwindState(link, file)
  if (old !== null && old.unwind.length === now.length && old.unwind.every((is, i) => is === now[i])) return ''
  if (!unwindAgain(link, file)) return 'has other personalities'
  return link.unwind === null || rewriteUnwind(link, dirty) ? '' : 'has other unwind entries'
}

/** Symbols that were where they are have their entries as before. */
function moveAllEntries(link: Link, file: number, dirty: DirtyPages): void {
  const { flags } = link.symbols.Definition
  const { symbol: first, symbols } = link.files.Ranges
  for (let symbol = first[file]; symbol < first[file] + symbols[file]; symbol++)
    if (flags[symbol] & SYMBOL_DEFINED) moveEntries(link, symbol, dirty)
}
