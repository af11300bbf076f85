// FDEs of one `__TEXT,__eh_frame` section: rows for functions that compact unwind does not describe.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { locate } from '../../components/link.ts'
import { UNWIND_DWARF } from '../../components/unwinds.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { error } from '../../src/core/messages.ts'
import { EH_FDE, type EhFrames, fdeEncodingFor, readEhPointer } from '../../src/formats/ehFrame.ts'
import { S_ATTR_PURE_INSTRUCTIONS, S_ATTR_SOME_INSTRUCTIONS } from '../../src/formats/macho/constants.ts'
import { follow } from '../kernels/framePointers.ts'
import { frameRecords } from '../kernels/frameRecords.ts'
import { enterSection, type Landing, type Site } from '../kernels/references.ts'

export function gatherFrames(link: Link, section: number, site: Site): void {
  enterSection(site, link, section)
  try {
    const frames = frameRecords(link, section)
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
  checkRange(link, site, row, lengthAt)
  Entry.encoding[row] = fdeEncodingFor(link.arch.name)
  Entry.fde[row] = block
  Entry.cie[row] = first + frames.cie[i]
  if (frames.lsdaAt[i] === 0) return
  if (!follow(link, site, block, frames.at[i] + frames.lsdaAt[i], frames.lsdaEncoding[i], landing)) return
  Entry.lsda[row] = landing.block
  Entry.lsdaOffset[row] = landing.offset
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
