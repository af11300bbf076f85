// Splits the sections of one object into blocks and puts its symbols into them.
import type { Link } from '../../components/link.ts'
import { fileText, locate } from '../../components/link.ts'
import { FILE_SUBSECTIONS } from '../../components/files.ts'
import {
  CONTENT_CSTRING,
  CONTENT_DROPPED,
  CONTENT_COMPACT_UNWIND,
  CONTENT_EH_FRAME,
  CONTENT_LITERAL,
  CONTENT_RECORDS,
  CONTENT_REGULAR,
  CONTENT_ZEROFILL,
} from '../../components/sections.ts'
import { SYMBOL_CODE, SYMBOL_EXTERNAL, SYMBOL_OMITTED, SYMBOL_THREAD_LOCAL } from '../../components/symbols.ts'
import { error } from '../../src/core/messages.ts'
import { trailingZeros } from '../../src/core/words.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { findBlock } from '../kernels/findBlock.ts'
import { literalSize } from '../kernels/literalSize.ts'
import { symbolText } from '../kernels/places.ts'
import { splitFrames } from './frames.ts'
import type { Room } from './room.ts'
import { recordSize } from './sections.ts'
import { sectionFlags, setBlock } from './setBlock.ts'

/** Fills the block rows of `file` and the rows of its symbols. Returns false after an error (reported). */
export function loadBlocks(link: Link, file: number, room: Room): boolean {
  const { files, sections } = link
  const first = files.Ranges.section[file]
  let block = files.Ranges.block[file]
  for (let i = 0; i < files.Ranges.sections[file]; i++) {
    const section = first + i
    const content = sections.Header.content[section]
    sections.Blocks.first[section] = block
    if (content === CONTENT_DROPPED) continue
    const count =
      content === CONTENT_REGULAR || content === CONTENT_ZEROFILL
        ? splitAtSymbols(link, file, room, i, block)
        : splitContents(link, file, room, i, block, content)
    if (count < 0) return false
    sections.Blocks.count[section] = count
    block += count
  }
  files.Ranges.blocks[file] = block - files.Ranges.block[file]
  putSymbols(link, file, room)
  return true
}

/** Into the columns. */
function putSymbols(link: Link, file: number, { flags, offset, block }: Room): void {
  const { Definition } = link.symbols
  const first = link.files.Ranges.symbol[file]
  const count = link.files.Ranges.symbols[file]
  Definition.flags.set(flags.subarray(0, count), first)
  Definition.offset.set(offset.subarray(0, count), first)
  Definition.block.set(block.subarray(0, count), first)
}

/** One block, or with MH_SUBSECTIONS_VIA_SYMBOLS one from each symbol to the next, alternative entries left out. */
function splitAtSymbols(link: Link, file: number, room: Room, index: number, block: number): number {
  const { Header } = link.sections
  const { inner, records, order, starts, flags, offset, blockStarts, blockSizes, blockAligns } = room
  const section = link.files.Ranges.section[file] + index
  const count = inner.splitAtSymbols(
    records,
    order,
    // n_sect is a byte: nothing lies in later ones.
    starts[index + 1] ?? 0,
    starts[index + 2] ?? 0,
    Header.address[section],
    Header.size[section],
    link.files.Source.flags[file] & FILE_SUBSECTIONS,
    Header.alignPow2[section],
    symbolMarks(Header.flags[section]),
    block,
    flags,
    room.block,
    offset,
    blockStarts,
    blockSizes,
    blockAligns,
  )
  if (count < 0) return badOffset(link, file, -1 - count, section)
  putBlocks(link, section, block, count, room)
  return count
}

function putBlocks(link: Link, section: number, block: number, count: number, room: Room): void {
  const { Extent } = link.blocks
  Extent.section.fill(section, block, block + count)
  Extent.flags.fill(sectionFlags(link.sections.Header.flags[section]), block, block + count)
  Extent.offset.set(room.blockStarts.subarray(0, count), block)
  Extent.size.set(room.blockSizes.subarray(0, count), block)
  Extent.alignPow2.set(room.blockAligns.subarray(0, count), block)
}

function symbolMarks(flags: number): number {
  const code = flags & (macho.S_ATTR_PURE_INSTRUCTIONS | macho.S_ATTR_SOME_INSTRUCTIONS) ? SYMBOL_CODE : 0
  return code | ((flags & macho.SECTION_TYPE) === macho.S_THREAD_LOCAL_VARIABLES ? SYMBOL_THREAD_LOCAL : 0)
}

function addressOf({ records }: Room, index: number): number {
  return records[index * 4 + 2] + records[index * 4 + 3] * 4294967296
}

function badOffset(link: Link, file: number, index: number, section: number): -1 {
  const offset = link.files.Tables.nlist[file] - link.files.Source.position[file] + index * macho.NLIST_SIZE + 8
  const name = link.sectionNames.sections[link.sections.Header.name[section]]
  error(
    link.messages,
    'symbol-outside-section',
    `${locate(link, file).file}: symbol ${index} lies outside its section ${name}`,
    locate(link, file, { offset }),
  )
  return -1
}

/** Sections whose blocks are given by their contents: literals, records, frames; the rest is one block. */
function splitContents(link: Link, file: number, room: Room, index: number, block: number, content: number): number {
  const section = link.files.Ranges.section[file] + index
  let count = 1
  if (content === CONTENT_CSTRING) count = splitStrings(link, file, section, block)
  else if (content === CONTENT_LITERAL)
    count = splitEvenly(link, section, block, literalSize(link.sections.Header.flags[section]))
  else if (content === CONTENT_RECORDS)
    count = splitEvenly(
      link,
      section,
      block,
      recordSize(link.sectionNames.sections[link.sections.Header.name[section]]),
    )
  else if (content === CONTENT_EH_FRAME) count = splitFrames(link, section, block, room.frames)
  else {
    setBlock(link, block, section, 0, link.sections.Header.alignPow2[section])
    link.blocks.Extent.size[block] = link.sections.Header.size[section]
  }
  if (count >= 0 && !placeSymbols(link, file, room, index, block, count)) return -1
  return count
}

function placeSymbols(link: Link, file: number, room: Room, index: number, block: number, count: number): boolean {
  const { order, starts, flags, offset: offsets } = room
  const section = link.files.Ranges.section[file] + index
  const content = link.sections.Header.content[section]
  const frames = content === CONTENT_EH_FRAME || content === CONTENT_COMPACT_UNWIND
  const records = link.sections.Header.content[section] === CONTENT_RECORDS
  for (let i = starts[index + 1]; i < starts[index + 2]; i++) {
    const symbol = order[i]
    const offset = addressOf(room, symbol) - link.sections.Header.address[section]
    if (count === 0 && offset === 0 && link.sections.Header.size[section] === 0) {
      // A label that the assembler puts into each section, empty ones too: it stands for nothing (ld64.lld).
      flags[symbol] &= SYMBOL_EXTERNAL
      offsets[symbol] = 0
      continue
    }
    if (offset < 0 || offset > link.sections.Header.size[section] || count === 0) {
      badOffset(link, file, symbol, section)
      return false
    }
    const found = findBlock(link.blocks.Extent.offset, block, count, offset)
    room.block[symbol] = found
    offsets[symbol] = offset - link.blocks.Extent.offset[found]
    if (records && offsets[symbol] !== 0) badRecord(link, file, symbol, section)
    if (frames) flags[symbol] |= SYMBOL_OMITTED
  }
  return true
}

/** Records are placed one by one: a symbol inside of one could not follow. */
function badRecord(link: Link, file: number, index: number, section: number): void {
  const name = link.sectionNames.sections[link.sections.Header.name[section]]
  const symbol = symbolText(link, file, link.files.Ranges.symbol[file] + index)
  const text = `${fileText(link, file)}:(${name}):  symbol ${symbol} at misaligned offset`
  error(link.messages, 'misaligned-symbol', text, locate(link, file, { section: name, symbol }))
}

/** A string with its NUL is a block; its alignment is that of its place in the section. */
function splitStrings(link: Link, file: number, section: number, block: number): number {
  const { view } = link.arenas.list[link.files.Source.arena[file]]
  const { Extent } = link.blocks
  const alignPow2 = link.sections.Header.alignPow2[section]
  const base = link.sections.Bytes.position[section]
  const end = base + link.sections.Header.size[section]
  const delta = link.sections.Header.address[section] - base
  const flags = sectionFlags(link.sections.Header.flags[section])
  const start = block
  for (let from = base; from < end; block++) {
    const to = endOfString(view, from, end)
    if (to === end) return unterminated(link, file, section, from)
    Extent.section[block] = section
    Extent.offset[block] = from - base
    Extent.alignPow2[block] = trailingZeros(from + delta, alignPow2)
    Extent.flags[block] = flags
    Extent.size[block] = to + 1 - from
    from = to + 1
  }
  return block - start
}

/** 0x80808080, as an integer that needs no allocation. */
const HIGH_BITS = -0x7f7f7f80

/** Where the NUL is, or `end`. */
function endOfString(view: DataView, from: number, end: number): number {
  let at = from
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at, true)
    // The lowest set bit marks the first NUL byte of the word, if any.
    const nul = (word - 0x01010101) & ~word & HIGH_BITS
    if (nul !== 0) return at + ((31 - Math.clz32(nul & -nul)) >> 3)
  }
  while (at < end && view.getUint8(at) !== 0) at++
  return at
}

/** Reports the string at `at` in the arena; returns what tells of an error. */
function unterminated(link: Link, file: number, section: number, at: number): -1 {
  const name = link.sectionNames.sections[link.sections.Header.name[section]]
  const place = locate(link, file, { section: name, offset: at - link.files.Source.position[file] })
  error(link.messages, 'unterminated-string', `${place.file}: string in ${name} is not null terminated`, place)
  return -1
}

function splitEvenly(link: Link, section: number, block: number, step: number): number {
  const size = link.sections.Header.size[section]
  const { alignPow2 } = link.sections.Header
  const start = block
  for (let offset = 0; offset < size; offset += step) {
    setBlock(link, block, section, offset, Math.min(alignPow2[section], trailingZeros(step, 31)))
    link.blocks.Extent.size[block++] = Math.min(step, size - offset)
  }
  return block - start
}
