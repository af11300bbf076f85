// Room in the tables of __LINKEDIT: in the padded layout each takes the class of its size, so that one which grows within it moves
// nothing behind it. Sizes in load commands include the room, since tools of Apple want tables without gaps between them; what
// fills it says nothing to whoever reads the table.
import type { Link, LinkeditName } from '../../components/link.ts'
import { alignUp } from '../../src/core/align.ts'
import { writeU32 } from '../../src/core/bytes.ts'
import { sizeClass } from '../../src/core/sizeClass.ts'
import * as macho from '../../src/formats/macho/constants.ts'

/** Steps of size classes to a power of two, as log2, and the smallest step in bytes. */
const TABLE_STEPS = 3
const TABLE_STEP = 128
/** Of what dyld reads of pointers, where one more takes some 15 bytes, of exports (20 to 30), and of the string table (20). */
const POINTERS_STEP = 512
const EXPORTS_STEP = 512
const STRINGS_STEP = 1024
/** The smallest step of the symbol table, in rows. */
const ROW_STEP = 64
/**
 * Of the names of a file's symbols, in bytes. With 64, one more local name of 9 to 21 bytes would change the class of 3 in 10 of lua's
 * files; with 128, of 1 in 13.
 */
const NAME_STEPS = 2
const NAME_STEP = 128
const RANGE_SIZE = 8
const POINTERS: readonly LinkeditName[] = ['rebase', 'bind', 'weakBind', 'lazyBind', 'chainedFixups']

/** Bytes that a table of `size` bytes takes. An empty one has no room; nor has that of indirect symbols, which sections count. */
export function tableRoom(link: Link, name: LinkeditName, size: number): number {
  if (link.settings.layout !== 'padded' || name === 'indirect') return size
  return sizeClass(alignUp(size, 8), TABLE_STEPS, stepOf(name))
}

function stepOf(name: LinkeditName): number {
  if (name === 'strings') return STRINGS_STEP
  if (name === 'exports') return EXPORTS_STEP
  return POINTERS.includes(name) ? POINTERS_STEP : TABLE_STEP
}

/** Bytes that the names of a file's symbols take in the padded layout: there is room for the first one too. */
export function nameRoom(size: number): number {
  return Math.max(sizeClass(size, NAME_STEPS, NAME_STEP), NAME_STEP)
}

/** Rows that a symbol table of `count` rows takes. */
export function rowRoom(link: Link, count: number): number {
  return link.settings.layout === 'padded' ? sizeClass(count, TABLE_STEPS, ROW_STEP) : count
}

/** Fills a table of which the first `used` bytes stand; the others are zero. */
export function fillRoom(name: LinkeditName, bytes: Uint8Array, used: number): void {
  if (used === 0 || used === bytes.length) return
  if (name === 'rebase') fillOpcodes(bytes, used, macho.REBASE_OPCODE_SET_TYPE_IMM | macho.REBASE_TYPE_POINTER)
  else if (name === 'bind' || name === 'weakBind')
    fillOpcodes(bytes, used, macho.BIND_OPCODE_SET_TYPE_IMM | macho.BIND_TYPE_POINTER)
  else if (name === 'dataInCode') fillRanges(bytes, used)
}

/** dyld refuses opcodes of which more than 15 bytes are left at the first DONE: the room comes before it and changes nothing. */
function fillOpcodes(bytes: Uint8Array, used: number, opcode: number): void {
  bytes.fill(opcode, used - 1, bytes.length - 1)
  bytes[bytes.length - 1] = 0
}

/** Ranges ascend and lie in code: empty ones stand before the first. struct data_in_code_entry: u32 offset, u16 length, u16 kind */
function fillRanges(bytes: Uint8Array, used: number): void {
  const room = bytes.length - used
  bytes.copyWithin(room, 0, used)
  for (let at = 0; at < room; at += RANGE_SIZE) {
    bytes.copyWithin(at, room, room + 4)
    writeU32(bytes, at + 4, macho.DICE_KIND_DATA << 16)
  }
}
