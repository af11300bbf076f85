// Puts a new version of an object with other symbols and blocks in the place of the old one: what the systems decide of one object
// is decided anew, and what follows from it elsewhere is brought up to date.
import type { Link } from '../../../components/link.ts'
import { SYMBOL_DEFINED } from '../../../components/symbols.ts'
import { orderByRow } from '../../../systems/numberSymbols/byRow.ts'
import { encodeExports } from '../../../systems/beginExports.ts'
import { indirectSymbols } from '../../../systems/writeIndirect.ts'
import type { Patching } from '../patch.ts'
import { addressAgain } from './addressAgain.ts'
import { changeTables } from './changeTables.ts'
import type { DirtyPages } from './dirtyPages.ts'
import { type Effects, effectsOf } from './effects.ts'
import { saveExtents } from './extents.ts'
import { gatherAgain, keepFramesAgain, unwindAgain } from './gatherAgain.ts'
import {
  findBlockHeirs,
  findLocalHeirs,
  hasGuests,
  keyHeir,
  type Led,
  leadAgain,
  ledElsewhere,
  replaceKnown,
} from './heirs.ts'
import { installRows } from './installRows.ts'
import { keepAgain, stripAgain } from './liveAgain.ts'
import { livenessOf } from './liveness.ts'
import type { Alone } from './loadAlone.ts'
import { exportMoved, moveEntries, patchFunctionStarts, patchHeader } from './patchMoved.ts'
import { patchRows } from './patchRows.ts'
import { patchInitOffsets, replaceTable } from './patchTables.ts'
import { rewriteUnwind } from './patchUnwind.ts'
import { foldAgain, matchLiterals, placeAgain, type Region, saveRegions } from './regions.ts'
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
import { patchUndefineds } from './undefineds.ts'

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
  /** Its exports in order: names, and where they were. */
  exports: Uint32Array
  addresses: number[]
}

/** Returns how many blocks have changed, or why a patch is not possible. */
export function restructure(patching: Patching, change: Restructure, dirty: DirtyPages): number | string {
  const { link, heads } = patching
  const { file, before, after, modified } = change
  if (link.selectors.count + link.methodLists.count + link.messageStubs.count > 0)
    return 'has other symbols or blocks, and Objective-C tables may list them'
  if (!nameMentioned(link, after)) return 'has more names than room is kept for'
  const renames = findRenames(link, file, before.link, after.link)
  if (typeof renames === 'string') return renames
  if (hasGuests(link, file)) return 'has other symbols, and aliases in or of other objects'
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
  const exports = exportsOf(link, file)
  const old: Old = {
    symbols: saveSymbols(link, file),
    regions: saveRegions(link, file),
    effects,
    exports: namesOf(link, exports),
    addresses: Array.from(exports, (symbol) => link.symbols.Reference.address[symbol]),
  }
  patching.reverse = null
  installRows(link, file, after.link, modified)
  replaceKnown(link, file, renames.heirs)
  const imports = applyRenames(link, file, renames, old.symbols)
  const led = decide(patching, file, renames, old)
  if (typeof led === 'string') return led
  const misfit = placeAgain(link, file, old.regions)
  if (misfit !== '') return misfit
  const files = addressAgain(link, file, ledElsewhere(link, led))
  extents.push(...saveExtents(link, file, null, null))
  const affected = changeEntries(patching, file, renames, effects, dirty)
  if (typeof affected === 'string') return affected
  if (files.size > MOST_OTHERS) return `moves what ${files.size} objects refer to`
  const count = relocateAgain(link, file, extents, fixups, dirty)
  if (typeof count === 'string') return count
  const more = relocateOthers(link, new Set([...files, ...affected]), dirty)
  if (typeof more === 'string') return more
  return patchTables(link, file, old, imports, dirty) || count + more
}

/** Symbols of the object that stand in the symbol table as exports. */
function exportsOf({ files, table }: Link, file: number): Uint32Array {
  const { external, externals } = files.Rows
  return table.externals.slice(external[file], external[file] + externals[file])
}

function namesOf(link: Link, symbols: Uint32Array): Uint32Array {
  return symbols.map((symbol) => link.symbols.Definition.name[symbol])
}

/** What the systems up to fold decide of one object. Returns which blocks follow this one's, or why not. */
function decide(patching: Patching, file: number, renames: Renames, { symbols, regions }: Old): Led | string {
  const { link, heads, live } = patching
  if (hasGuests(link, file)) return 'has other symbols, and aliases of other objects'
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
): Set<number> | string {
  const { link, heads } = patching
  const now = effectsOf(link, file, heads)
  if (now === null) return 'has references that only a full link follows'
  if (link.messages.errors > 0) return 'has relocations that cannot be linked'
  const before = { ...uses, gots: uses.gots.map((key) => keyHeir(link, file, heirs, key)) }
  return changeTables(link, file, { uses: before, unwinds }, now, dirty)
}

/** What holds symbols or their addresses; returns why it cannot, in words. */
function patchTables(link: Link, file: number, old: Old, imports: OtherImports, dirty: DirtyPages): string {
  const rows = patchRows(link, file, dirty) || patchUndefineds(link, imports, dirty)
  if (rows !== '') return rows
  const exports = exportsOf(link, file)
  const names = namesOf(link, exports)
  const isSame = names.length === old.exports.length && names.every((name, i) => name === old.exports[i])
  if (!isSame) {
    orderByRow(link, link.symtab.locals)
    if (!replaceTable(link, dirty, 'indirect', indirectSymbols(link))) return 'has other indirect symbols'
  }
  if (!(isSame && moveExports(link, file, exports, old, dirty)))
    if (!replaceTable(link, dirty, 'exports', encodeExports(link)))
      return 'has more or fewer exports than there is room for'
  moveAllEntries(link, file, dirty)
  if (!unwindAgain(link)) return 'has other personalities'
  if (link.unwind !== null && !rewriteUnwind(link, dirty)) return 'has other unwind entries'
  if (!patchFunctionStarts(link, dirty)) return 'makes the list of functions longer or shorter'
  patchInitOffsets(link, 0, dirty)
  patchHeader(link, dirty)
  return ''
}

/** False when an address takes another number of bytes in the trie. */
function moveExports(link: Link, file: number, exports: Uint32Array, old: Old, dirty: DirtyPages): boolean {
  const first = link.files.Rows.external[file]
  return exports.every(
    (symbol, i) =>
      link.symbols.Reference.address[symbol] === old.addresses[i] || exportMoved(link, symbol, first + i, dirty),
  )
}

/** Symbols that were where they are have their entries as before. */
function moveAllEntries(link: Link, file: number, dirty: DirtyPages): void {
  const { flags } = link.symbols.Definition
  const { symbol: first, symbols } = link.files.Ranges
  for (let symbol = first[file]; symbol < first[file] + symbols[file]; symbol++)
    if (flags[symbol] & SYMBOL_DEFINED) moveEntries(link, symbol, dirty)
}
