// Unwind information of edits of a linked file. dyld takes one table, from __TEXT, so that both stand in one: in front of the code, the
// file's own as it was, then the pages of edits, which are behind it in memory.
import { TARGET_IMPORT } from '../../../components/symbols.ts'
import { EDIT_PLACED, EDIT_THUNK } from '../../../components/edits.ts'
import { FormatError, readU32, writeU32 } from '../../core/bytes.ts'
import { highestId } from '../../ecs.ts'
import * as macho from '../../formats/macho/constants.ts'
import {
  UNWIND_HEADER_SIZE,
  UNWIND_INDEX_ENTRY_SIZE,
  UNWIND_LSDA_ENTRY_SIZE,
  UNWIND_PAGE_SIZE,
  UNWIND_REGULAR_ENTRIES_MAX,
  UNWIND_SECTION_VERSION,
} from '../../formats/unwind/constants.ts'
import { decodeUnwindInfo } from '../../formats/unwind/decodeUnwindInfo.ts'
import type { ImageSegment } from '../../formats/macho/image.ts'
import { POINTER_BIND } from '../pointers.ts'
import type { State } from '../state.ts'
import { isSameString } from '../strings.ts'
import { createUnwind, type Unwind, unwindSize } from '../unwindLeaves.ts'
import { type Base, EMPTY_UNWIND_SIZE, type LinkedUnwind, unwindSectionOf } from './base.ts'
import type { LinkedFile } from './readLinked.ts'

/** Pages that are free at least when a block comes, for it may split one, and thunks of it another. */
const SPARE = 2
/** A personality that is no import of the file; edits cannot name it. */
const UNNAMED = -1
/** Of a chained bind. */
const ORDINAL_MASK = 0xffffff

/** Of a file that has got `front` bytes in front of it, the last of them for the table. @throws FormatError */
export function readUnwind({ image, room, text }: LinkedFile, front: number): LinkedUnwind {
  const section = unwindSectionOf(image)!
  const { offset, size } = section
  if (offset + size > image.bytes.length)
    throw new FormatError('not-editable', 'the unwind information is past the end of the file', offset)
  const table = offset < front ? emptyTable(image, text) : image.bytes.slice(offset, offset + size)
  decodeUnwindInfo(table)
  const [commons, commonCount, personalities, personalityCount, index, count] = [4, 8, 12, 16, 20, 24].map((at) =>
    readU32(table, at),
  )
  const pages = count - 1
  const lsdas = readU32(table, index + 8)
  const end = readU32(table, index + pages * UNWIND_INDEX_ENTRY_SIZE + 8)
  return {
    headerAt: text.at + macho.SEGMENT_COMMAND_SIZE + text.sections.indexOf(section) * macho.SECTION_SIZE,
    offset: room,
    room: front - room,
    table,
    commons,
    commonCount,
    personalities: Array.from({ length: personalityCount }, (_, i) => readU32(table, personalities + i * 4)),
    index,
    pages,
    codeEnd: readU32(table, index + pages * UNWIND_INDEX_ENTRY_SIZE),
    lsdas,
    lsdaCount: (end - lsdas) / UNWIND_LSDA_ENTRY_SIZE,
  }
}

/** Says nothing from the first code on. */
function emptyTable({ sections }: LinkedFile['image'], { vmAddress, vmSize }: ImageSegment): Uint8Array {
  const code = sections.filter(({ flags, size }) => flags & macho.S_ATTR_SOME_INSTRUCTIONS && size > 0)
  const start = Math.min(vmAddress + vmSize, ...code.map(({ address }) => address)) - vmAddress
  const table = new Uint8Array(EMPTY_UNWIND_SIZE)
  const header = [UNWIND_SECTION_VERSION, UNWIND_HEADER_SIZE, 0, UNWIND_HEADER_SIZE, 0, UNWIND_HEADER_SIZE, 1]
  for (const [i, word] of [...header, start, 0, EMPTY_UNWIND_SIZE].entries()) writeU32(table, i * 4, word)
  return table
}

/** Before any block of edits has a place. */
export function beginLinkedUnwind(state: State, base: Base, linked: LinkedUnwind): Unwind {
  const personalities = linked.personalities.map((offset) => personalityAt(state, base, offset))
  return { ...createUnwind(), linked, personalities, uses: personalities.map(() => 1) }
}

/** The import that an entry of the GOT is bound to. */
function personalityAt(state: State, base: Base, offset: number): number {
  const address = state.settings.imageBase + offset
  const isIn = ({ vmAddress, fileSize }: ImageSegment) => address >= vmAddress && address + 8 <= vmAddress + fileSize
  const segment = base.image.segments.findIndex(isIn)
  if (segment < 0) return UNNAMED
  const { vmAddress, fileOffset } = base.image.segments[segment]
  const at = fileOffset + address - vmAddress
  if (at < state.dataStart || state.pointers[(at - state.dataStart) >> 2] !== POINTER_BIND) return UNNAMED
  const { imports, binds } = base
  if (state.settings.fixupChains) {
    const row = readU32(state.bytes, at) & ORDINAL_MASK
    return importOf(state, base, imports.names[row], imports.ordinals[row])
  }
  for (let i = 0; i < binds.count; i++)
    if (binds.segments[i] === segment && binds.offsets[i] === address - vmAddress)
      return importOf(state, base, binds.names[i], binds.ordinals[i])
  return UNNAMED
}

function importOf(state: State, base: Base, string: number, ordinal: number): number {
  for (let made = 1; made < base.original.importFlags.length; made++)
    if (state.imports.Library.ordinal[made] === ordinal && isSameString(state, state.uses.Uses.string[made], string))
      return (TARGET_IMPORT | made) >>> 0
  return UNNAMED
}

/** Whether what is to come takes a table with more room: the file's edits are made again on one that has it. */
export function lacksUnwindRoom(state: State, bringsUnwind: boolean): boolean {
  const { base, unwind } = state
  if (base === null) return false
  if (unwind === null) return bringsUnwind
  return unwindSize(state) + (SPARE + 1) * UNWIND_PAGE_SIZE > base.unwind!.room
}

/** Room for the blocks of code of edits, `more` of them, and as many again: a page is half full at least. 0 where none brings any. */
export function unwindRoomFor(state: State, more: number): number {
  const { base, blocks, sections } = state
  const { flags, section } = blocks.Place
  let [count, lsdas, wanted] = [more, 0, more > 0]
  for (let block = highestId(blocks.world); block > 0; block--) {
    if ((flags[block] & (EDIT_PLACED | EDIT_THUNK)) !== EDIT_PLACED || section[block] !== sections.text) continue
    count++
    if (blocks.Entry.unwind[block] === 0) continue
    lsdas++
    wanted = true
  }
  return wanted ? roomFor(count, lsdas, unwindSectionOf(base!.image)?.size ?? EMPTY_UNWIND_SIZE) : 0
}

/** `size`: of the linked file's table. */
export function roomFor(count: number, lsdas: number, size: number): number {
  const pages = 4 * (Math.ceil(count / UNWIND_REGULAR_ENTRIES_MAX) + SPARE)
  return size * 2 + pages * (UNWIND_PAGE_SIZE + UNWIND_INDEX_ENTRY_SIZE) + lsdas * UNWIND_LSDA_ENTRY_SIZE * 2
}
