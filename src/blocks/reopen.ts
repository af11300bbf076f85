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
import type { Image, LoadCommand } from '../formats/macho/image.ts'
import { readOptions } from './readOptions.ts'
import {
  type EditRecord,
  readRecord,
  type RecordedBlock,
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
  type ImageOptions,
  type ImportHandle,
  MAX_HINTS,
} from './types.ts'

const NOTE_SIZE = 40

export interface EditedFile {
  options: ImageOptions
  image: Image
  record: EditRecord
  recordAt: number
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
  const known = readOptions(image)
  const record = readRecord(bytes, offset, offset + size)
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
  /** By number of the section: bytes that blocks have taken, for no two share any. */
  taken: Float64Array
}

/** @throws FormatError that names the part of the record which `to` refuses. */
export function fill(to: BlockImage, file: EditedFile): void {
  const { record, image } = file
  const filling: Filling = { file, to, blocks: [], imports: [], taken: new Float64Array(image.sections.length + 1) }
  for (const made of record.imports) at(made, () => filling.imports.push(addImport(to, made)))
  for (const block of record.blocks) at(block, () => filling.blocks.push(declare(filling, block)))
  for (const [number, block] of record.blocks.entries())
    at(block, () => {
      if (block.flags & EDIT_PLACED) to.updateBlock(filling.blocks[number], contentsOf(filling, block))
    })
  for (const [number, block] of record.blocks.entries()) at(block, () => exportBlock(filling, number, block))
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

function exportBlock({ to, blocks }: Filling, number: number, { flags, resolver }: RecordedBlock): void {
  if ((flags & (EDIT_EXPORTED | EDIT_REEXPORT)) !== EDIT_EXPORTED) return
  const options = { hidden: (flags & EDIT_HIDDEN) !== 0, weak: (flags & EDIT_WEAK) !== 0 }
  to.exportSymbol(blocks[number], resolver === 0 ? options : { ...options, resolver: blocks[resolver - 1] })
}

function contentsOf(filling: Filling, block: RecordedBlock): BlockUpdate {
  const { image, options } = filling.file
  const section = image.sections[block.section - 1]
  if (section === undefined) throw new TypeError(`there is no section ${block.section}`)
  const { size, offset, alignPow2 } = block
  filling.taken[block.section] += size
  if (offset + size > section.size || filling.taken[block.section] > section.size)
    throw new TypeError(`${size} bytes at ${offset} do not fit ${section.segment},${section.name}`)
  const zero = isZeroFillType(section.flags)
  const start = section.offset + offset
  if (!zero && start + size > image.bytes.length) throw new TypeError('its contents are past the end of the file')
  const plain = block.references.filter(({ type }) => type < UNWIND_PERSONALITY)
  const relocations = plain.map((reference) => relocationOf(filling, options, reference))
  const code = zero ? size : image.bytes.subarray(start, start + size)
  const name = `${section.segment},${section.name}` as BlockSection
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

function handleOf({ blocks, imports }: Filling, target: number): BlockHandle | ImportHandle {
  const list: readonly (BlockHandle | ImportHandle)[] = target % 2 === 1 ? imports : blocks
  const handle = list[Math.floor(target / 2)]
  if (handle === undefined) throw new TypeError(`there is no target ${target}`)
  return handle
}

function relocationOf(filling: Filling, { arch }: ImageOptions, reference: RecordedReference): BlockRelocation {
  const { offset, type, width, target, addend } = reference
  const handle = handleOf(filling, target)
  const size = width === 4 || width === 8 ? width : 8
  return { offset, type: ARCHITECTURES[arch].relocationNames[type] ?? `type ${type}`, target: handle, addend, size }
}
