// Reading one relocation: what it refers to and with which addend. Shared by the systems that walk relocations.
import { CONTENT_DROPPED } from '../../components/sections.ts'
import { arenaOfFile, type Link } from '../../components/link.ts'
import {
  R_ADDEND,
  R_BYTE4,
  R_BYTE8,
  R_KNOWN,
  R_LOCAL,
  R_PCREL,
  R_POINTER,
  R_SUBTRAHEND,
  R_UNSIGNED,
} from '../../src/arch/arch.ts'
import { findBlock } from './findBlock.ts'

/** Everything that is the same for all relocations of one input section, hoisted once. */
export interface Site {
  section: number
  file: number
  words: Uint32Array
  bytes: Uint8Array
  view: DataView
  /** Word index of the section's first record; byte position of its contents. */
  records: number
  contents: number
  address: number
  firstSymbol: number
  symbolCount: number
  firstSection: number
  sectionCount: number
}

export function createSite(): Site {
  const words = new Uint32Array(0)
  const bytes = new Uint8Array(0)
  const view = new DataView(bytes.buffer)
  return {
    section: 0,
    file: 0,
    words,
    bytes,
    view,
    records: 0,
    contents: 0,
    address: 0,
    firstSymbol: 0,
    symbolCount: 0,
    firstSection: 0,
    sectionCount: 0,
  }
}

export function enterSection(site: Site, link: Link, section: number): void {
  const { sections, files } = link
  if (site.section === section) return
  const file = sections.Header.file[section]
  const arena = arenaOfFile(link, file)
  site.section = section
  site.file = file
  site.words = arena.words
  site.bytes = arena.bytes
  site.view = arena.view
  site.records = sections.Relocations.position[section] / 4
  site.contents = sections.Bytes.position[section]
  site.address = sections.Header.address[section]
  site.firstSymbol = files.Ranges.symbol[file]
  site.symbolCount = files.Ranges.symbols[file]
  site.firstSection = files.Ranges.section[file]
  site.sectionCount = files.Ranges.sections[file]
}

/** Validity by type:4, extern:1, length:2, pcrel:1 (the record's top byte): 1 is well formed. */
export function relocationForms(attributes: Uint16Array): Uint8Array {
  const forms = new Uint8Array(256)
  for (let form = 0; form < 256; form++) {
    const is = attributes[form >>> 4]
    const wide = ((form >>> 1) & 3) === 2 ? R_BYTE4 : ((form >>> 1) & 3) === 3 ? R_BYTE8 : 0
    const external = (form & 8) !== 0 || (is & (R_LOCAL | R_ADDEND)) !== 0
    const pcrel = ((form & 1) !== 0) === wantsDistance(is, (form >>> 1) & 3)
    if (is & R_KNOWN && is & wide && external && pcrel) forms[form] = 1
  }
  return forms
}

/** Whether a relocation of 2^`length` bytes with these attributes has to be PC-relative. */
export function wantsDistance(is: number, length: number): boolean {
  return (is & R_PCREL) !== 0 && !(is & R_POINTER && length === 3)
}

/** The addend that the field holds: 4 bytes, or 8 less the top one (see embeddedTag), of contents on x86_64 and for UNSIGNED; arm64 instructions hold none. */
export function embeddedAddend(link: Link, site: Site, word: number, at: number): number {
  const type = word >>> 28
  const is = link.arch.attributes[type]
  const place = site.contents + at
  if (((word >>> 25) & 3) === 3)
    return ((site.view.getInt32(place + 4, true) << 8) >> 8) * 4294967296 + site.view.getUint32(place, true)
  if (link.arch.name === 'x86_64') return site.view.getInt32(place, true) + link.arch.pcOffsets[type]
  return is & (R_UNSIGNED | R_SUBTRAHEND) ? site.view.getInt32(place, true) : 0
}

/** The tag in the top byte of an 8-byte field (libc++abi marks type names that are not unique with bit 63); 0 for a plain addend. */
export function embeddedTag(site: Site, at: number): number {
  const high = site.view.getInt32(site.contents + at + 4, true)
  return (high << 8) >> 8 === high ? 0 : high >>> 24
}

/** The field lies in its section: checked by scan for messages, here only to read safely. */
export function isInside(site: Site, link: Link, word: number, record: number): boolean {
  const at = site.words[site.records + record * 2]
  return at + (((word >>> 25) & 3) === 3 ? 8 : 4) <= link.sections.Header.size[site.section]
}

/** Where a section-relative reference lands. */
export interface Landing {
  block: number
  offset: number
}

/** Resolves a relocation that names a section: the field holds an address of the input file (pc-relative: a distance to it). */
export function landInSection(link: Link, site: Site, word: number, at: number, landing: Landing): boolean {
  const section = site.firstSection + (word & 0xffffff) - 1
  const { sections } = link
  let address = embeddedAddend(link, site, word, at)
  if (link.arch.attributes[word >>> 28] & R_PCREL) address += site.address + at + 4
  const count = sections.Blocks.count[section]
  landing.block = 0
  if (count === 0 || sections.Header.content[section] === CONTENT_DROPPED) return false
  const offset = address - sections.Header.address[section]
  landing.block = findBlock(link.blocks.Extent.offset, sections.Blocks.first[section], count, offset)
  landing.offset = offset - link.blocks.Extent.offset[landing.block]
  return true
}
