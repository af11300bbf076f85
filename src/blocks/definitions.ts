// What a name stands for: of the blocks and imports that have it the one that counts. It is settled anew whenever one comes or goes.
import {
  EDIT_EXPORTED,
  EDIT_HIDDEN,
  EDIT_MOVED,
  EDIT_PLACED,
  EDIT_REEXPORT,
  EDIT_UNDEFINED,
  EDIT_WAITING,
  EDIT_WEAK,
} from '../../components/edits.ts'
import { IMPORT_DYNAMIC_LOOKUP, IMPORT_OWN, IMPORT_USED, IMPORT_WEAK } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { BIND_SPECIAL_DYLIB_FLAT_LOOKUP, BIND_SPECIAL_DYLIB_WEAK_LOOKUP } from '../formats/macho/constants.ts'
import { makeImport, releaseImport } from './importRows.ts'
import { aliasesOf, dropFromIndex, findName, namedAs, stringOf } from './nameIndex.ts'
import { isReferenced, markDirty } from './references.ts'
import type { State } from './state.ts'
import { stringBytes } from './strings.ts'
import { addSymbol, dropSymbol } from './symbols.ts'

/** Ranks of definitions; imports are for names that no block defines. */
const [NONE, LOOKED_UP, IMPORTED, TENTATIVE, WEAK, STRONG] = [0, 1, 2, 3, 4, 5]

function rankOf(state: State, entry: number): number {
  if (entry & TARGET_IMPORT) {
    const flags = state.imports.Library.flags[entry & 0x7fffffff]
    if (flags & IMPORT_OWN) return NONE
    return flags & IMPORT_DYNAMIC_LOOKUP ? LOOKED_UP : IMPORTED
  }
  const { flags, section } = state.blocks.Place
  const defines = EDIT_EXPORTED | EDIT_PLACED
  if ((flags[entry] & defines) !== defines) return NONE
  if (section[entry] === state.sections.common) return TENTATIVE
  return flags[entry] & EDIT_WEAK ? WEAK : STRONG
}

/** Whether `a` is to be taken before `b`, which is of the same rank. */
function isBefore(state: State, a: number, b: number, rank: number): boolean {
  if (rank === IMPORTED) {
    const { ordinal } = state.imports.Library
    return ordinal[a & 0x7fffffff] >>> 0 < ordinal[b & 0x7fffffff] >>> 0
  }
  const { size } = state.blocks.Place
  if (rank === TENTATIVE && size[a] !== size[b]) return size[a] > size[b]
  return state.blocks.Entry.declared[a] < state.blocks.Entry.declared[b]
}

/** Finds out what the name of a string counts as now, and has what refers to it applied again where that changes. */
export function settleName(state: State, string: number): void {
  const entries = namedAs(state, string)
  let best = 0
  let rank: number = NONE
  for (const entry of entries) {
    const its = rankOf(state, entry)
    if (its < rank || its === NONE) continue
    if (its > rank || isBefore(state, entry, best, its)) best = entry
    rank = its
  }
  const stands = rank === WEAK && isExternal(state, best) ? ownImport(state, entries, best, string) : best
  let wanted = false
  for (const entry of entries) {
    if (entry & TARGET_IMPORT || state.blocks.Place.flags[entry] & EDIT_REEXPORT) continue
    const undefined_ = (state.blocks.Place.flags[entry] & EDIT_UNDEFINED) !== 0
    wanted ||= undefined_
    const replaced = undefined_ || (rank >= TENTATIVE && rankOf(state, entry) !== NONE && entry !== stands)
    setDefinition(state, entry, replaced ? stands : 0)
  }
  for (const entry of entries) if (isLeft(state, entry, stands, wanted)) releaseImport(state, entry & 0x7fffffff)
}

/** Whether an import that was made here is of no use any more. */
function isLeft(state: State, entry: number, stands: number, wanted: boolean): boolean {
  if ((entry & TARGET_IMPORT) === 0) return false
  const flags = state.imports.Library.flags[entry & 0x7fffffff]
  if (flags & IMPORT_OWN) return entry !== stands
  return (flags & IMPORT_DYNAMIC_LOOKUP) !== 0 && (entry !== stands || !wanted)
}

/** The import by which dyld may bind a weak definition to that of another image. */
function ownImport(state: State, entries: readonly number[], block: number, string: number): number {
  const { Library } = state.imports
  const own = entries.find((e) => e & TARGET_IMPORT && Library.flags[e & 0x7fffffff] & IMPORT_OWN)
  if (own === undefined) {
    const made = makeImport(state, stringBytes(state, string), BIND_SPECIAL_DYLIB_WEAK_LOOKUP, IMPORT_OWN, block)
    return (TARGET_IMPORT | made) >>> 0
  }
  if (Library.symbol[own & 0x7fffffff] !== block) {
    Library.symbol[own & 0x7fffffff] = block
    for (const entry of entries) if (state.blocks.Entry.definition[entry & 0x7fffffff] === own) reapply(state, entry)
  }
  return own
}

function isExternal(state: State, block: number): boolean {
  return (state.blocks.Place.flags[block] & EDIT_HIDDEN) === 0
}

function setDefinition(state: State, block: number, definition: number): void {
  const { Entry, Place } = state.blocks
  if (Entry.definition[block] !== definition) {
    Entry.definition[block] = definition
    if (definition & TARGET_IMPORT) state.imports.Library.flags[definition & 0x7fffffff] |= IMPORT_USED
    reapply(state, block)
  }
  if (Place.flags[block] & EDIT_UNDEFINED && definition === 0) wait(state, block)
  if ((Place.flags[block] & EDIT_PLACED) === 0) return
  const counts = isCounting(state, block)
  if (counts === (Entry.row[block] !== 0)) return
  if (counts) addSymbol(state, block)
  else dropSymbol(state, block)
  state.stale.exports = true
}

/** Whether no other definition counts in its place. */
function isCounting(state: State, block: number): boolean {
  const definition = state.blocks.Entry.definition[block]
  if (definition & TARGET_IMPORT) return state.imports.Library.symbol[definition & 0x7fffffff] === block
  return definition === 0
}

/** Has what refers to the block applied again, be it directly or through its entries. */
function reapply(state: State, block: number): void {
  if (block & TARGET_IMPORT) return
  const { got, stub } = state.blocks.Entry
  markDirty(state, block, EDIT_MOVED)
  if (got[block] !== 0) {
    state.dirtyGots.push(got[block])
    state.indirectEntries.push(got[block])
  }
  if (stub[block] !== 0) state.indirectEntries.push(-stub[block])
}

/** A block whose name is known to all stands elsewhere: what counts in its place does too. */
export function definitionMoved(state: State, block: number): void {
  const { string, definition } = state.blocks.Entry
  const own = definition[block] || block
  for (const entry of namedAs(state, string[block]))
    if ((entry & TARGET_IMPORT) === 0 && definition[entry] === own) reapply(state, entry)
}

/** The same for a name of which nobody has a string any more. */
export function settleText(state: State, name: Uint8Array): void {
  const entry = findName(state, name, () => true)
  if (entry !== 0) settleName(state, stringOf(state, entry))
}

/** Takes a block out of the names that all know. */
export function forgetName(state: State, block: number): void {
  dropFromIndex(state, block)
  setDefinition(state, block, 0)
  settleName(state, state.blocks.Entry.string[block])
}

/** Sees to it that the next flush looks whether the block is defined. */
export function wait(state: State, block: number): void {
  const { flags } = state.blocks.Place
  if ((flags[block] & EDIT_WAITING) === 0) state.waiting.push(block)
  flags[block] |= EDIT_WAITING
}

/** Has dyld search all images for a name that nothing defines. */
export function lookUp(state: State, block: number): void {
  const string = state.blocks.Entry.string[block]
  const weak = state.blocks.Place.flags[block] & EDIT_WEAK ? IMPORT_WEAK : 0
  makeImport(state, stringBytes(state, string), BIND_SPECIAL_DYLIB_FLAT_LOOKUP, IMPORT_DYNAMIC_LOOKUP | weak)
  settleName(state, string)
}

/** Before all is put in order: names that are referred to have their imports, others none that was made for them. */
export function settleLookUps(state: State, blocks: readonly number[]): void {
  const { flags } = state.imports.Library
  const { owner } = state.importRows.Row
  for (let row = 1; row <= state.importRows.count; row++) {
    const made = owner[row]
    if (made === 0 || (flags[made] & IMPORT_DYNAMIC_LOOKUP) === 0) continue
    if (aliasesOf(state, made).some((block) => isReferenced(state, block))) continue
    const name = stringBytes(state, state.uses.Uses.string[made])
    releaseImport(state, made)
    settleText(state, name)
  }
  if (!state.lookUp) return
  for (const block of blocks) {
    const wanted = state.blocks.Place.flags[block] & EDIT_UNDEFINED && isReferenced(state, block)
    if (wanted && state.blocks.Entry.definition[block] === 0) lookUp(state, block)
  }
}
