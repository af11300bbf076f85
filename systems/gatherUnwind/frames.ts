// FDEs of one `__TEXT,__eh_frame` section: rows for functions that compact unwind does not describe.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { locate } from '../../components/link.ts'
import { UNWIND_DWARF } from '../../components/unwinds.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { error } from '../../src/core/messages.ts'
import {
  EH_FDE,
  type EhFrames,
  ehPointerWidth,
  fdeEncodingFor,
  readEhPointer,
  splitEhFrame,
} from '../../src/formats/ehFrame.ts'
import { findBlock } from '../kernels/findBlock.ts'
import { enterSection, type Landing, type Site } from '../kernels/references.ts'

export function gatherFrames(link: Link, section: number, site: Site): void {
  enterSection(site, link, section)
  try {
    const frames = splitEhFrame(site.bytes, site.contents, site.contents + link.sections.Header.size[section])
    const landing: Landing = { block: 0, offset: 0 }
    const first = link.sections.Blocks.first[section]
    for (let i = 0; i < frames.count; i++) {
      if (frames.kind[i] === EH_FDE) gatherFrame(link, site, frames, i, first, landing)
      else if (!link.settings.deadStrip) link.blocks.Extent.flags[first + i] |= BLOCK_LIVE // ld64.lld keeps CIEs that nothing uses
    }
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    const offset = trouble.offset - link.files.Source.position[site.file]
    error(link.messages, trouble.id, trouble.message, locate(link, site.file, { section: '__eh_frame', offset }))
  }
}

function gatherFrame(link: Link, site: Site, frames: EhFrames, i: number, first: number, landing: Landing): void {
  const { Range, Entry } = link.unwinds
  const block = first + i
  if (!follow(link, site, block, frames.at[i] + frames.functionAt[i], frames.functionEncoding[i], landing)) return
  if (describedCompactly(link, landing)) return
  const row = ++link.unwinds.count
  const lengthAt = site.contents + frames.at[i] + frames.lengthAt[i]
  Range.block[row] = landing.block
  Range.offset[row] = landing.offset
  Range.length[row] = readEhPointer(site.bytes, lengthAt, frames.functionEncoding[i] & 0x0f)
  Range.flags[row] = UNWIND_DWARF
  Entry.encoding[row] = fdeEncodingFor(link.arch.name)
  Entry.fde[row] = block
  Entry.cie[row] = first + frames.cie[i]
  if (frames.lsdaAt[i] === 0) return
  if (!follow(link, site, block, frames.at[i] + frames.lsdaAt[i], frames.lsdaEncoding[i], landing)) return
  Entry.lsda[row] = landing.block
  Entry.lsdaOffset[row] = landing.offset
}

function describedCompactly(link: Link, landing: Landing): boolean {
  const { Range } = link.unwinds
  for (let row = link.blocks.Links.unwind[landing.block]; row !== 0; row = Range.next[row])
    if (Range.offset[row] === landing.offset) return true
  return false
}

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
