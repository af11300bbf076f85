// What a pointer in a block refers to, before addresses are known: a place in this image, or an import.
import type { Link } from '../../components/link.ts'
import { CONTENT_CSTRING, CONTENT_ZEROFILL, ORDER_DESCENDING } from '../../components/sections.ts'
import { SYMBOL_ABSOLUTE, TARGET_IMPORT } from '../../components/symbols.ts'
import { R_ADDEND, R_SUBTRAHEND, R_UNSIGNED } from '../../src/arch/arch.ts'
import { cstringEnd, toText } from '../../src/core/bytes.ts'
import { embeddedAddend, enterSection, type Landing, landInSection, type Site } from './references.ts'

/** `symbol` is the row that the relocation names (0: it names a section); `made` an import; `block` 0 when in no block. */
export interface Pointee extends Landing {
  symbol: number
  made: number
}

export function createPointee(): Pointee {
  return { block: 0, offset: 0, symbol: 0, made: 0 }
}

/** The first relocation record of `block` for the field at `offset` bytes into it, or -1. */
export function recordAt(link: Link, site: Site, block: number, offset: number): number {
  const { Extent, Relocations } = link.blocks
  enterSection(site, link, Extent.section[block])
  const at = Extent.offset[block] + offset
  const descending = link.sections.Relocations.order[site.section] === ORDER_DESCENDING
  let low = Relocations.first[block]
  let high = low + Relocations.count[block]
  const end = high
  while (low < high) {
    const middle = (low + high) >>> 1
    const place = site.words[site.records + middle * 2]
    if (descending ? place > at : place < at) low = middle + 1
    else high = middle
  }
  return low < end && site.words[site.records + low * 2] === at ? low : -1
}

/** Reads the pointer that record `record` of the entered section describes. Returns false for anything but a plain pointer. */
export function readPointee(link: Link, site: Site, record: number, into: Pointee): boolean {
  const at = site.words[site.records + record * 2]
  const word = site.words[site.records + record * 2 + 1]
  const is = link.arch.attributes[word >>> 28]
  into.block = into.offset = into.symbol = into.made = 0
  if ((is & R_UNSIGNED) === 0 || is & (R_ADDEND | R_SUBTRAHEND) || ((word >>> 25) & 3) !== 3) return false
  if (at + 8 > link.sections.Header.size[site.section]) return false
  const number = word & 0xffffff
  if ((word & 0x08000000) === 0)
    return number >= 1 && number <= site.sectionCount && landInSection(link, site, word, at, into)
  if (number >= site.symbolCount) return false
  into.symbol = site.firstSymbol + number
  const target = link.symbols.Reference.target[into.symbol]
  if (target & TARGET_IMPORT) {
    into.made = target & 0x7fffffff
    return true
  }
  if (target === 0 || link.symbols.Definition.flags[target] & SYMBOL_ABSOLUTE) return false
  into.block = link.symbols.Definition.block[target]
  into.offset = link.symbols.Definition.offset[target] + embeddedAddend(link, site, word, at)
  return into.block !== 0
}

/** The pointer `offset` bytes into `block`; false when there is none. */
export function pointerAt(link: Link, site: Site, block: number, offset: number, into: Pointee): boolean {
  const record = recordAt(link, site, block, offset)
  if (record >= 0) return readPointee(link, site, record, into)
  into.block = into.offset = into.symbol = into.made = 0
  return false
}

/** Position in its arena of `offset` bytes into a block; -1 outside of it and for zero-fill, which has no bytes. */
export function blockBytes(link: Link, block: number, offset: number): number {
  const { Extent } = link.blocks
  if (block === 0 || offset < 0 || offset >= Extent.size[block]) return -1
  if (link.sections.Header.content[Extent.section[block]] === CONTENT_ZEROFILL) return -1
  return link.sections.Bytes.position[Extent.section[block]] + Extent.offset[block] + offset
}

/** The arena that holds a block's contents. */
export function arenaOfBlock(link: Link, block: number): number {
  return link.files.Source.arena[link.sections.Header.file[link.blocks.Extent.section[block]]]
}

/** Whether it lies in a section of C strings: each ends in that. */
export function isString(link: Link, { block, offset }: Pointee): boolean {
  const isThere = blockBytes(link, block, offset) >= 0
  return isThere && link.sections.Header.content[link.blocks.Extent.section[block]] === CONTENT_CSTRING
}

/** The NUL-terminated text `offset` bytes into a block; empty when the block ends first. */
export function textAt(link: Link, block: number, offset: number): string {
  const position = blockBytes(link, block, offset)
  if (position < 0) return ''
  const { bytes } = link.arenas.list[arenaOfBlock(link, block)]
  const limit = position - offset + link.blocks.Extent.size[block]
  const end = cstringEnd(bytes, position, limit)
  return toText(bytes, position, end)
}
