// Compact unwind information of an object, by the pieces it is of. Frames in __eh_frame are another form of the same, where each
// function has one that needs none of them.
import { FormatError, readI32, readU32, readU64 } from '../core/bytes.ts'
import type { ImageSection } from '../formats/macho/image.ts'
import {
  COMPACT_UNWIND_ENCODING,
  COMPACT_UNWIND_ENTRY_SIZE,
  COMPACT_UNWIND_FUNCTION,
  COMPACT_UNWIND_LSDA,
  COMPACT_UNWIND_PERSONALITY,
} from '../formats/unwind/compactUnwind.ts'
import { UNWIND_HAS_LSDA } from '../formats/unwind/constants.ts'
import {
  type ObjectParts,
  type ObjectPiece,
  type ObjectRelocation,
  pieceAt,
  readRelocations,
  refuseObject,
} from './readObject.ts'
import type { BlockHandle, BlockUnwind } from './types.ts'

type TargetOf = (relocation: ObjectRelocation) => { target: BlockHandle; addend: number }

/** @throws FormatError where it says what blocks cannot. */
export function readObjectUnwind(parts: ObjectParts, targetOf: TargetOf): Map<ObjectPiece, BlockUnwind> {
  const { sections } = parts.image
  const unwinds = new Map<ObjectPiece, BlockUnwind>()
  const frames = sections.find(({ segment, name }) => segment === '__TEXT' && name === '__eh_frame')
  const table = sections.find(({ segment, name }) => segment === '__LD' && name === '__compact_unwind')
  const count = table === undefined ? 0 : table.size / COMPACT_UNWIND_ENTRY_SIZE
  if (!Number.isInteger(count)) refuseObject('__compact_unwind is cut off', table!.offset)
  if (frames !== undefined && countFrames(parts.image.bytes, frames) > count)
    refuseObject('a frame of __eh_frame has no compact unwind information, and blocks have no other', frames.offset)
  if (table === undefined) return unwinds
  const relocations = new Map(readRelocations(parts, table).map((one) => [one.address, one]))
  for (let at = 0; at < table.size; at += COMPACT_UNWIND_ENTRY_SIZE) {
    const entry = readEntry(parts, table, at, relocations, targetOf)
    if (entry.unwind !== null) unwinds.set(entry.piece, entry.unwind)
  }
  return unwinds
}

function readEntry(
  parts: ObjectParts,
  table: ImageSection,
  at: number,
  relocations: Map<number, ObjectRelocation>,
  targetOf: TargetOf,
): { piece: ObjectPiece; unwind: BlockUnwind | null } {
  const own = relocations.get(at + COMPACT_UNWIND_FUNCTION)
  const symbol = parts.symbols[own?.symbol ?? -1]
  const place = symbol === undefined ? (own?.place ?? -1) : symbol.value + own!.addend
  const piece = pieceAt(parts, symbol?.section ?? own?.section ?? 0, place)
  if (piece === null || piece.start !== place) refuseObject('unwind information is of no block', table.offset + at)
  const encoding = (readU32(parts.image.bytes, table.offset + at + COMPACT_UNWIND_ENCODING) & ~UNWIND_HAS_LSDA) >>> 0
  if (encoding === 0) return { piece, unwind: null }
  const unwind: BlockUnwind = { encoding }
  const [personality, lsda] = [
    relocations.get(at + COMPACT_UNWIND_PERSONALITY),
    relocations.get(at + COMPACT_UNWIND_LSDA),
  ]
  if (personality !== undefined) unwind.personality = whole(targetOf(personality))
  if (lsda !== undefined) unwind.lsda = whole(targetOf(lsda))
  return { piece, unwind }
}

function whole({ target, addend }: { target: BlockHandle; addend: number }): BlockHandle {
  if (addend !== 0) refuseObject('language-specific data begins within a block', 0)
  return target
}

/** Of __eh_frame: length, then the distance to a common part, which has zero there. */
function countFrames(bytes: Uint8Array, { offset, size }: ImageSection): number {
  let count = 0
  for (let at = offset; at + 4 <= offset + size; ) {
    const short = readU32(bytes, at)
    const [length, header] = short === 0xffffffff ? [readU64(bytes, at + 4), 12] : [short, 4]
    if (length < 4 || at + header + length > offset + size)
      throw new FormatError('not-editable', '__eh_frame is cut off', at)
    if (readI32(bytes, at + header) !== 0) count++
    at += header + length
  }
  return count
}
