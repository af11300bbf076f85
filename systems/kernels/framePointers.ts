// What the pointer fields of frame records lead to.
import type { Link } from '../../components/link.ts'
import { ehPointerWidth, readEhPointer } from '../../src/formats/ehFrame.ts'
import { findBlock } from './findBlock.ts'
import type { Landing, Site } from './references.ts'

/** Where the pointer field at section offset `at` of a frame record leads: by its relocations, else as a pc-relative address. */
export function follow(link: Link, site: Site, block: number, at: number, encoding: number, landing: Landing): boolean {
  const { Relocations } = link.blocks
  for (let i = Relocations.first[block]; i < Relocations.first[block] + Relocations.count[block]; i++) {
    if (site.words[site.records + i * 2] !== at) continue
    const word = site.words[site.records + i * 2 + 1]
    if (word >>> 28 !== 0) continue
    if ((word & 0x08000000) === 0)
      return atAddress(link, site, readEhPointer(site.bytes, site.contents + at, encoding & 0x0f), landing)
    const number = word & 0xffffff
    if (number >= site.symbolCount) return false
    landing.block = link.symbols.Definition.block[site.firstSymbol + number]
    landing.offset = link.symbols.Definition.offset[site.firstSymbol + number]
    return landing.block !== 0
  }
  const width = ehPointerWidth(encoding)
  if (width === 0) return false
  const value =
    width === 2
      ? readEhPointer(site.bytes, site.contents + at, encoding & 0x0f)
      : signedField(site, site.contents + at, width)
  return value !== 0 && atAddress(link, site, value + site.address + at, landing)
}

/** Distances are signed whatever the encoding says; 8 bytes are read as two words to stay exact. */
function signedField(site: Site, at: number, width: number): number {
  if (width === 4) return site.view.getInt32(at, true)
  return site.view.getInt32(at + 4, true) * 4294967296 + site.view.getUint32(at, true)
}

function atAddress(link: Link, site: Site, address: number, landing: Landing): boolean {
  const { Header, Blocks } = link.sections
  for (let section = site.firstSection; section < site.firstSection + site.sectionCount; section++) {
    const offset = address - Header.address[section]
    if (offset < 0 || offset >= Header.size[section] || Blocks.count[section] === 0) continue
    landing.block = findBlock(link.blocks.Extent.offset, Blocks.first[section], Blocks.count[section], offset)
    landing.offset = offset - link.blocks.Extent.offset[landing.block]
    return true
  }
  return false
}
