// Block-level edits: an image that a compiler's back end builds and changes function by function, after the interface of Zig's
// incremental linker. Places come from free lists, so the bytes depend on the history of the edits.
import { EDIT_BODY, EDIT_EXPORTED, EDIT_FREED, EDIT_PLACED } from '../components/edits.ts'
import { TARGET_IMPORT } from '../components/symbols.ts'
import { companionOf } from './blocks/dsym.ts'
import { definitionOf, gotAddress, gotOf, stubAddress, stubOf, symbolAddress } from './blocks/entries.ts'
import { declareUndefined, exportBlock, reexport, rename, unexport } from './blocks/exports.ts'
import { compactImage } from './blocks/compact.ts'
import { flushImage } from './blocks/flush.ts'
import { declareBlock } from './blocks/declare.ts'
import { freeBlock } from './blocks/freeBlock.ts'
import { isLinked } from './blocks/linked/base.ts'
import { compactLinked, linkedHandles, withStoredZeros, withUnwindRoom } from './blocks/linked/compact.ts'
import { openLinked } from './blocks/linked/openLinked.ts'
import { lacksBytes, restoreLinked, updateLinked } from './blocks/linked/replace.ts'
import { blockHandle, blockOf, importHandle, importOf, targetOf } from './blocks/handles.ts'
import { addImport, addLibrary, addSystemImport, freeImport, LIBSYSTEM } from './blocks/imports.ts'
import { createSections, layOut } from './blocks/layout.ts'
import { createState, type State } from './blocks/state.ts'
import { checkName, isString, STRINGS_START, stringText } from './blocks/strings.ts'
import { resizeTable } from './blocks/table.ts'
import { openObject } from './blocks/openObject.ts'
import { checkHints, checkOpenOptions } from './blocks/openOptions.ts'
import { type EditedFile, fill, findRecord, readEdited } from './blocks/reopen.ts'
import type { BlockHandle, BlockImage, BlockUpdate, ImageOptions, OpenOptions } from './blocks/types.ts'
import { updateBlock } from './blocks/update.ts'
import { closeImageFile } from './blocks/writeFile.ts'
import { FormatError, fromText } from './core/bytes.ts'
import { MH_OBJECT } from './formats/macho/constants.ts'
import { readImage } from './formats/macho/image.ts'
import { entityExists, highestId } from './ecs.ts'
import { type Host, HostError } from './host/host.ts'

export type {
  BlockHandle,
  BlockImage,
  BlockLine,
  BlockRelocation,
  BlockSection,
  BlockUnwind,
  BlockUpdate,
  ExportOptions,
  FlushResult,
  ImageLibrary,
  ImageOptions,
  ImportHandle,
  ImportOptions,
  OpenOptions,
} from './blocks/types.ts'

const BINDER = 'dyld_stub_binder'

/**
 * An empty image, to be filled block by block; `BlockImage` in src/blocks/types.ts says what it offers.
 * @throws TypeError for options that make no image.
 */
export function createImage(options: ImageOptions): BlockImage {
  if (options.write === true && options.host === undefined) throw new TypeError('createImage: to write takes a host')
  checkHints('createImage', options)
  const state = createState(options)
  resizeTable(state.tables.strings, STRINGS_START)
  createSections(state, options.codeSize ?? 0, options.symbolCount ?? 0)
  for (const library of options.libraries ?? [LIBSYSTEM]) addLibrary(state, 'createImage', library)
  layOut(state)
  if (!state.settings.fixupChains && state.object === null) createBinder(state)
  return imageOver(state)
}

/**
 * The image of a file, to be changed further: `lookup` finds its blocks by name, and `addImport` and `declareUndefined` what is there.
 * Of a file that `flush` wrote with `record` all blocks are as they were, and may move; what a linker wrote keeps its place, with edits
 * behind it. An object's symbols become blocks, as far as blocks can say all of it. Options that the file does not say are those given here; a path is read by the host, and is the output unless another is named.
 * The first flush writes all of the file.
 * @throws FormatError with the offset in the file: `bad-edit-record`, `not-editable` or `no-header-room`, or what is wrong with it as a
 * Mach-O; HostError where it cannot be read; TypeError for wrong options.
 */
export function openImage(source: Uint8Array | string, options: OpenOptions = {}): BlockImage {
  const given = checkOpenOptions(options)
  const bytes = typeof source === 'string' ? readFile(source, given.host) : source
  const named = typeof source === 'string' ? { output: source } : {}
  const parsed = readImage(bytes)
  if (parsed.fileType === MH_OBJECT) return openObject(parsed, { ...named, ...given }, createImage)
  const note = findRecord(parsed)
  if (note === null) return imageOver(openLinked(bytes, { ...named, ...given }))
  const file = readEdited(parsed, note)
  if (file.record.linked !== null) return reopenLinked(file, { ...named, ...given })
  const image = createFrom(file, { ...file.options, ...named, ...given })
  fill(image, file)
  return image
}

/** The file as it was linked, with its edits made again. */
function reopenLinked(file: EditedFile, options: OpenOptions): BlockImage {
  const { linked, output } = file.record
  const state = openLinked(linked!.bytes!, { output, ...options })
  const image = imageOver(state)
  fill(image, file, linkedHandles(state))
  return image
}

function createFrom({ recordAt }: EditedFile, options: ImageOptions): BlockImage {
  try {
    return createImage(options)
  } catch (trouble) {
    if (!(trouble instanceof TypeError)) throw trouble
    throw new FormatError('bad-edit-record', trouble.message, recordAt)
  }
}

function readFile(path: string, host: Host | undefined): Uint8Array {
  if (host === undefined) throw new TypeError('openImage: to read a path takes a host')
  const stat = host.stat(path)
  if (stat === null || !stat.isFile) throw new HostError('ENOENT', `no such file: ${path}`)
  const bytes = new Uint8Array(stat.size)
  return bytes.subarray(0, host.readInto(path, bytes, 0, stat.size, 0))
}

/** What lazy binding takes: an import that dyld calls back through, and a word that belongs to dyld. */
function createBinder(state: State): void {
  state.binder = addSystemImport(state, BINDER)
  state.uses.Uses.references[state.binder]++
  gotOf(state, state.binder | 0x80000000)
  state.loaderCache = declareBlock(state, fromText('__dyld_private'))
  updateBlock(state, state.loaderCache, { section: '__DATA,__data', code: new Uint8Array(8) })
}

function change(state: State, block: number, update: BlockUpdate): void {
  if (isLinked(state, block)) updateLinked(state, block, update)
  else updateBlock(state, block, update)
}

function free(state: State, block: number): void {
  if (isLinked(state, block)) restoreLinked(state, block)
  else freeBlock(state, block)
}

function imageOver(state: State): BlockImage {
  const of = (caller: string, handle: number) => blockOf(state, caller, handle)
  const entryOf = (caller: string, handle: number) => {
    refuseObject(state, caller)
    return targetOf(state, caller, handle)
  }
  return {
    declareBlock: (name) => blockHandle(state, declareBlock(state, checkName('declareBlock', name))),
    declareUndefined: (name, { weak = false } = {}) => blockHandle(state, declareUndefined(state, name, weak)),
    updateBlock: (block, update) => {
      const act = () => change(state, of('updateBlock', block), update)
      if (state.base === null) return act()
      const lacks = lacksBytes(state, of('updateBlock', block), update)
      withStoredZeros(state, imageOver, lacks, () => withUnwindRoom(state, imageOver, update.unwind !== undefined, act))
    },
    freeBlock: (block) => free(state, of('freeBlock', block)),
    renameBlock: (block, name) => rename(state, of('renameBlock', block), name),
    exportSymbol: (block, options = {}) => exportBlock(state, of('exportSymbol', block), options),
    reexportSymbol: (made, name) => {
      if (state.object !== null) throw new TypeError('reexportSymbol: objects have no re-exports')
      return blockHandle(state, reexport(state, importOf(state, 'reexportSymbol', made), name))
    },
    unexportSymbol: (block) => unexport(state, of('unexportSymbol', block)),
    addImport: (name, library, options = {}) => importHandle(state, addImport(state, name, library, options)),
    freeImport: (made) => freeImport(state, importOf(state, 'freeImport', made)),
    addressOf: (block) => addressOf(state, of('addressOf', block)),
    gotAddressOf: (target) => gotAddress(state, gotOf(state, entryOf('gotAddressOf', target))),
    stubAddressOf: (target) => stubAddress(state, stubOf(state, entryOf('stubAddressOf', target))),
    compact: () => {
      if (state.base !== null) compactLinked(state, imageOver)
      else if (state.object === null) compactImage(state)
    },
    lookup: (name) => lookup(state, name),
    flush: ({ record = false } = {}) => {
      if (record && state.object !== null) throw new TypeError('flush: an object has no record')
      return flushImage(state, record)
    },
    debugFile: () => companionOf(state),
    dispose: () => {
      if (state.file !== null) closeImageFile(state.file)
    },
  }
}

/** The exported block of a name, else the last declared one that has it. */
function lookup(state: State, text: string): BlockHandle | null {
  const name = checkName('lookup', text)
  const { Entry, Place } = state.blocks
  let [found, best] = [0, -1]
  for (let block = highestId(state.blocks.world); block > 0; block--) {
    if (!entityExists(state.blocks.world, block) || Place.flags[block] & EDIT_FREED) continue
    if (Place.flags[block] & EDIT_BODY || block === state.loaderCache || !isString(state, Entry.string[block], name))
      continue
    const rank = Place.flags[block] & EDIT_EXPORTED ? Number.POSITIVE_INFINITY : Entry.declared[block]
    if (rank > best) [found, best] = [block, rank]
  }
  return found === 0 ? null : blockHandle(state, found)
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
