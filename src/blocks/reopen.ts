// Brings the blocks of a file back: finds its record, and gives a new image what the record says.
import {
  EDIT_EXPORTED,
  EDIT_HIDDEN,
  EDIT_PLACED,
  EDIT_REEXPORT,
  EDIT_UNDEFINED,
  EDIT_WEAK,
} from '../../components/edits.ts'
import { IMPORT_WEAK, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { ARCHITECTURES } from '../arch/architectures.ts'
import { fixedName, FormatError, readU64 } from '../core/bytes.ts'
import * as macho from '../formats/macho/constants.ts'
import type { Image, ImageSection, LoadCommand } from '../formats/macho/image.ts'
import { SEGMENTS } from './linked/header.ts'
import { CHANGED_EXPORT, CHANGED_FUNCTION, CHANGED_NAME, type RecordedLinks } from './linked/record.ts'
import { readOptions } from './readOptions.ts'
import {
  type EditRecord,
  readRecord,
  type RecordedBlock,
  type RecordedChange,
  type RecordedImport,
  type RecordedReference,
} from './readRecord.ts'
import { RECORD_LOOK_UP, RECORD_OWNER, RECORD_THREAD_LOCAL, RECORD_THROUGH_GOT } from './record.ts'
import { UNWIND_LSDA, UNWIND_PERSONALITY } from './state.ts'
import {
  type BlockHandle,
  type BlockImage,
  type BlockRelocation,
  type BlockSection,
  type BlockUnwind,
  type BlockUpdate,
  type ExportOptions,
  type ImageOptions,
  type ImportHandle,
  MAX_HINTS,
} from './types.ts'

const NOTE_SIZE = 40

/** Where the contents of recorded blocks are. */
export type Contents = Pick<Image, 'bytes'> & {
  sections: readonly Pick<ImageSection, 'segment' | 'name' | 'flags' | 'offset' | 'size'>[]
}

export interface EditedFile {
  options: ImageOptions
  image: Contents
  record: EditRecord
  recordAt: number
}

/** Handles of what a linked file brings, by number. */
export interface LinkedHandles {
  blockAt: (number: number) => BlockHandle | undefined
  /** Empty where there is none. */
  nameAt: (number: number) => string
  imports: ImportHandle[]
  /** Libraries, and imports that are needed. */
  begin: (links: RecordedLinks) => void
}

/** The LC_NOTE of an edited image with a record; null where it has none. */
export function findRecord({ bytes, commands }: Image): LoadCommand | null {
  const isIt = ({ cmd, at, size }: LoadCommand) =>
    cmd === macho.LC_NOTE && size >= NOTE_SIZE && fixedName(bytes, at + 8) === RECORD_OWNER
  return commands.find(isIt) ?? null
}

/** @throws FormatError where the record is not whole, or not of this image. */
export function readEdited(image: Image, note: LoadCommand): EditedFile {
  const { bytes } = image
  const [offset, size] = [readU64(bytes, note.at + 24), readU64(bytes, note.at + 32)]
  if (offset + size > bytes.length)
    throw new FormatError(
      'bad-edit-record',
      `the record of blocks ends at ${offset + size}, the file at ${bytes.length}`,
      note.at,
    )
  const record = readRecord(bytes, offset, offset + size)
  const arch = image.cpuType === macho.CPU_TYPE_ARM64 ? 'arm64' : 'x86_64'
  if (record.linked !== null) return { options: { arch }, image, record, recordAt: offset }
  const known = readOptions(image)
  const text = image.sections.find(({ name }) => name === '__text')
  const options: ImageOptions = {
    ...known,
    entry: record.entry,
    output: record.output,
    headerPad: record.headerPad,
    calls: record.flags & RECORD_THROUGH_GOT ? 'got' : 'direct',
    undefined: record.flags & RECORD_LOOK_UP ? 'dynamic_lookup' : 'error',
    codeSize: Math.min(text?.size ?? 0, bytes.length, MAX_HINTS.codeSize),
    symbolCount: Math.min(record.blocks.length + record.imports.length, MAX_HINTS.symbolCount),
  }
  return { options, image, record, recordAt: offset }
}

interface Filling {
  file: EditedFile
  to: BlockImage
  blocks: BlockHandle[]
  imports: ImportHandle[]
  linked: LinkedHandles | null
  /** By number of the section: bytes that blocks have taken, for no two share any. */
  taken: Float64Array
}

/**
 * Returns the handles by their numbers.
 * @throws FormatError that names the part of the record which `to` refuses.
 */
export function fill(
  to: BlockImage,
  file: EditedFile,
  linked: LinkedHandles | null = null,
): { blocks: BlockHandle[]; imports: ImportHandle[] } {
  const { record, image } = file
  const taken = new Float64Array(image.sections.length + 1)
  const filling: Filling = { file, to, blocks: [], imports: linked?.imports ?? [], linked, taken }
  const changes = record.linked?.changes ?? []
  if (record.linked !== null) at({ at: file.recordAt, name: 'its libraries' }, () => linked!.begin(record.linked!))
  const wanted = new Set(changes.map(({ name }) => name))
  for (const change of changes) at(change, () => hideChanged(filling, change, wanted))
  for (const change of changes) at(change, () => renameChanged(filling, change))
  for (const made of record.imports) at(made, () => filling.imports.push(addImport(to, made)))
  for (const block of record.blocks) at(block, () => filling.blocks.push(declare(filling, block)))
  for (const [number, block] of record.blocks.entries())
    at(block, () => {
      if (block.flags & EDIT_PLACED) to.updateBlock(filling.blocks[number], contentsOf(filling, block))
    })
  for (const change of changes) at(change, () => fillChanged(filling, change))
  for (const [number, block] of record.blocks.entries()) at(block, () => exportBlock(filling, number, block))
  for (const change of changes) at(change, () => exportChanged(filling, change))
  return filling
}

function blockNumbered({ blocks, linked }: Filling, number: number): BlockHandle {
  const block = blocks[number] ?? linked?.blockAt(number - blocks.length)
  if (block === undefined) throw new TypeError(`there is no block ${number}`)
  return block
}

function changedBlock({ linked }: Filling, { number }: RecordedChange): BlockHandle {
  const block = linked!.blockAt(number)
  if (block === undefined) throw new TypeError(`the linked file has no block ${number}`)
  return block
}

/** Names are given up before others take them: those that go from one block to another have one that nobody wants in between. */
function hideChanged(filling: Filling, change: RecordedChange, wanted: ReadonlySet<string>): void {
  const { to, linked } = filling
  const { changes, number } = change
  if (changes & CHANGED_EXPORT) to.unexportSymbol(changedBlock(filling, change))
  if ((changes & CHANGED_NAME) === 0 || !wanted.has(linked!.nameAt(number))) return
  let name = `${number}`
  while (wanted.has(name) || to.lookup(name) !== null) name += '_'
  to.renameBlock(changedBlock(filling, change), name)
}

function renameChanged(filling: Filling, change: RecordedChange): void {
  if (change.changes & CHANGED_NAME) filling.to.renameBlock(changedBlock(filling, change), change.name)
}

function fillChanged(filling: Filling, change: RecordedChange): void {
  const { contents } = change
  if (contents === null) return
  const block = changedBlock(filling, change)
  if (change.changes & CHANGED_FUNCTION) return filling.to.updateBlock(block, contentsOf(filling, contents))
  const { offset, size, references } = contents
  const { bytes } = filling.file.image
  if (offset + size > bytes.length) throw new TypeError('its contents are past the end of the file')
  const relocations = relocationsOf(filling, references)
  filling.to.updateBlock(block, { code: bytes.slice(offset, offset + size), relocations })
}

function exportChanged(filling: Filling, change: RecordedChange): void {
  if ((change.changes & CHANGED_EXPORT) === 0 || (change.flags & EDIT_EXPORTED) === 0) return
  filling.to.exportSymbol(changedBlock(filling, change), exportOptions(filling, change))
}

/** What the image refuses is the file's fault. */
function at(part: { at: number; name: string }, act: () => void): void {
  try {
    act()
  } catch (trouble) {
    if (!(trouble instanceof TypeError)) throw trouble
    throw new FormatError('bad-edit-record', `${part.name}: ${trouble.message}`, part.at)
  }
}

function addImport(to: BlockImage, { name, ordinal, flags }: RecordedImport): ImportHandle {
  const options = { weak: (flags & IMPORT_WEAK) !== 0, weakDefinition: (flags & IMPORT_WEAK_DEF) !== 0 }
  return to.addImport(name, ordinal, options)
}

function declare({ to, imports }: Filling, { name, flags, import: made }: RecordedBlock): BlockHandle {
  if (flags & EDIT_UNDEFINED) return to.declareUndefined(name, { weak: (flags & EDIT_WEAK) !== 0 })
  if (flags & EDIT_REEXPORT) return to.reexportSymbol(imports[made], name)
  return to.declareBlock(name)
}

function exportBlock(filling: Filling, number: number, block: RecordedBlock): void {
  if ((block.flags & (EDIT_EXPORTED | EDIT_REEXPORT)) !== EDIT_EXPORTED) return
  filling.to.exportSymbol(filling.blocks[number], exportOptions(filling, block))
}

function exportOptions(filling: Filling, { flags, resolver }: { flags: number; resolver: number }): ExportOptions {
  const options = { hidden: (flags & EDIT_HIDDEN) !== 0, weak: (flags & EDIT_WEAK) !== 0 }
  return resolver === 0 ? options : { ...options, resolver: blockNumbered(filling, resolver - 1) }
}

function contentsOf(filling: Filling, block: RecordedBlock): BlockUpdate {
  const { image } = filling.file
  const section = image.sections[block.section - 1]
  if (section === undefined) throw new TypeError(`there is no section ${block.section}`)
  const { size, offset, alignPow2 } = block
  filling.taken[block.section] += size
  if (offset + size > section.size || filling.taken[block.section] > section.size)
    throw new TypeError(`${size} bytes at ${offset} do not fit ${section.segment},${section.name}`)
  const zero = isZeroFillType(section.flags)
  const start = section.offset + offset
  if (!zero && start + size > image.bytes.length) throw new TypeError('its contents are past the end of the file')
  const relocations = relocationsOf(filling, block.references)
  const code = zero ? size : image.bytes.subarray(start, start + size)
  const name = `${SEGMENTS[section.segment] ?? section.segment},${section.name}` as BlockSection
  const place = block.flags & RECORD_THREAD_LOCAL ? { threadLocal: true } : { section: name }
  const others = { ...linesOf(filling, block), ...unwindOf(filling, block) }
  return { ...others, ...place, align: 2 ** Math.min(alignPow2, 32), code, relocations }
}

function linesOf({ file }: Filling, { source, lines }: RecordedBlock): Pick<BlockUpdate, 'file' | 'lines'> {
  if (source === 0) return {}
  const path = file.record.sources[source - 1]
  if (path === undefined) throw new TypeError(`there is no source file ${source}`)
  return { file: path, lines }
}

function unwindOf(filling: Filling, { unwind: encoding, references }: RecordedBlock): Pick<BlockUpdate, 'unwind'> {
  if (encoding === 0) return {}
  const unwind: BlockUnwind = { encoding }
  for (const { type, target } of references) {
    if (type === UNWIND_PERSONALITY) unwind.personality = handleOf(filling, target)
    if (type === UNWIND_LSDA) unwind.lsda = handleOf(filling, target) as BlockHandle
  }
  return { unwind }
}

function handleOf(filling: Filling, target: number): BlockHandle | ImportHandle {
  const number = Math.floor(target / 2)
  if (target % 2 === 0) return blockNumbered(filling, number)
  const handle = filling.imports[number]
  if (handle === undefined) throw new TypeError(`there is no import ${number}`)
  return handle
}

function relocationsOf(filling: Filling, references: readonly RecordedReference[]): BlockRelocation[] {
  const plain = references.filter(({ type }) => type < UNWIND_PERSONALITY)
  return plain.map((reference) => relocationOf(filling, filling.file.options, reference))
}

function relocationOf(filling: Filling, { arch }: ImageOptions, reference: RecordedReference): BlockRelocation {
  const { offset, type, width, target, addend } = reference
  const handle = handleOf(filling, target)
  const size = width === 4 || width === 8 ? width : 8
  return { offset, type: ARCHITECTURES[arch].relocationNames[type] ?? `type ${type}`, target: handle, addend, size }
}
