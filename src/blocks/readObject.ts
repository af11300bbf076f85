// Reads an object into plain values for edits: its symbols, the pieces that they cut sections into, and what relocations say. Nothing of
// the file is trusted.
import { isZeroFillType } from '../../systems/kernels/outputKinds.ts'
import { type Arch, R_ADDEND, R_PCREL, R_SUBTRAHEND, R_UNSIGNED } from '../arch/arch.ts'
import { ARCHITECTURES } from '../arch/architectures.ts'
import { cstringEnd, FormatError, readI32, readU16, readU32, readU64, toText } from '../core/bytes.ts'
import * as macho from '../formats/macho/constants.ts'
import type { Image, ImageSection } from '../formats/macho/image.ts'

export interface ObjectSymbol {
  name: string
  type: number
  /** n_sect, 0 for none. */
  section: number
  desc: number
  value: number
}

/** What one block is to be. */
export interface ObjectPiece {
  section: number
  start: number
  end: number
  /** Index of the symbol that names it, or -1. */
  symbol: number
}

export interface ObjectRelocation {
  /** Place in the section, and number of the type. */
  address: number
  type: number
  width: number
  /** Index of a symbol, or -1 where `place` is the target's address and `section` its section. */
  symbol: number
  place: number
  section: number
  addend: number
}

export interface ObjectParts {
  image: Image
  arch: Arch
  symbols: ObjectSymbol[]
  /** By section, from 1: in the order of addresses. */
  pieces: ObjectPiece[][]
}

/** Both together: a weak definition that may be hidden, which it need not be. */
const KNOWN_DESC = macho.N_WEAK_DEF | macho.N_WEAK_REF
const MOST_SYMBOLS = 2 ** 22
const MOST_PIECES = 2 ** 22
/** How often, on average, a byte of the string table may be part of a name. */
const MAX_SHARING = 64
const EXTERN = 1 << 27
const SCATTERED = 2 ** 31
/** Bytes of a section's entries that linkers take one by one. */
const LITERALS: Readonly<Record<number, number>> = {
  [macho.S_4BYTE_LITERALS]: 4,
  [macho.S_8BYTE_LITERALS]: 8,
  [macho.S_16BYTE_LITERALS]: 16,
}

export function refuseObject(text: string, offset: number): never {
  throw new FormatError('not-editable', text, offset)
}

/** @throws FormatError where its blocks are not to be told from one another, or it says more than a written object would. */
export function readObject(image: Image): ObjectParts {
  const arch = Object.values(ARCHITECTURES).find(({ cputype }) => cputype === image.cpuType)
  if (arch === undefined) refuseObject(`got CPU type ${image.cpuType}`, 4)
  if ((image.flags & macho.MH_SUBSECTIONS_VIA_SYMBOLS) === 0)
    refuseObject('its blocks may not move: expected an object with .subsections_via_symbols', 24)
  for (const { cmd, at } of image.commands)
    if (cmd === macho.LC_LINKER_OPTION) refuseObject('it has options for the linker', at)
  if ((image.tables.get(macho.LC_DATA_IN_CODE)?.size ?? 0) > 0) refuseObject('it has data in code', 0)
  checkTogether(image)
  for (const section of image.sections) checkSection(image, section)
  const symbols = readSymbols(image)
  return { image, arch, symbols, pieces: cut(image, symbols) }
}

/** Sections share no bytes, and so what is made of them is bounded by the file. */
function checkTogether({ bytes, sections }: Image): void {
  const stored = sections.filter(({ flags }) => !isZeroFillType(flags))
  const contents = stored.reduce((sum, { size }) => sum + size, 0)
  const relocations = sections.reduce((sum, section) => sum + section.relocations * macho.RELOCATION_SIZE, 0)
  if (contents > bytes.length || relocations > bytes.length)
    refuseObject('its sections are together larger than the file', 0)
}

function checkSection({ bytes }: Image, section: ImageSection): void {
  const { segment, name, offset, size, relocationsAt, relocations } = section
  if (!isZeroFillType(section.flags) && offset + size > bytes.length)
    refuseObject(`section ${segment},${name} is past the end of the file`, offset)
  if (relocationsAt + relocations * macho.RELOCATION_SIZE > bytes.length)
    refuseObject(`relocations of ${segment},${name} are past the end of the file`, relocationsAt)
}

function readSymbols({ bytes, symtab, sections }: Image): ObjectSymbol[] {
  if (symtab === null) return []
  const { symbolOffset, symbolCount, stringOffset, stringSize } = symtab
  const end = stringOffset + stringSize
  if (symbolCount > MOST_SYMBOLS || symbolOffset + symbolCount * macho.NLIST_SIZE > bytes.length || end > bytes.length)
    refuseObject('the symbol table is past the end of the file', symbolOffset)
  let spelled = 0
  return Array.from({ length: symbolCount }, (_, i) => {
    const at = symbolOffset + i * macho.NLIST_SIZE
    const string = stringOffset + readU32(bytes, at)
    const terminator = string < end ? cstringEnd(bytes, string, end) : end
    if (terminator >= end) refuseObject(`a symbol's name at ${string} of the file has no end`, at)
    spelled += terminator - string
    if (spelled > stringSize * MAX_SHARING) refuseObject('too many symbols share their names', at)
    const symbol = {
      name: toText(bytes, string, terminator),
      type: bytes[at + 4],
      section: bytes[at + 5],
      desc: readU16(bytes, at + 6),
      value: readU64(bytes, at + 8),
    }
    checkSymbol(symbol, sections, at)
    return symbol
  })
}

function checkSymbol({ name, type, section, desc, value }: ObjectSymbol, sections: ImageSection[], at: number): void {
  if (type & macho.N_STAB) refuseObject('it has a debug map', at)
  const kind = type & macho.N_TYPE
  if (kind === macho.N_UNDF && type & macho.N_EXT) return
  if (kind !== macho.N_SECT) refuseObject(`${name} has no section`, at)
  const known = sections[section - 1]
  if (known === undefined || value < known.address || value > known.address + known.size)
    refuseObject(`${name} is not in its section`, at)
  if (desc & ~KNOWN_DESC) refuseObject(`${name} has attributes 0x${desc.toString(16)}, which blocks do not`, at)
}

/** Of symbols at one address the least is the name: assemblers' own names are no definitions. */
function rankOf({ name, type }: ObjectSymbol): number {
  if (type & macho.N_EXT || !/^[lL]/.test(name)) return 0
  return name.startsWith('ltmp') ? 2 : 1
}

function cut(image: Image, symbols: readonly ObjectSymbol[]): ObjectPiece[][] {
  const names = image.sections.map(() => new Map<number, number>())
  for (const [i, symbol] of symbols.entries()) {
    if ((symbol.type & macho.N_TYPE) !== macho.N_SECT) continue
    const own = names[symbol.section - 1]
    const known = own.get(symbol.value)
    if (known !== undefined && rankOf(symbols[known]) === 0 && rankOf(symbol) === 0)
      refuseObject(`${symbols[known].name} and ${symbol.name} are names of one place`, symbol.value)
    if (known === undefined || rankOf(symbol) < rankOf(symbols[known])) own.set(symbol.value, i)
  }
  for (const [i, { address, size }] of image.sections.entries()) {
    const last = symbols[names[i].get(address + size) ?? -1]
    if (last !== undefined && rankOf(last) === 0)
      refuseObject(`${last.name} is the end of its section, and names no block`, last.value)
  }
  const pieces = image.sections.map((section, i) => cutSection(image, section, i + 1, names[i]))
  return [[], ...pieces]
}

/** At its symbols, and literals at their ends. */
function cutSection(
  { bytes }: Image,
  section: ImageSection,
  number: number,
  names: Map<number, number>,
): ObjectPiece[] {
  const { address, size, offset, flags } = section
  const starts = new Set([...names.keys()].filter((at) => at < address + size))
  const add = (start: number): void => {
    if (starts.size >= MOST_PIECES) refuseObject(`${section.segment},${section.name} has too many literals`, offset)
    starts.add(start)
  }
  const width = LITERALS[flags & macho.SECTION_TYPE]
  if (width !== undefined) for (let at = 0; at < size; at += width) add(address + at)
  if ((flags & macho.SECTION_TYPE) === macho.S_CSTRING_LITERALS)
    for (let at = 0; at < size - 1; at++) if (bytes[offset + at] === 0) add(address + at + 1)
  if (size > 0) starts.add(address)
  const sorted = [...starts].sort((a, b) => a - b)
  return sorted.map((start, i) => ({
    section: number,
    start,
    end: sorted[i + 1] ?? address + size,
    symbol: names.get(start) ?? -1,
  }))
}

/** The piece of a section that an address is in, or that ends there. */
export function pieceAt({ pieces }: ObjectParts, section: number, address: number): ObjectPiece | null {
  const own = pieces[section] ?? []
  let [low, high] = [0, own.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (own[middle].start <= address) low = middle + 1
    else high = middle
  }
  return low > 0 && address <= own[low - 1].end ? own[low - 1] : null
}

/** Undefined names that no relocation of any section has: linkers look for them all the same. */
export function checkWanted({ image, symbols }: ObjectParts): void {
  const named = new Set<number>()
  for (const { relocationsAt, relocations } of image.sections)
    for (let i = 0; i < relocations; i++) {
      const word = readU32(image.bytes, relocationsAt + i * macho.RELOCATION_SIZE + 4)
      if (word & EXTERN) named.add(word & 0xffffff)
    }
  for (const [i, { name, type, value }] of symbols.entries())
    if ((type & macho.N_TYPE) === macho.N_UNDF && value === 0 && !named.has(i))
      refuseObject(`${name} is asked for, and nothing refers to it`, 0)
}

/** Of a section; subtrahends stand in front of their minuends, addends are in `addend`. */
export function readRelocations(parts: ObjectParts, section: ImageSection): ObjectRelocation[] {
  const { image, arch } = parts
  const found: ObjectRelocation[] = []
  let addend = 0
  for (let i = 0; i < section.relocations; i++) {
    const at = section.relocationsAt + i * macho.RELOCATION_SIZE
    const [address, word] = [readU32(image.bytes, at), readU32(image.bytes, at + 4)]
    const type = word >>> 28
    const width = 2 ** ((word >>> 25) & 3)
    const is = arch.attributes[type] ?? 0
    if (is & R_ADDEND) {
      addend = (word << 8) >> 8
      continue
    }
    if (address >= SCATTERED || address + width > section.size || (width !== 4 && width !== 8))
      refuseObject(`a relocation of ${section.segment},${section.name} is outside of it`, at)
    const made = readOne(parts, { section, at, address, type, width, is, word }, addend)
    const before = found[found.length - 1]
    if (made.symbol < 0 && before !== undefined && (arch.attributes[before.type] & R_SUBTRAHEND) !== 0)
      refuseObject('a difference is taken of a place without a name', at)
    found.push(made)
    addend = 0
  }
  return found
}

interface RelocationSite {
  section: ImageSection
  /** Of the record. */
  at: number
  address: number
  type: number
  width: number
  is: number
  word: number
}

function readOne(parts: ObjectParts, site: RelocationSite, given: number): ObjectRelocation {
  const { address, type, width, is, word } = site
  const number = word & 0xffffff
  const external = (word & EXTERN) !== 0
  const addend = is & R_SUBTRAHEND ? 0 : given + fieldOf(parts, site)
  if (external) {
    if (number >= parts.symbols.length) refuseObject(`a relocation names symbol ${number}`, site.at)
    return { address, type, width, symbol: number, place: 0, section: 0, addend }
  }
  if (parts.image.sections[number - 1] === undefined) refuseObject(`a relocation names section ${number}`, site.at)
  if (is & R_SUBTRAHEND) refuseObject('a difference is taken from a place without a name', site.at)
  const place = addend + (is & R_PCREL ? site.section.address + address + 4 : 0)
  return { address, type, width, symbol: -1, place, section: number, addend: 0 }
}

/** What the field holds of the addend. */
function fieldOf({ image, arch }: ObjectParts, { section, address, type, width, is }: RelocationSite): number {
  const at = section.offset + address
  if (isZeroFillType(section.flags)) refuseObject(`${section.segment},${section.name} holds nothing to relocate`, 0)
  const low = readI32(image.bytes, at)
  if (is & R_UNSIGNED) return width === 8 ? readI32(image.bytes, at + 4) * 2 ** 32 + (low >>> 0) : low
  return arch.name === 'x86_64' || type === macho.ARM64_RELOC_POINTER_TO_GOT ? low + arch.pcOffsets[type] : 0
}
