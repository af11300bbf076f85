// Whether two versions of an object are the same to all that decides what a link holds and where: sections, symbols, blocks,
// literals. What may differ is what blocks hold, and their sizes within their rooms.
import { arenaOfFile, type Link } from '../../../components/link.ts'
import {
  CONTENT_CSTRING,
  CONTENT_DROPPED,
  CONTENT_IMAGE_INFO,
  CONTENT_INIT_POINTERS,
  CONTENT_LITERAL,
  CONTENT_RECORDS,
} from '../../../components/sections.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_COMMON, SYMBOL_DEFINED } from '../../../components/symbols.ts'
import { isSharing } from '../../../systems/allocate/rooms.ts'
import { debugUnits } from '../../../systems/kernels/debugUnits.ts'
import { symbolText } from '../../../systems/kernels/places.ts'
import { sameBytes } from '../../core/hash.ts'
import { unitPath } from '../../formats/dwarf.ts'
import type { Alone } from './loadAlone.ts'
import { mayChange } from './sameLiterals.ts'
import { layoutOf, liveBlocks, type Version } from './sharedRegions.ts'

/** What differs although the shape is the same. */
export interface Shape {
  /** Sections with room, counted from 1, whose blocks have other sizes. */
  resized: Set<number>
  /** Blocks move in their regions. */
  moves: boolean
  /** Literals have other contents. */
  literals: boolean
  /** With -dead_strip: blocks refer to others than before. */
  edges: boolean
  /** The layout of thunks does not see that anything has changed. */
  branches: boolean
}

/**
 * Both as of `loadAlone`, of the object that is `file` of `whole`. Returns what differs, in words; empty when nothing does but
 * what goes to `shape`.
 */
export function differenceOf(whole: Link, file: number, before: Alone, after: Alone, shape: Shape): string {
  if (before.options !== after.options) return 'asks for other libraries'
  return (
    otherFile(before.link, after.link) ||
    otherSections(whole, file, before.link, after.link, shape) ||
    otherSymbols(before.link, after.link) ||
    otherRooms(whole, file, before.link, after.link, shape)
  )
}

function otherFile(before: Link, after: Link): string {
  const [old, now] = [before.files.Ranges, after.files.Ranges]
  return otherKind(before, after) || (old.symbols[1] !== now.symbols[1] ? 'has other symbols' : '')
}

export function otherKind(before: Link, after: Link): string {
  const [old, now] = [before.files, after.files]
  if (old.Source.flags[1] !== now.Source.flags[1]) return 'is split in another way'
  if (old.Ranges.sections[1] !== now.Ranges.sections[1]) return 'has other sections'
  if (before.profiles.length + after.profiles.length > 0) return 'has a call profile'
  if (unitText(before) !== unitText(after)) return 'is compiled from another source file'
  const texts = (link: Link) => JSON.stringify(link.messages.list.map(({ text }) => text))
  return texts(before) === texts(after) ? '' : 'brings other warnings'
}

function unitText(link: Link): string {
  const unit = debugUnits(link).get(1)
  return unit === undefined ? '' : unitPath(unit)
}

function otherSections(whole: Link, file: number, before: Link, after: Link, shape: Shape): string {
  const [old, now] = [before.sections, after.sections]
  const { name } = old.Header
  for (let section = 1; section <= before.files.Ranges.sections[1]; section++) {
    const other = otherSection(before, after, section)
    if (other !== '') return other
    const text = `${before.sectionNames.segments[name[section]]},${before.sectionNames.sections[name[section]]}`
    if (old.Blocks.count[section] !== now.Blocks.count[section]) return `has more or fewer pieces of ${text}`
    if (isKept(before, after, section)) continue
    const literals = [CONTENT_CSTRING, CONTENT_LITERAL].includes(old.Header.content[section])
    shape.literals ||= literals
    if (!literals || !mayChange(whole, file, before, after, section)) return `has other contents in ${text}`
  }
  return ''
}

/** Headers of one section, counted from 1; objects with Objective-C data are not compared. */
export function otherSection(before: Link, after: Link, section: number): string {
  const [old, now] = [before.sections.Header, after.sections.Header]
  const { name } = old
  const same =
    name[section] === now.name[section] &&
    old.flags[section] === now.flags[section] &&
    old.alignPow2[section] === now.alignPow2[section]
  if (!same) return 'has other sections'
  const text = `${before.sectionNames.segments[name[section]]},${before.sectionNames.sections[name[section]]}`
  return isObjectiveC(old.content[section], text) ? `has Objective-C data in ${text}` : ''
}

function isObjectiveC(content: number, text: string): boolean {
  return content === CONTENT_IMAGE_INFO || /,__objc_/.test(text)
}

/** Literals, of which others may be copies, and records stay as they are; of initializers there must be as many. */
export function isKept(before: Link, after: Link, section: number): boolean {
  const content = before.sections.Header.content[section]
  const records = [before, after].map((link) => link.sections.Relocations.count[section])
  if (content === CONTENT_INIT_POINTERS) return records[0] === records[1]
  if (content === CONTENT_RECORDS) return isSame(before, after, section) && isSame(before, after, section, true)
  return (content !== CONTENT_CSTRING && content !== CONTENT_LITERAL) || isSame(before, after, section)
}

/** Whether the contents, or the relocation records, are the same. */
function isSame(before: Link, after: Link, section: number, records = false): boolean {
  const part = (link: Link) => {
    const { Header, Bytes, Relocations } = link.sections
    const at = records ? Relocations.position[section] : Bytes.position[section]
    const size = records ? Relocations.count[section] * 8 : Header.size[section]
    return { bytes: arenaOfFile(link, 1).bytes, at, size }
  }
  const [old, now] = [part(before), part(after)]
  return old.size === now.size && sameBytes(old.bytes, old.at, now.bytes, now.at, old.size)
}

function otherSymbols(before: Link, after: Link): string {
  const [old, now] = [before.symbols.Definition, after.symbols.Definition]
  const [words, others] = [before, after].map((link) => arenaOfFile(link, 1).words)
  const [at, otherAt] = [before, after].map((link) => link.files.Tables.nlist[1] / 4)
  for (let i = 0; i < before.files.Ranges.symbols[1]; i++) {
    const symbol = i + 1
    const placed =
      (old.flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE | SYMBOL_COMMON)) === SYMBOL_DEFINED ||
      old.flags[symbol] === 0
    const same =
      words[at + i * 4 + 1] === others[otherAt + i * 4 + 1] &&
      old.flags[symbol] === now.flags[symbol] &&
      (placed ||
        (words[at + i * 4 + 2] === others[otherAt + i * 4 + 2] &&
          words[at + i * 4 + 3] === others[otherAt + i * 4 + 3])) &&
      isSameName(before, after, words[at + i * 4], others[otherAt + i * 4])
    if (!same) return 'has other symbols'
    if (old.block[symbol] !== now.block[symbol] || old.offset[symbol] !== now.offset[symbol])
      if (old.flags[symbol] !== 0) return `has ${symbolText(after, 1, symbol)} at another place of its block`
  }
  return ''
}

function isSameName(before: Link, after: Link, strx: number, other: number): boolean {
  const [bytes, others] = [before, after].map((link) => arenaOfFile(link, 1).bytes)
  const [from, start] = [before.files.Tables.strings[1] + strx, after.files.Tables.strings[1] + other]
  const most = Math.min(before.files.Tables.stringsSize[1] - strx, after.files.Tables.stringsSize[1] - other)
  for (let i = 0; i < most; i++) {
    if (bytes[from + i] !== others[start + i]) return false
    if (bytes[from + i] === 0) return true
  }
  return most <= 0 && strx === other
}

/** The region of each section must stay within its room; without room every size and alignment must stay. */
function otherRooms(whole: Link, file: number, before: Link, after: Link, shape: Shape): string {
  const { section: firstSection, block: firstBlock } = whole.files.Ranges
  const { flags } = whole.blocks.Extent
  const live = flags.subarray(firstBlock[file], firstBlock[file] + before.files.Ranges.blocks[1])
  before.blocks.Extent.flags.set(live, 1)
  after.blocks.Extent.flags.set(live, 1)
  for (let section = 1; section <= before.files.Ranges.sections[1]; section++) {
    const output = whole.sections.Blocks.output[firstSection[file] + section - 1]
    if (output === 0 || before.sections.Header.content[section] === CONTENT_DROPPED) continue
    const [old, now] = [before, after].map((link) => shapes(link, section))
    const room = whole.outputs.Section.room[output] !== 0
    const sharesAsBefore = !room || isSharing(before, section) === isSharing(after, section)
    if (sharesAsBefore && old.every((size, i) => size === now[i])) continue
    const moves = room && sharesAsBefore ? movesIn(whole, firstSection[file] + section - 1, { file, after }) : null
    if (moves === null) return `has blocks of ${whole.outputs.names[output]} that leave their room`
    shape.resized.add(section)
    if (moves) shape.moves = true
  }
  return ''
}

/** Whether blocks move in the region of a section, of which another version comes; null when that takes other room. */
function movesIn(whole: Link, section: number, version: Version): boolean | null {
  const [old, now] = [layoutOf(whole, section, null), layoutOf(whole, section, version)]
  if (old.room !== now.room || old.alignPow2 !== now.alignPow2) return null
  return old.offsets.some((offset, i) => offset !== now.offsets[i])
}

function shapes(link: Link, section: number): number[] {
  const { size, alignPow2 } = link.blocks.Extent
  return liveBlocks(link, section).flatMap((block) => [size[block], alignPow2[block]])
}
