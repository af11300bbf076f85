// FDEs of one `__TEXT,__eh_frame` section: rows for functions that compact unwind does not describe.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { locate } from '../../components/link.ts'
import { UNWIND_DWARF } from '../../components/unwinds.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { error } from '../../src/core/messages.ts'
import { EH_FDE, type EhFrames, ehPointerWidth, fdeEncodingFor, readEhPointer } from '../../src/formats/ehFrame.ts'
import { S_ATTR_PURE_INSTRUCTIONS, S_ATTR_SOME_INSTRUCTIONS } from '../../src/formats/macho/constants.ts'
import { follow } from '../kernels/framePointers.ts'
import { frameRecords, hasDifferences } from '../kernels/frameRecords.ts'
import { type Encodings, lsdaField, readEncodings } from '../kernels/plainFrames.ts'
import { enterSection, type Landing, type Site } from '../kernels/references.ts'

/** `frame` is room for one CIE. */
export function gatherFrames(link: Link, section: number, site: Site, frame: EhFrames): void {
  enterSection(site, link, section)
  try {
    if (hasDifferences(link, section)) gatherRelocated(link, site, section)
    else gatherPlain(link, site, section, frame)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    const offset = trouble.offset - link.files.Source.position[site.file]
    error(link.messages, trouble.id, trouble.message, locate(link, site.file, { section: '__eh_frame', offset }))
  }
}

function gatherRelocated(link: Link, site: Site, section: number): void {
  const frames = frameRecords(link, section)
  const landing: Landing = { block: 0, offset: 0 }
  const first = link.sections.Blocks.first[section]
  for (let i = 0; i < frames.count; i++) {
    if (frames.kind[i] !== EH_FDE) {
      keepCie(link, first + i)
      continue
    }
    const at = frames.at[i]
    const encodings = { cie: first + frames.cie[i], pointers: frames.functionEncoding[i], lsda: frames.lsdaEncoding[i] }
    if (!follow(link, site, first + i, at + frames.functionAt[i], encodings.pointers, landing)) continue
    const lsdaAt = frames.lsdaAt[i] === 0 ? 0 : at + frames.lsdaAt[i]
    if (!describedCompactly(link, landing))
      addRow(link, site, first + i, at + frames.functionAt[i], lsdaAt, encodings, landing)
  }
}

/** ld64.lld keeps CIEs that nothing uses. */
function keepCie(link: Link, block: number): void {
  if (!link.settings.deadStrip) link.blocks.Extent.flags[block] |= BLOCK_LIVE
}

/**
 * Compilers write an FDE for each function and, for nearly all, an entry of compact unwind too: of such a record only the
 * function is read.
 */
function gatherPlain(link: Link, site: Site, section: number, frame: EhFrames): void {
  const { offset } = link.blocks.Extent
  const { view, contents } = site
  const landing: Landing = { block: 0, offset: 0 }
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  let encodings: Encodings = { cie: 0, pointers: 0, lsda: 0 }
  let cie = -1
  for (let block = first; block < end; block++) {
    const at = offset[block]
    const pointer = at + (view.getUint32(contents + at, true) === 0xffffffff ? 12 : 4)
    const distance = view.getUint32(contents + pointer, true)
    if (distance === 0) {
      keepCie(link, block)
      continue
    }
    if (pointer - distance !== cie) {
      cie = pointer - distance
      encodings = readEncodings(link, site, section, cie, frame)
    }
    if (!followPlain(link, site, block, pointer + 4, encodings.pointers, landing)) continue
    if (describedCompactly(link, landing)) continue
    addRow(link, site, block, pointer + 4, lsdaField(site, pointer + 4, encodings), encodings, landing)
  }
}

/** Functions stand in the order of their records: the block behind the last one's is the first guess. */
function followPlain(link: Link, site: Site, block: number, at: number, encoding: number, landing: Landing): boolean {
  const { section, offset } = link.blocks.Extent
  const next = landing.block + 1
  if (landing.block !== 0 && ehPointerWidth(encoding) === 8 && link.blocks.Relocations.count[block] === 0) {
    const place = site.contents + at
    const value = site.view.getInt32(place + 4, true) * 4294967296 + site.view.getUint32(place, true)
    const address = value + site.address + at
    const home = section[next]
    const isNext = home === section[landing.block] && address - link.sections.Header.address[home] === offset[next]
    if (value !== 0 && isNext && offset[next] < link.sections.Header.size[home]) {
      landing.block = next
      landing.offset = 0
      return true
    }
  }
  return follow(link, site, block, at, encoding, landing)
}

/** A row for the function at `landing`, which the FDE `block` describes: its pointer is at `at` in the section. */
function addRow(
  link: Link,
  site: Site,
  block: number,
  at: number,
  lsdaAt: number,
  encodings: Encodings,
  landing: Landing,
): void {
  const { Range, Entry } = link.unwinds
  const row = ++link.unwinds.count
  const lengthAt = site.contents + at + ehPointerWidth(encodings.pointers)
  Range.block[row] = landing.block
  Range.offset[row] = landing.offset
  Range.length[row] = readEhPointer(site.bytes, lengthAt, encodings.pointers & 0x0f)
  Range.flags[row] = UNWIND_DWARF
  checkRange(link, site, row, lengthAt)
  Entry.encoding[row] = fdeEncodingFor(link.arch.name)
  Entry.fde[row] = block
  Entry.cie[row] = encodings.cie
  if (lsdaAt === 0) return
  if (follow(link, site, block, lsdaAt, encodings.lsda, landing)) {
    Entry.lsda[row] = landing.block
    Entry.lsdaOffset[row] = landing.offset
  }
  landing.block = Range.block[row]
  landing.offset = Range.offset[row]
}

/** An FDE describes code; how much of it is cut at the end of the section, where ld64.lld takes any length. */
function checkRange(link: Link, site: Site, row: number, lengthAt: number): void {
  const { Range } = link.unwinds
  const { Extent } = link.blocks
  const { Header } = link.sections
  const section = Extent.section[Range.block[row]]
  const room = Header.size[section] - Extent.offset[Range.block[row]] - Range.offset[row]
  if (Range.length[row] > room) Range.length[row] = room
  if (Header.flags[section] & (S_ATTR_PURE_INSTRUCTIONS | S_ATTR_SOME_INSTRUCTIONS)) return
  const offset = lengthAt - link.files.Source.position[site.file]
  const place = locate(link, site.file, { section: '__eh_frame', offset })
  error(link.messages, 'eh-frame-range', 'record of __eh_frame describes a place without code', place)
}

function describedCompactly(link: Link, landing: Landing): boolean {
  const { Range } = link.unwinds
  for (let row = link.blocks.Links.unwind[landing.block]; row !== 0; row = Range.next[row])
    if (Range.offset[row] === landing.offset) return true
  return false
}
