// Opens what was linked: the state of an image whose own sections are empty, behind a file that keeps its place.
import { FILL_ABSENT, addOutput } from '../../../components/outputs.ts'
import { alignUp } from '../../core/align.ts'
import { FormatError, readU32 } from '../../core/bytes.ts'
import { highestId } from '../../ecs.ts'
import * as macho from '../../formats/macho/constants.ts'
import { createBindRows } from '../../formats/dyld/bind.ts'
import { readFunctionStarts } from '../../formats/macho/functionStarts.ts'
import type { Image, ImageDylib } from '../../formats/macho/image.ts'
import { createSections, layOut, setBytes } from '../layout.ts'
import { createState, type State } from '../state.ts'
import { replaceTable } from '../table.ts'
import type { ImageOptions, OpenOptions } from '../types.ts'
import { adoptExports, adoptImports, adoptIndirect, stringFinder } from './adoptTables.ts'
import { adoptStrings, adoptSymbols } from './adoptSymbols.ts'
import { type Base, unwindSectionOf } from './base.ts'
import { readFixups } from './fixups.ts'
import { headerOf } from './header.ts'
import { makeRoom } from './makeRoom.ts'
import { storeZeros } from './storeZeros.ts'
import { slideDataInCode, slideFunctionStarts, slidePointers } from './slide.ts'
import { type LinkedFile, readLinked, tableOf } from './readLinked.ts'
import { beginLinkedUnwind, readUnwind } from './unwind.ts'

/** What segments and all sections of edits take, and a library or three; where there is no room, more of those. */
const EDIT_COMMANDS = 1408
const LIBRARY_COMMANDS = 1024
/** log2: the file grows by as much. */
const MOST_ALIGN_POW2 = 24
/** Unwind information begins at a multiple of it, behind the load commands. */
const COMMANDS_ALIGN = 16
/** Bytes of a dylib_command before the name. */
const DYLIB_SIZE = 24

/** @throws FormatError where nothing can be added to the file; `no-header-room` says what it lacks. */
export function openLinked(bytes: Uint8Array, options: OpenOptions, unwindRoom = 0, storesZeros = false): State {
  const source = bytes.slice()
  const given = readLinked(source)
  const whole = storesZeros ? readLinked(storeZeros(given)) : given
  const { file, room } = withRoom(whole, options.headerPad, unwindRoom)
  const state = createState(optionsOf(file, options), file.segments.length)
  state.settings.imageBase = file.text.vmAddress
  const base = { ...createBase(file, room, source, options), zeros: whole.end - given.end }
  state.base = base
  createSections(state, options.codeSize ?? 0, options.symbolCount ?? 0)
  for (const dylib of file.image.dylibs) adoptLibrary(state, file.image, dylib)
  base.libraries = state.dylibs.length
  addSegments(state, base)
  adoptStrings(state, file.image)
  base.firstBlock = highestId(state.blocks.world) + 1
  const rowOwners = adoptSymbols(state, base)
  const find = stringFinder(state)
  const { pointers, pointerFormat, ...fixups } = readFixups(file, find)
  Object.assign(base, fixups)
  base.allBinds = base.binds
  base.allWeakBinds = base.weakBinds
  if (pointerFormat !== 0) state.pointerFormat = pointerFormat
  adoptImports(state, base)
  adoptExports(state, base, find, room)
  adoptIndirect(base, rowOwners)
  base.original = {
    strings: state.blocks.Entry.string.slice(base.firstBlock, base.firstBlock + base.count) as Uint32Array,
    flags: state.blocks.Place.flags.slice(base.firstBlock, base.firstBlock + base.count) as Uint16Array,
    exportFlags: base.exportFlags.slice(),
    importFlags: state.imports.Library.flags.slice(0, highestId(state.imports.world) + 1) as Uint8Array,
  }
  replaceTable(state.tables.functionStarts, base.functionStarts)
  replaceTable(state.tables.dataInCode, base.dataInCode)
  state.dataStart = file.dataStart
  state.pointers = pointers
  setBytes(state, file.image.bytes.slice(0, file.end))
  if (room > 0) slidePointers(state, room, file.fixed)
  if (unwindRoom > 0) base.unwind = readUnwind(file, room)
  checkRoom(state, file)
  layOut(state)
  if (base.unwind !== null) state.unwind = beginLinkedUnwind(state, base, base.unwind)
  return state
}

/** Where the load commands of edits do not fit, or unwind information is to come, the file has pages of room in front of it. */
function withRoom(
  file: LinkedFile,
  headerPad: number | undefined,
  unwindRoom: number,
): { file: LinkedFile; room: number } {
  const section = unwindRoom > 0 && unwindSectionOf(file.image) === null ? macho.SECTION_SIZE : 0
  const needed = macho.HEADER_SIZE + file.image.commandsSize + section + EDIT_COMMANDS + (headerPad ?? 0)
  if (needed <= file.room && unwindRoom === 0) return { file, room: 0 }
  const commands = alignUp(needed + (headerPad === undefined ? LIBRARY_COMMANDS : 0), COMMANDS_ALIGN)
  const room = alignUp(commands + unwindRoom, alignOf(file))
  return {
    file: { ...readLinked(makeRoom(file, room, unwindRoom > 0)), room: unwindRoom === 0 ? room : commands },
    room,
  }
}

/** What may move by this much stays as aligned as its sections say: by pages, or more. */
function alignOf({ image, pageSize }: LinkedFile): number {
  const most = image.sections.reduce((pow2, { align }) => Math.max(pow2, align), 0)
  if (most > MOST_ALIGN_POW2) throw new FormatError('not-editable', `a section is aligned to 2^${most}`, 0)
  return Math.max(pageSize, 2 ** most)
}

function optionsOf(file: LinkedFile, options: OpenOptions): ImageOptions {
  return {
    arch: file.arch,
    outputType: file.image.fileType === macho.MH_EXECUTE ? 'execute' : 'dylib',
    fixupChains: file.fixupChains,
    adhocCodesign: file.image.tables.has(macho.LC_CODE_SIGNATURE),
    calls: 'direct',
    ...options,
  }
}

function createBase(file: LinkedFile, room: number, source: Uint8Array, options: OpenOptions): Base {
  const { image } = file
  const functionStarts = tableOf(image, image.tables.get(macho.LC_FUNCTION_STARTS), 'function starts')
  readFunctionStarts(functionStarts, 0)
  const dataInCode = tableOf(image, image.tables.get(macho.LC_DATA_IN_CODE), 'data in code')
  return {
    image,
    header: image.bytes.slice(0, file.room),
    end: file.end,
    addressEnd: file.addressEnd,
    dataStart: file.dataStart,
    segments: file.segments.length,
    firstOutput: 0,
    firstBlock: 0,
    count: 0,
    rows: new Uint8Array(0),
    bodies: new Uint32Array(0),
    exportFlags: new Uint8Array(0),
    bounds: null,
    exports: { owners: [], strings: [], flags: [], addresses: [], others: [], importStrings: [] },
    indirect: { owners: new Uint32Array(0), words: new Uint32Array(0) },
    imports: {
      ordinals: new Int32Array(0),
      weak: new Uint8Array(0),
      addends: new Float64Array(0),
      names: new Uint32Array(0),
      count: 0,
    },
    binds: createBindRows(0),
    weakBinds: createBindRows(0),
    overrides: new Uint32Array(0),
    lazyBind: new Uint8Array(0),
    functionStarts: slideFunctionStarts(functionStarts, room),
    dataInCode: slideDataInCode(dataInCode, room),
    source,
    room,
    zeros: 0,
    options,
    original: {
      strings: new Uint32Array(0),
      flags: new Uint16Array(0),
      exportFlags: new Uint8Array(0),
      importFlags: new Uint8Array(0),
    },
    allBinds: createBindRows(0),
    allWeakBinds: createBindRows(0),
    unwind: null,
    identifier: file.identifier,
    libraries: 0,
    saved: new Map(),
  }
}

/** Their load commands stay as they are. */
function adoptLibrary(state: State, { bytes }: Image, { cmd, at, name }: ImageDylib): void {
  if (readU32(bytes, at + 4) < DYLIB_SIZE) throw new FormatError('bad-load-command', 'a dylib command is cut off', at)
  const [currentVersion, compatibilityVersion] = [16, 20].map((field) => readU32(bytes, at + field))
  const file = { installName: name, currentVersion, compatibilityVersion }
  const weak = cmd === macho.LC_LOAD_WEAK_DYLIB
  state.dylibs.push({ path: name, file, weak, reexport: false, upward: false, referenced: 2 })
  state.linkedDylibs.push(state.dylibs.length - 1)
}

/** Outputs that nothing is placed in: what blocks of the file's segments count from. */
function addSegments({ outputs, segments }: State, base: Base): void {
  base.firstOutput = outputs.count + 1
  for (let i = 0; i < base.segments; i++) {
    const output = addOutput(outputs, segments, '', String(i))
    const { vmAddress, fileOffset } = base.image.segments[i]
    outputs.Section.fill[output] = FILL_ABSENT
    outputs.Extent.address[output] = vmAddress
    outputs.Extent.fileOffset[output] = fileOffset
  }
}

function checkRoom(state: State, { room }: LinkedFile): void {
  const needed = headerOf(state, 0).length
  if (needed <= room) return
  const text = `edits need ${needed - room} bytes more behind the load commands than there are: link it with a headerPad of 2048`
  throw new FormatError('no-header-room', text, 0)
}
