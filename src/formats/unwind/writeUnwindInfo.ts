import { writeU16, writeU32 } from '../../core/bytes.ts'
import {
  UNWIND_COMPRESSED_HEADER_SIZE,
  UNWIND_HEADER_SIZE,
  UNWIND_INDEX_ENTRY_SIZE,
  UNWIND_LSDA_ENTRY_SIZE,
  UNWIND_PAGE_SIZE,
  UNWIND_REGULAR_ENTRY_SIZE,
  UNWIND_REGULAR_HEADER_SIZE,
  UNWIND_SECOND_LEVEL_COMPRESSED,
  UNWIND_SECTION_VERSION,
} from './constants.ts'
import { firstPageOffset, type UnwindPlan } from './planUnwindInfo.ts'

/**
 * Writes `plan.size` bytes at `target[at]`. `gotOffsets[id]` is the offset from the image base of the GOT slot of the
 * personality with that id (0 is unused), `lsda[row]` that of the LSDA of a planned row.
 */
export function writeUnwindInfo(
  plan: UnwindPlan,
  target: Uint8Array,
  at: number,
  gotOffsets: Uint32Array | Float64Array,
  lsda: Uint32Array | Float64Array,
): void {
  if (plan.size === 0) return
  target.fill(0, at, at + plan.size)
  const index = writeHead(plan, target, at, gotOffsets)
  const lsdaArray = index + (plan.pages.count + 1) * UNWIND_INDEX_ENTRY_SIZE
  writeIndex(plan, target, at, index, lsdaArray)
  writeLsdas(plan, target, at + lsdaArray, lsda)
  let page = at + firstPageOffset(plan)
  for (let p = 0; p < plan.pages.count; p++, page += UNWIND_PAGE_SIZE) {
    if (plan.pages.kind[p] === UNWIND_SECOND_LEVEL_COMPRESSED) writeCompressed(plan, p, target, page)
    else writeRegular(plan, p, target, page)
  }
}

/** Header, common encodings and personalities; returns the section offset of the index. */
function writeHead(plan: UnwindPlan, target: Uint8Array, at: number, gotOffsets: Uint32Array | Float64Array): number {
  const { common } = plan
  const { personalities } = plan.folded
  const personalityArray = UNWIND_HEADER_SIZE + common.length * 4
  const index = personalityArray + personalities.length * 4
  writeU32(target, at, UNWIND_SECTION_VERSION)
  writeU32(target, at + 4, UNWIND_HEADER_SIZE)
  writeU32(target, at + 8, common.length)
  writeU32(target, at + 12, personalityArray)
  writeU32(target, at + 16, personalities.length)
  writeU32(target, at + 20, index)
  writeU32(target, at + 24, plan.pages.count + 1)
  for (let i = 0; i < common.length; i++) writeU32(target, at + UNWIND_HEADER_SIZE + i * 4, common[i])
  for (let i = 0; i < personalities.length; i++) {
    writeU32(target, at + personalityArray + i * 4, gotOffsets[personalities[i]])
  }
  return index
}

function writeIndex(plan: UnwindPlan, target: Uint8Array, at: number, index: number, lsdaArray: number): void {
  const { pages, folded, lsdaEntries } = plan
  const pagesFrom = firstPageOffset(plan)
  let to = at + index
  let lsdas = 0
  for (let p = 0; p < pages.count; p++, to += UNWIND_INDEX_ENTRY_SIZE) {
    while (lsdas < lsdaEntries.length && lsdaEntries[lsdas] < pages.first[p]) lsdas++
    writeU32(target, to, folded.start[pages.first[p]])
    writeU32(target, to + 4, pagesFrom + p * UNWIND_PAGE_SIZE)
    writeU32(target, to + 8, lsdaArray + lsdas * UNWIND_LSDA_ENTRY_SIZE)
  }
  writeU32(target, to, folded.end)
  writeU32(target, to + 8, pagesFrom)
}

function writeLsdas(plan: UnwindPlan, target: Uint8Array, at: number, lsda: Uint32Array | Float64Array): void {
  const { folded, lsdaEntries } = plan
  for (let i = 0; i < lsdaEntries.length; i++, at += UNWIND_LSDA_ENTRY_SIZE) {
    const entry = lsdaEntries[i]
    writeU32(target, at, folded.start[entry])
    writeU32(target, at + 4, lsda[folded.row[entry]])
  }
}

function writeCompressed(plan: UnwindPlan, page: number, target: Uint8Array, at: number): void {
  const { pages, folded } = plan
  const { code, local } = pages
  const first = pages.first[page]
  const count = pages.entries[page]
  const encodings = UNWIND_COMPRESSED_HEADER_SIZE + count * 4
  writeU32(target, at, UNWIND_SECOND_LEVEL_COMPRESSED)
  writeU16(target, at + 4, UNWIND_COMPRESSED_HEADER_SIZE)
  writeU16(target, at + 6, count)
  writeU16(target, at + 8, encodings)
  writeU16(target, at + 10, pages.locals[page])
  const base = folded.start[first]
  let to = at + UNWIND_COMPRESSED_HEADER_SIZE
  for (let i = first; i < first + count; i++, to += 4) writeU32(target, to, (code[i] << 24) | (folded.start[i] - base))
  const localFrom = pages.localFrom[page]
  for (let i = localFrom; i < localFrom + pages.locals[page]; i++, to += 4) writeU32(target, to, local[i])
}

// ld64.lld 22 writes low words of addresses here instead of offsets from the image base, which is the same thing while
// the base is a multiple of 4 GiB; unwinders add the base (libunwind), so offsets it is.
function writeRegular(plan: UnwindPlan, page: number, target: Uint8Array, at: number): void {
  const { pages, folded } = plan
  const first = pages.first[page]
  const count = pages.entries[page]
  writeU32(target, at, pages.kind[page])
  writeU16(target, at + 4, UNWIND_REGULAR_HEADER_SIZE)
  writeU16(target, at + 6, count)
  let to = at + UNWIND_REGULAR_HEADER_SIZE
  for (let i = first; i < first + count; i++, to += UNWIND_REGULAR_ENTRY_SIZE) {
    writeU32(target, to, folded.start[i])
    writeU32(target, to + 4, folded.encoding[i])
  }
}
