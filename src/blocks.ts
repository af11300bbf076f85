// Block-level edits: an image that a compiler's back end builds and changes function by function, after the interface of Zig's
// incremental linker. Places come from free lists, so the bytes depend on the history of the edits.
import { EDIT_FREED, EDIT_PLACED, EDIT_REEXPORT, EDIT_UNDEFINED, EDIT_WAITING } from '../components/edits.ts'
import { TARGET_IMPORT } from '../components/symbols.ts'
import { forgetName, wait } from './blocks/definitions.ts'
import { definitionOf, gotAddress, gotOf, stubAddress, stubOf, symbolAddress } from './blocks/entries.ts'
import { declareUndefined, endReexport, exportBlock, reexport, rename, unexport } from './blocks/exports.ts'
import { compactImage } from './blocks/compact.ts'
import { forgetEntry } from './blocks/entryPoint.ts'
import { flushImage } from './blocks/flush.ts'
import { blockHandle, blockOf, importHandle, importOf, nextLife, targetOf } from './blocks/handles.ts'
import { addImport, addLibrary, addSystemImport, freeImport, LIBSYSTEM } from './blocks/imports.ts'
import { componentsOf, createSections, layOut } from './blocks/layout.ts'
import { dropReferences, isReferenced } from './blocks/references.ts'
import { releaseFreed } from './blocks/release.ts'
import { createState, type State, takeRow } from './blocks/state.ts'
import { addString, checkName, STRINGS_START, stringText } from './blocks/strings.ts'
import { dropSymbol } from './blocks/symbols.ts'
import { resizeTable } from './blocks/table.ts'
import type { BlockImage, ImageOptions } from './blocks/types.ts'
import { endThreadLocal } from './blocks/threadLocals.ts'
import { leavePlace, updateBlock } from './blocks/update.ts'
import { closeImageFile } from './blocks/writeFile.ts'

export type {
  BlockHandle,
  BlockImage,
  BlockRelocation,
  BlockSection,
  BlockUpdate,
  ExportOptions,
  FlushResult,
  ImageLibrary,
  ImageOptions,
  ImportHandle,
  ImportOptions,
} from './blocks/types.ts'

const BINDER = 'dyld_stub_binder'
const MAX_HINTS = { codeSize: 2 ** 28, symbolCount: 2 ** 24, headerPad: 2 ** 24 } as const

/**
 * An empty image, to be filled block by block; `BlockImage` in src/blocks/types.ts says what it offers.
 * @throws TypeError for options that make no image.
 */
export function createImage(options: ImageOptions): BlockImage {
  if (options.write === true && options.host === undefined) throw new TypeError('createImage: to write takes a host')
  for (const [hint, most] of Object.entries(MAX_HINTS)) {
    const given = options[hint as keyof typeof MAX_HINTS] ?? 0
    if (!Number.isInteger(given) || given < 0 || given > most)
      throw new TypeError(`createImage: expected ${hint} from 0 to ${most}, got ${given}`)
  }
  const state = createState(options)
  resizeTable(state.tables.strings, STRINGS_START)
  createSections(state, options.codeSize ?? 0, options.symbolCount ?? 0)
  for (const library of options.libraries ?? [LIBSYSTEM]) addLibrary(state, 'createImage', library)
  layOut(state)
  if (!state.settings.fixupChains && state.object === null) createBinder(state)
  return imageOver(state)
}

/** What lazy binding takes: an import that dyld calls back through, and a word that belongs to dyld. */
function createBinder(state: State): void {
  state.binder = addSystemImport(state, BINDER)
  state.uses.Uses.references[state.binder]++
  gotOf(state, state.binder | 0x80000000)
  state.loaderCache = declare(state, '__dyld_private')
  updateBlock(state, state.loaderCache, { section: '__DATA,__data', code: new Uint8Array(8) })
}

function imageOver(state: State): BlockImage {
  const of = (caller: string, handle: number) => blockOf(state, caller, handle)
  const entryOf = (caller: string, handle: number) => {
    refuseObject(state, caller)
    return targetOf(state, caller, handle)
  }
  return {
    declareBlock: (name) => blockHandle(state, declare(state, name)),
    declareUndefined: (name, { weak = false } = {}) => blockHandle(state, declareUndefined(state, name, weak)),
    updateBlock: (block, update) => updateBlock(state, of('updateBlock', block), update),
    freeBlock: (block) => free(state, of('freeBlock', block)),
    renameBlock: (block, name) => rename(state, of('renameBlock', block), name),
    exportSymbol: (block, options = {}) => exportBlock(state, of('exportSymbol', block), options),
    reexportSymbol: (made, name) => blockHandle(state, reexport(state, importOf(state, 'reexportSymbol', made), name)),
    unexportSymbol: (block) => unexport(state, of('unexportSymbol', block)),
    addImport: (name, library, options = {}) => importHandle(state, addImport(state, name, library, options)),
    freeImport: (made) => freeImport(state, importOf(state, 'freeImport', made)),
    addressOf: (block) => addressOf(state, of('addressOf', block)),
    gotAddressOf: (target) => gotAddress(state, gotOf(state, entryOf('gotAddressOf', target))),
    stubAddressOf: (target) => stubAddress(state, stubOf(state, entryOf('stubAddressOf', target))),
    compact: () => {
      if (state.object === null) compactImage(state)
    },
    flush: () => flushImage(state),
    dispose: () => {
      if (state.file !== null) closeImageFile(state.file)
    },
  }
}

function declare(state: State, text: string): number {
  const name = checkName('declareBlock', text)
  const block = takeRow(state.blocks, Object.values(componentsOf(state)))
  state.blocks.Entry.string[block] = addString(state, name)
  if (state.throughGot) gotOf(state, block)
  state.blocks.Entry.declared[block] = ++state.declared
  wait(state, block)
  return block
}

function free(state: State, block: number): void {
  const { Place, Entry } = state.blocks
  dropReferences(state, block, (target) => releaseFreed(state, target))
  if (Place.flags[block] & EDIT_UNDEFINED) forgetName(state, block)
  if (Place.flags[block] & EDIT_REEXPORT) endReexport(state, block)
  else unexport(state, block)
  endThreadLocal(state, block)
  if (Place.flags[block] & EDIT_PLACED) {
    leavePlace(state, block)
    dropSymbol(state, block)
  }
  forgetEntry(state, block)
  Place.flags[block] = EDIT_FREED | (Place.flags[block] & EDIT_WAITING)
  Place.generation[block] = nextLife(Place.generation[block])
  if (isReferenced(state, block)) {
    wait(state, block)
    if (Entry.got[block] !== 0) {
      state.dirtyGots.push(Entry.got[block])
      state.indirectEntries.push(Entry.got[block])
    }
    if (Entry.stub[block] !== 0) state.indirectEntries.push(-Entry.stub[block])
  } else releaseFreed(state, block)
}

function refuseObject(state: State, caller: string): void {
  if (state.object !== null) throw new TypeError(`${caller}: an object has no addresses`)
}

function addressOf(state: State, block: number): number {
  refuseObject(state, 'addressOf')
  const definition = definitionOf(state, block)
  const made = definition & TARGET_IMPORT ? state.imports.Library.symbol[definition & 0x7fffffff] : 0
  const place = definition & TARGET_IMPORT ? made : definition
  if (place === 0 || (state.blocks.Place.flags[place] & EDIT_PLACED) === 0)
    throw new TypeError(`addressOf: ${stringText(state, state.blocks.Entry.string[block])} has no contents yet`)
  return symbolAddress(state, place)
}
