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
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_ALT_ENTRY,
  SYMBOL_CODE,
  SYMBOL_COMMON,
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_OMITTED,
  SYMBOL_THREAD_LOCAL,
} from '../../components/symbols.ts'
import { error } from '../../src/core/messages.ts'
import { trailingZeros } from '../../src/core/align.ts'
import { createPlainScratch, type PlainScratch } from '../../src/formats/ehFramePlain.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { findBlock } from '../kernels/findBlock.ts'
import { literalSize } from '../kernels/literalSize.ts'
import { symbolText } from '../kernels/places.ts'
import { tablesOf } from '../kernels/symbolTables.ts'
import { splitFrames } from './frames.ts'
import { createNameScratch, type NameScratch } from './keepLocals.ts'
import { recordSize } from './sections.ts'
import { sectionFlags, setBlock } from './setBlock.ts'

/** Room for one object's symbols, grouped by section and sorted by address; made once, grown to the largest object. */
export interface SplitScratch {
  starts: Uint32Array
  order: Uint32Array
  keys: Float64Array
  frames: PlainScratch
  names: NameScratch
}

export function createSplitScratch(): SplitScratch {
  return {
    starts: new Uint32Array(258),
    order: new Uint32Array(1024),
    keys: new Float64Array(1024),
    frames: createPlainScratch(),
    names: createNameScratch(0),
  }
}

/** Fills the block rows of `file` and the block and offset of its symbols. Returns false after an error (reported). */
export function loadBlocks(link: Link, file: number, scratch: SplitScratch): boolean {
  const { files, sections } = link
  groupSymbols(link, file, scratch)
  const first = files.Ranges.section[file]
  let block = files.Ranges.block[file]
  for (let i = 0; i < files.Ranges.sections[file]; i++) {
    const section = first + i
    const content = sections.Header.content[section]
    sections.Blocks.first[section] = block
    if (content === CONTENT_DROPPED) continue
    const count =
      content === CONTENT_REGULAR || content === CONTENT_ZEROFILL
        ? splitAtSymbols(link, file, scratch, i, block)
        : splitContents(link, file, scratch, i, block, content)
    if (count < 0) return false
    sections.Blocks.count[section] = count
    block += count
  }
  files.Ranges.blocks[file] = block - files.Ranges.block[file]
  return true
}

/** Counting sort of the section symbols by section, then each group by (address, nlist order). */
function groupSymbols(link: Link, file: number, scratch: SplitScratch): void {
  const { files, symbols } = link
  const { flags } = symbols.Definition
  const { words } = tablesOf(link, file)
  const nlist = files.Tables.nlist[file] / 4
  const first = files.Ranges.symbol[file]
  const count = files.Ranges.symbols[file]
  if (scratch.order.length < count) {
    scratch.order = new Uint32Array(count * 2)
    scratch.keys = new Float64Array(count * 2)
  }
  const { starts, order } = scratch
  starts.fill(0)
  for (let i = 0; i < count; i++)
    if (isInSection(flags[first + i])) starts[((words[nlist + i * 4 + 1] >>> 8) & 0xff) + 1]++
  for (let section = 1; section < 258; section++) starts[section] += starts[section - 1]
  const fill = starts.slice()
  for (let i = 0; i < count; i++)
    if (isInSection(flags[first + i])) order[fill[(words[nlist + i * 4 + 1] >>> 8) & 0xff]++] = i
  for (let section = 1; section <= files.Ranges.sections[file] && section < 256; section++)
    sortByAddress(link, file, scratch, starts[section], starts[section + 1])
}

function isInSection(flags: number): boolean {
  return (flags & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE | SYMBOL_COMMON)) === SYMBOL_DEFINED
}

/** Compilers write symbols nearly in order: looked at first, sorted as numbers (address * 2^22 + index) when not. */
function sortByAddress(link: Link, file: number, scratch: SplitScratch, from: number, to: number): void {
  const address = link.symbols.Definition.offset
  const first = link.files.Ranges.symbol[file]
  const { order, keys } = scratch
  let sorted = true
  for (let i = from + 1; i < to; i++) if (address[first + order[i]] < address[first + order[i - 1]]) sorted = false
  if (sorted) return
  if (link.files.Ranges.symbols[file] >= 0x200000) {
    order.subarray(from, to).sort((a, b) => address[first + a] - address[first + b] || a - b)
    return
  }
  for (let i = from; i < to; i++) keys[i] = address[first + order[i]] * 0x200000 + order[i]
  keys.subarray(from, to).sort()
  // `%` of numbers past 2^31 is a call to fmod.
  for (let i = from; i < to; i++) order[i] = keys[i] - Math.floor(keys[i] / 0x200000) * 0x200000
}

/** One block, or with MH_SUBSECTIONS_VIA_SYMBOLS one from each symbol to the next, alternative entries left out. */
function splitAtSymbols(link: Link, file: number, scratch: SplitScratch, index: number, block: number): number {
  const { files, sections, symbols } = link
  const section = files.Ranges.section[file] + index
  const { block: blockOf, offset: offsetOf, flags } = symbols.Definition
  const { words } = tablesOf(link, file)
  const nlist = files.Tables.nlist[file] / 4
  const alignPow2 = sections.Header.alignPow2[section]
  const size = sections.Header.size[section]
  const address = sections.Header.address[section]
  const split = (files.Source.flags[file] & FILE_SUBSECTIONS) !== 0
  const firstSymbol = files.Ranges.symbol[file]
  const marks = symbolMarks(sections.Header.flags[section])
  const { order } = scratch
  const start = block
  let blockOffset = 0
  setBlock(link, block, section, 0, alignPow2)
  for (let i = scratch.starts[index + 1]; i < scratch.starts[index + 2]; i++) {
    const symbol = firstSymbol + order[i]
    const at = nlist + order[i] * 4
    const offset = words[at + 2] + words[at + 3] * 4294967296 - address
    if (offset < 0 || offset > size) return badOffset(link, file, order[i], section)
    if (split && offset !== blockOffset && (flags[symbol] & SYMBOL_ALT_ENTRY) === 0) {
      link.blocks.Extent.size[block] = offset - blockOffset
      blockOffset = offset
      setBlock(link, ++block, section, offset, trailingZeros(address + offset, alignPow2))
    }
    blockOf[symbol] = block
    offsetOf[symbol] = offset - blockOffset
    flags[symbol] |= marks
  }
  link.blocks.Extent.size[block] = size - blockOffset
  return block - start + 1
}

function symbolMarks(flags: number): number {
  const code = flags & (macho.S_ATTR_PURE_INSTRUCTIONS | macho.S_ATTR_SOME_INSTRUCTIONS) ? SYMBOL_CODE : 0
  return code | ((flags & macho.SECTION_TYPE) === macho.S_THREAD_LOCAL_VARIABLES ? SYMBOL_THREAD_LOCAL : 0)
}

function addressOf(link: Link, file: number, index: number): number {
  const { words } = tablesOf(link, file)
  const at = link.files.Tables.nlist[file] / 4 + index * 4
  return words[at + 2] + words[at + 3] * 4294967296
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
function splitContents(
  link: Link,
  file: number,
  scratch: SplitScratch,
  index: number,
  block: number,
  content: number,
): number {
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
  else if (content === CONTENT_EH_FRAME) count = splitFrames(link, section, block, scratch.frames)
  else {
    setBlock(link, block, section, 0, link.sections.Header.alignPow2[section])
    link.blocks.Extent.size[block] = link.sections.Header.size[section]
  }
  if (count >= 0 && !placeSymbols(link, file, scratch, index, block, count)) return -1
  return count
}

function placeSymbols(
  link: Link,
  file: number,
  scratch: SplitScratch,
  index: number,
  block: number,
  count: number,
): boolean {
  const { Definition } = link.symbols
  const section = link.files.Ranges.section[file] + index
  const content = link.sections.Header.content[section]
  const frames = content === CONTENT_EH_FRAME || content === CONTENT_COMPACT_UNWIND
  const records = link.sections.Header.content[section] === CONTENT_RECORDS
  for (let i = scratch.starts[index + 1]; i < scratch.starts[index + 2]; i++) {
    const symbol = link.files.Ranges.symbol[file] + scratch.order[i]
    const offset = addressOf(link, file, scratch.order[i]) - link.sections.Header.address[section]
    if (count === 0 && offset === 0 && link.sections.Header.size[section] === 0) {
      // A label that the assembler puts into each section, empty ones too: it stands for nothing (ld64.lld).
      Definition.flags[symbol] &= SYMBOL_EXTERNAL
      Definition.offset[symbol] = 0
      continue
    }
    if (offset < 0 || offset > link.sections.Header.size[section] || count === 0) {
      badOffset(link, file, scratch.order[i], section)
      return false
    }
    const found = findBlock(link.blocks.Extent.offset, block, count, offset)
    Definition.block[symbol] = found
    Definition.offset[symbol] = offset - link.blocks.Extent.offset[found]
    if (records && Definition.offset[symbol] !== 0) badRecord(link, file, scratch.order[i], section)
    if (frames) Definition.flags[symbol] |= SYMBOL_OMITTED
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
