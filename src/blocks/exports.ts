// Names that blocks give to others: of this image, and of others.
import {
  EDIT_EXPORTED,
  EDIT_HIDDEN,
  EDIT_PLACED,
  EDIT_REEXPORT,
  EDIT_RESOLVER,
  EDIT_UNDEFINED,
  EDIT_WEAK,
} from '../../components/edits.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { toText } from '../core/bytes.ts'
import { touchLines } from './debug.ts'
import { forgetName, settleName, wait } from './definitions.ts'
import { forgetEntry } from './entryPoint.ts'
import { blockOf } from './handles.ts'
import { componentsOf } from './layout.ts'
import { EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL as THREAD_LOCAL } from '../formats/macho/constants.ts'
import { isBoundByName, isLinked, isLinkedVariable } from './linked/base.ts'
import { addToIndex, dropFromIndex, findName } from './nameIndex.ts'
import { routeThroughStub } from './references.ts'
import { releaseFreed } from './release.ts'
import { type State, takeRow } from './state.ts'
import { addString, checkName, freeString, stringBytes, stringText } from './strings.ts'
import { addSymbol, dropSymbol, writeSymbol } from './symbols.ts'
import type { ExportOptions } from './types.ts'

const GLOBAL = EDIT_EXPORTED | EDIT_HIDDEN | EDIT_WEAK

/**
 * @throws TypeError where another block is a strong definition of the name, as `block` is to be: one whose flags are `flags`, in
 * section `section` where it has contents.
 */
export function checkStrong(
  state: State,
  caller: string,
  block: number,
  name: Uint8Array,
  flags: number,
  section: number,
): void {
  if (!isStrong(state, flags, section)) return
  const { Place } = state.blocks
  const other = findName(
    state,
    name,
    (e) => (e & TARGET_IMPORT) === 0 && e !== block && isStrong(state, Place.flags[e], Place.section[e]),
  )
  if (other !== 0) throw new TypeError(`${caller}: ${toText(name, 0, name.length)} is exported already`)
}

function isStrong(state: State, flags: number, section: number): boolean {
  if ((flags & (EDIT_EXPORTED | EDIT_WEAK)) !== EDIT_EXPORTED) return false
  return (flags & EDIT_PLACED) === 0 || section !== state.sections.common
}

export function exportBlock(state: State, block: number, options: ExportOptions): void {
  const { hidden = false, weak = false } = options
  const { flags, section } = state.blocks.Place
  checkIsBlock(state, 'exportSymbol', block)
  const wanted = EDIT_EXPORTED | (hidden ? EDIT_HIDDEN : 0) | (weak ? EDIT_WEAK : 0)
  const resolver = checkResolver(state, block, options)
  const { string, resolver: resolvers } = state.blocks.Entry
  if ((flags[block] & GLOBAL) === wanted && resolvers[block] === resolver) return
  const flagged = (flags[block] & ~GLOBAL) | wanted
  checkStrong(state, 'exportSymbol', block, stringBytes(state, string[block]), flagged, section[block])
  checkBound(state, 'exportSymbol', block)
  withdraw(state, block)
  setResolver(state, block, resolver)
  setGlobal(state, block, wanted)
  addToIndex(state, block)
  settleName(state, string[block])
  if (weak) routeThroughStub(state, block)
}

function checkIsBlock(state: State, caller: string, block: number): void {
  if (state.blocks.Place.flags[block] & (EDIT_UNDEFINED | EDIT_REEXPORT))
    throw new TypeError(`${caller}: a name without a block cannot be exported`)
}

/** Its row, or 0. */
function checkResolver(state: State, block: number, { resolver, hidden }: ExportOptions): number {
  if (resolver === undefined) return 0
  const found = blockOf(state, 'exportSymbol', resolver)
  checkIsBlock(state, 'exportSymbol', found)
  if (found === block) throw new TypeError('exportSymbol: a function does not resolve itself')
  if (hidden === true) throw new TypeError('exportSymbol: nobody asks the resolver of a hidden function')
  if (state.object !== null) throw new TypeError('exportSymbol: objects have no resolvers')
  if (state.settings.fixupChains) throw new TypeError('exportSymbol: resolvers are for images with opcodes')
  return found
}

function setResolver(state: State, block: number, resolver: number): void {
  const { Entry, Links, Place } = state.blocks
  const old = Entry.resolver[block]
  Entry.resolver[block] = resolver
  if (resolver !== 0) {
    Links.uses[resolver]++
    Place.flags[resolver] |= EDIT_RESOLVER
  }
  if (old === 0) return
  Links.uses[old]--
  releaseFreed(state, old)
}

export function unexport(state: State, block: number): void {
  const { flags } = state.blocks.Place
  if ((flags[block] & EDIT_EXPORTED) === 0) return
  if (flags[block] & EDIT_REEXPORT) throw new TypeError('unexportSymbol: a re-export is freed')
  checkBound(state, 'unexportSymbol', block)
  withdraw(state, block)
}

/** @throws TypeError for what dyld finds by its name for the linked file itself. */
function checkBound(state: State, caller: string, block: number): void {
  if (!isLinked(state, block) || !isBoundByName(state, block)) return
  const name = stringText(state, state.blocks.Entry.string[block])
  throw new TypeError(`${caller}: the linked file finds ${name} by its name, as it is weak`)
}

function withdraw(state: State, block: number): void {
  if ((state.blocks.Place.flags[block] & EDIT_EXPORTED) === 0) return
  forgetName(state, block)
  setResolver(state, block, 0)
  setGlobal(state, block, 0)
}

/** The row of a name under which other images find an import. */
export function reexport(state: State, made: number, text: string | undefined): number {
  const { Library } = state.imports
  if (Library.ordinal[made] <= 0) throw new TypeError('reexportSymbol: expected an import of a library')
  const { string } = state.uses.Uses
  const name = text === undefined ? stringBytes(state, string[made]) : checkName('reexportSymbol', text)
  checkStrong(state, 'reexportSymbol', 0, name, EDIT_EXPORTED, 0)
  const block = takeRow(state.blocks, Object.values(componentsOf(state)))
  const { Place, Entry } = state.blocks
  Entry.string[block] = addString(state, name)
  Entry.declared[block] = ++state.declared
  Entry.definition[block] = (TARGET_IMPORT | made) >>> 0
  Place.flags[block] = EDIT_EXPORTED | EDIT_REEXPORT
  state.uses.Uses.references[made]++
  state.reexports++
  state.stale.exports = true
  addToIndex(state, block)
  return block
}

export function endReexport(state: State, block: number): void {
  dropFromIndex(state, block)
  state.uses.Uses.references[state.blocks.Entry.definition[block] & 0x7fffffff]--
  state.blocks.Entry.definition[block] = 0
  state.reexports--
  state.stale.exports = true
}

/** The symbol changes its group. */
function setGlobal(state: State, block: number, wanted: number): void {
  const { flags } = state.blocks.Place
  const placed = (flags[block] & EDIT_PLACED) !== 0
  forgetEntry(state, block)
  touchLines(state, block)
  if (placed) dropSymbol(state, block)
  flags[block] = (flags[block] & ~GLOBAL) | wanted
  if (isLinked(state, block)) setLinkedFlags(state, block)
  if (placed) addSymbol(state, block)
  state.stale.exports = true
}

/** Of what is exported as it was linked those of the file, which `compact` has. */
function setLinkedFlags(state: State, block: number): void {
  const { exportFlags, original, firstBlock } = state.base!
  const number = block - firstBlock
  const sameName = (state.blocks.Place.flags[block] & GLOBAL) === (original.flags[number] & GLOBAL)
  const asLinked = sameName && state.blocks.Entry.resolver[block] === 0
  const kind = isLinkedVariable(state, block) ? THREAD_LOCAL : 0
  exportFlags[number] = asLinked ? original.exportFlags[number] : kind
}

export function rename(state: State, block: number, text: string): void {
  const name = checkName('renameBlock', text)
  const { Place, Entry } = state.blocks
  const known = (Place.flags[block] & (EDIT_EXPORTED | EDIT_UNDEFINED)) !== 0
  if (Place.flags[block] & EDIT_UNDEFINED && findUndefined(state, name) !== 0)
    throw new TypeError(`renameBlock: ${text} is a name already`)
  checkStrong(state, 'renameBlock', block, name, Place.flags[block], Place.section[block])
  checkBound(state, 'renameBlock', block)
  if (Place.flags[block] & EDIT_REEXPORT) dropFromIndex(state, block)
  else if (known) forgetName(state, block)
  forgetEntry(state, block)
  freeString(state, Entry.string[block])
  Entry.string[block] = addString(state, name)
  touchLines(state, block)
  if (known) {
    addToIndex(state, block)
    settleName(state, Entry.string[block])
    state.stale.exports = true
  }
  if (Place.flags[block] & EDIT_PLACED) writeSymbol(state, block)
  forgetEntry(state, block)
  const body = bodyOf(state, block)
  if (body !== 0) rename(state, body, text)
}

/** The code in the place of a linked function has its name. */
function bodyOf({ base }: State, block: number): number {
  if (base === null || block < base.firstBlock) return 0
  return base.bodies[block - base.firstBlock] ?? 0
}

function findUndefined(state: State, name: Uint8Array): number {
  const { flags } = state.blocks.Place
  return findName(state, name, (entry) => (entry & TARGET_IMPORT) === 0 && (flags[entry] & EDIT_UNDEFINED) !== 0)
}

/** The row of a name without a block. It may be missing only if nobody said otherwise. */
export function declareUndefined(state: State, text: string, weak: boolean): number {
  const name = checkName('declareUndefined', text)
  const { Place, Entry } = state.blocks
  const known = findUndefined(state, name)
  if (known !== 0) {
    if (!weak) makeStrong(state, known)
    return known
  }
  const block = takeRow(state.blocks, Object.values(componentsOf(state)))
  Entry.string[block] = addString(state, name)
  Entry.declared[block] = ++state.declared
  Place.flags[block] = EDIT_UNDEFINED | (weak ? EDIT_WEAK : 0)
  addToIndex(state, block)
  wait(state, block)
  settleName(state, Entry.string[block])
  return block
}

/** An import that was made for it is made anew. */
function makeStrong(state: State, block: number): void {
  const { flags } = state.blocks.Place
  if ((flags[block] & EDIT_WEAK) === 0) return
  forgetName(state, block)
  flags[block] &= ~EDIT_WEAK
  addToIndex(state, block)
  settleName(state, state.blocks.Entry.string[block])
}
