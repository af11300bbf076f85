// Opens an object: its symbols become blocks, with what lies up to the next one. What blocks cannot say is refused, since flush writes
// the whole object from them.
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { FormatError } from '../core/bytes.ts'
import * as macho from '../formats/macho/constants.ts'
import type { Image, ImageSection } from '../formats/macho/image.ts'
import { readPlatform } from './readOptions.ts'
import {
  checkWanted,
  type ObjectParts,
  type ObjectPiece,
  type ObjectRelocation,
  pieceAt,
  readObject,
  readRelocations,
  refuseObject,
} from './readObject.ts'
import { readObjectUnwind } from './readObjectUnwind.ts'
import type {
  BlockHandle,
  BlockImage,
  BlockRelocation,
  BlockSection,
  BlockUnwind,
  BlockUpdate,
  ImageOptions,
  OpenOptions,
} from './types.ts'

/** Sections that blocks are in, by those of the file; literals stand on their own then. */
const SECTIONS: Readonly<Record<string, BlockSection>> = {
  '__TEXT,__text': '__TEXT,__text',
  '__TEXT,__const': '__TEXT,__const',
  '__TEXT,__cstring': '__TEXT,__const',
  '__TEXT,__literal4': '__TEXT,__const',
  '__TEXT,__literal8': '__TEXT,__const',
  '__TEXT,__literal16': '__TEXT,__const',
  '__TEXT,__gcc_except_tab': '__TEXT,__const',
  '__DATA,__const': '__DATA_CONST,__const',
  '__DATA,__data': '__DATA,__data',
  '__DATA,__bss': '__DATA,__bss',
  '__DATA,__common': '__DATA,__common',
}
const THREAD_VARIABLES = macho.S_THREAD_LOCAL_VARIABLES
const THREAD_TEMPLATES: readonly number[] = [macho.S_THREAD_LOCAL_REGULAR, macho.S_THREAD_LOCAL_ZEROFILL]
/** Of their sections: the unwinder's, which is made anew. */
const UNWIND_SECTIONS = ['__LD,__compact_unwind', '__TEXT,__eh_frame']
const DESCRIPTOR_SIZE = 24
const MOST_ALIGN_POW2 = 12

interface Opening {
  parts: ObjectParts
  to: BlockImage
  /** By symbol; handles of what has no block come when something refers to it. */
  handles: (BlockHandle | undefined)[]
  blocks: Map<ObjectPiece, BlockHandle>
  relocations: Map<ObjectPiece, ObjectRelocation[]>
}

/** @throws FormatError `not-editable` where blocks cannot say what the object does. */
export function openObject(image: Image, options: OpenOptions, create: (all: ImageOptions) => BlockImage): BlockImage {
  const parts = readObject(image)
  const { name } = parts.arch
  const to = create({ ...options, arch: name, outputType: 'object', platform: readPlatform(image, name) })
  const opening: Opening = { parts, to, handles: [], blocks: new Map(), relocations: new Map() }
  try {
    for (const section of image.sections) checkSection(section)
    checkWanted(parts)
    declare(opening)
    for (let number = 1; number <= image.sections.length; number++) findRelocations(opening, number)
    fill(opening)
    exportAll(opening)
  } catch (trouble) {
    if (!(trouble instanceof TypeError)) throw trouble
    throw new FormatError('not-editable', trouble.message, 0)
  }
  return to
}

function nameOf({ segment, name }: ImageSection): string {
  return `${segment},${name}`
}

function typeOf({ flags }: ImageSection): number {
  return flags & macho.SECTION_TYPE
}

function isThreadLocal(section: ImageSection): boolean {
  return typeOf(section) === THREAD_VARIABLES || THREAD_TEMPLATES.includes(typeOf(section))
}

function checkSection(section: ImageSection): void {
  const { size, offset, flags } = section
  if (size === 0 || UNWIND_SECTIONS.includes(nameOf(section))) return
  if (!isThreadLocal(section) && SECTIONS[nameOf(section)] === undefined)
    refuseObject(`blocks are in no section ${nameOf(section)}`, offset)
  if (flags & (macho.S_ATTR_NO_DEAD_STRIP | macho.S_ATTR_LIVE_SUPPORT))
    refuseObject(`${nameOf(section)} has attributes that blocks do not`, offset)
}

function sectionOf({ parts }: Opening, piece: ObjectPiece): ImageSection {
  return parts.image.sections[piece.section - 1]
}

/** In the order of symbols, which is what blocks of one name are told apart by; those without a name come last. */
function declare(opening: Opening): void {
  const { parts, to, blocks } = opening
  const all = parts.pieces.flat().filter((piece) => isBlock(sectionOf(opening, piece)))
  all.sort(
    (a, b) => (a.symbol < 0 ? parts.symbols.length : a.symbol) - (b.symbol < 0 ? parts.symbols.length : b.symbol),
  )
  for (const piece of all) {
    const section = sectionOf(opening, piece)
    const name = parts.symbols[piece.symbol]?.name ?? `l${section.name}.${piece.start - section.address}`
    blocks.set(piece, to.declareBlock(name))
  }
}

/** What a variable begins with goes with its descriptor. */
function isBlock(section: ImageSection): boolean {
  return !THREAD_TEMPLATES.includes(typeOf(section)) && !UNWIND_SECTIONS.includes(nameOf(section))
}

function findRelocations(opening: Opening, number: number): void {
  const section = opening.parts.image.sections[number - 1]
  if (UNWIND_SECTIONS.includes(nameOf(section))) return
  for (const relocation of readRelocations(opening.parts, section)) {
    const piece = pieceAt(opening.parts, number, section.address + relocation.address)
    if (piece === null) refuseObject(`a relocation of ${nameOf(section)} is in no block`, section.relocationsAt)
    const own = opening.relocations.get(piece) ?? []
    own.push(relocation)
    opening.relocations.set(piece, own)
  }
}

/** The block or name that a relocation leads to, and bytes from there. */
function targetOf(opening: Opening, relocation: ObjectRelocation): { target: BlockHandle; addend: number } {
  const { parts, blocks } = opening
  const { symbol, section, place, addend } = relocation
  const known = parts.symbols[symbol]
  if (known !== undefined && (known.type & macho.N_TYPE) === macho.N_UNDF)
    return { target: undefinedOf(opening, symbol), addend }
  const [number, at] = known === undefined ? [section, place] : [known.section, known.value]
  const piece = pieceAt(parts, number, at)
  const target = piece === null ? undefined : blocks.get(piece)
  if (piece === null || target === undefined) refuseObject(`something refers to ${at}, which is in no block`, 0)
  return { target, addend: addend + at - piece.start }
}

/** A name that is defined elsewhere, or tentatively. */
function undefinedOf(opening: Opening, symbol: number): BlockHandle {
  const { handles, to, parts } = opening
  const { name, desc } = parts.symbols[symbol]
  handles[symbol] ??= to.declareUndefined(name, { weak: (desc & macho.N_WEAK_REF) !== 0 })
  return handles[symbol]
}

function fill(opening: Opening): void {
  const { blocks, to, parts } = opening
  const unwinds = readObjectUnwind(parts, (relocation) => targetOf(opening, relocation))
  for (const [piece, block] of blocks) {
    const section = sectionOf(opening, piece)
    const update = typeOf(section) === THREAD_VARIABLES ? variableOf(opening, piece) : contentsOf(opening, piece)
    to.updateBlock(block, { ...update, ...unwindOf(unwinds, piece) })
  }
  for (const [i, symbol] of parts.symbols.entries()) if (isTentative(symbol)) define(opening, i)
}

function unwindOf(unwinds: Map<ObjectPiece, BlockUnwind>, piece: ObjectPiece): Pick<BlockUpdate, 'unwind'> {
  const unwind = unwinds.get(piece)
  return unwind === undefined ? {} : { unwind }
}

function isTentative({ type, value }: ObjectParts['symbols'][number]): boolean {
  return (type & macho.N_TYPE) === macho.N_UNDF && value > 0
}

/** A tentative definition is a block of its name, which others refer to by that. */
function define({ to, parts }: Opening, symbol: number): void {
  const { name, desc, value, type } = parts.symbols[symbol]
  const block = to.declareBlock(name)
  to.updateBlock(block, { section: '__DATA,__common', code: value, align: 2 ** ((desc >> 8) & 15) })
  to.exportSymbol(block, { hidden: (type & macho.N_PEXT) !== 0 })
}

function contentsOf(opening: Opening, piece: ObjectPiece): BlockUpdate {
  const section = sectionOf(opening, piece)
  const { symbols } = opening.parts
  // Exported, it would be a tentative definition.
  const exported = ((symbols[piece.symbol]?.type ?? 0) & macho.N_EXT) !== 0
  const common = nameOf(section) === '__DATA,__common' && exported
  const name = common ? '__DATA,__bss' : SECTIONS[nameOf(section)]
  return { section: name, ...bytesOf(opening, piece), relocations: relocationsOf(opening, piece, section) }
}

/** Aligned as its section is, as far as its place there is. */
function bytesOf(opening: Opening, { section: number, start, end }: ObjectPiece): Pick<BlockUpdate, 'code' | 'align'> {
  const { bytes, sections } = opening.parts.image
  const section = sections[number - 1]
  const offset = start - section.address
  if (section.align > MOST_ALIGN_POW2) refuseObject(`${nameOf(section)} is aligned to 2^${section.align}`, 0)
  let align = 2 ** section.align
  while (offset % align !== 0) align /= 2
  const at = section.offset + offset
  return { code: isZeroFillType(section.flags) ? end - start : bytes.slice(at, at + end - start), align }
}

function relocationsOf(opening: Opening, piece: ObjectPiece, { address }: ImageSection): BlockRelocation[] {
  const { relocationNames } = opening.parts.arch
  return (opening.relocations.get(piece) ?? []).map((relocation) => ({
    offset: relocation.address + address - piece.start,
    type: relocationNames[relocation.type] ?? `type ${relocation.type}`,
    ...targetOf(opening, relocation),
    ...(relocation.width === 4 ? { size: 4 } : {}),
  }))
}

/** A descriptor leads to what the variable begins with. */
function variableOf(opening: Opening, piece: ObjectPiece): BlockUpdate {
  const { parts } = opening
  const section = sectionOf(opening, piece)
  const relocations = opening.relocations.get(piece) ?? []
  const initial = relocations.find(({ address }) => address + section.address === piece.start + 16)
  if (piece.end - piece.start !== DESCRIPTOR_SIZE || relocations.length !== 2 || initial === undefined)
    refuseObject(`a thread-local variable of ${nameOf(section)} is not as dyld expects it`, section.offset)
  const symbol = parts.symbols[initial.symbol]
  const place = symbol === undefined ? initial.place : symbol.value + initial.addend
  const template = pieceAt(parts, symbol?.section ?? initial.section, place)
  const isTemplate = template !== null && THREAD_TEMPLATES.includes(typeOf(sectionOf(opening, template)))
  if (!isTemplate || template.start !== place)
    refuseObject(`a thread-local variable of ${nameOf(section)} begins with nothing`, section.offset)
  const from = sectionOf(opening, template)
  return { threadLocal: true, ...bytesOf(opening, template), relocations: relocationsOf(opening, template, from) }
}

function exportAll({ parts, blocks, to }: Opening): void {
  for (const [piece, block] of blocks) {
    const { type, desc } = parts.symbols[piece.symbol] ?? { type: 0, desc: 0 }
    if ((type & macho.N_EXT) === 0) continue
    to.exportSymbol(block, { hidden: (type & macho.N_PEXT) !== 0, weak: (desc & macho.N_WEAK_DEF) !== 0 })
  }
}
