// Linker optimization hints of one object (LC_LINKER_OPTIMIZATION_HINT): ULEB128 kind, count, addresses of instructions. In small
// links all of this runs before it is compiled: few calls a hint.
import { dataViewOf } from '../../src/core/pages.ts'
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { FILL_INPUTS } from '../../components/outputs.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { CONTENT_ZEROFILL } from '../../components/sections.ts'
import { applyHint, HINT_ARGUMENTS } from '../../src/arch/arm64Hints.ts'
import { integer } from '../../src/core/integer.ts'
import { error } from '../../src/core/messages.ts'
import { LOH_ARM64_ADRP_ADRP } from '../../src/formats/macho/constants.ts'
import { findBlock } from '../kernels/findBlock.ts'

interface Hinting {
  /** Four numbers a hint: its kind and the input addresses of its instructions. */
  rows: Int32Array
  /** The input addresses [from, to) of the block at hand, and what to add for positions in the image. */
  from: number
  to: number
  toImage: number
  /** From positions to addresses, whole pages less. */
  toAddress: number
  /** The block is one of those whose bytes were taken over: what hints change there has changed. */
  isTaken: boolean
  /** Hints that leave their block. */
  bad: number
  /** As in the job. */
  taken: Uint8Array | null
}

export interface HintJob {
  files: Uint32Array
  /** Files a chunk. */
  step: number
  /** By input section: 1 where the image had its bytes; null: nowhere. */
  taken: Uint8Array | null
}

/** Applies the hints of files; returns, once for each bad hint, the index of its file. */
export function hintChunks(link: Link, job: HintJob, take: () => number): number[] {
  const view = dataViewOf(link.image)
  const bad: number[] = []
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min(job.files.length, (chunk + 1) * job.step)
    for (let i = chunk * job.step; i < end; i++) {
      const count = applyHints(link, view, job.files[i], job.taken)
      for (let n = 0; n < count; n++) bad.push(i)
    }
  }
  return bad
}

export function reportHints(link: Link, files: Uint32Array, bad: number[]): void {
  bad.sort((a, b) => a - b)
  for (const i of bad) {
    const text = `${fileText(link, files[i])}: linker optimization hint spans multiple sections`
    error(link.messages, 'bad-optimization-hint', text, locate(link, files[i]))
  }
}

/** All hints but those of two adrp, and then these: an adrp that became a nop could not be shortened with its add. Returns how many are bad. */
function applyHints(link: Link, view: DataView, file: number, taken: Uint8Array | null): number {
  const { Tables, Source } = link.files
  const { bytes } = link.arenas.list[Source.arena[file]]
  const start = Tables.hints[file]
  const size = Tables.hintsSize[file]
  const hinting: Hinting = {
    rows: new Int32Array(size),
    from: 0,
    to: 0,
    toImage: 0,
    toAddress: 0,
    isTaken: false,
    bad: 0,
    taken,
  }
  const count = readHints(bytes, start, start + size, hinting.rows)
  if (useHints(link, view, file, hinting, count, false)) useHints(link, view, file, hinting, count, true)
  return hinting.bad
}

/**
 * Writes rows of the hints that are acted on, each of four bytes or more; returns where they end. A number past 2^31, which is no
 * address of an object, ends the list.
 */
function readHints(bytes: Uint8Array, start: number, end: number, rows: Int32Array): number {
  let [row, value, shift, kind] = [0, 0, 0, 0]
  // Numbers that were read of a hint, and that it has: kind, count, addresses.
  let [had, has] = [0, 2]
  let wanted = false
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    value |= (byte & 0x7f) << shift
    if (shift === 28 && byte > 7) break
    if (byte >= 0x80) {
      shift += 7
      continue
    }
    if (had === 0) {
      if (value === 0) break
      kind = value
    } else if (had === 1) {
      wanted = value > 0 && HINT_ARGUMENTS[kind] === value
      has = 2 + value
    } else if (wanted) rows[row + had - 1] = value
    value = 0
    shift = 0
    if (++had < 2 || had < has) continue
    if (wanted) {
      rows[row] = kind
      row += 4
    }
    had = 0
  }
  return row
}

/** Hints of two adrp, or the others. Returns whether there are hints of two adrp. */
function useHints(link: Link, view: DataView, file: number, hinting: Hinting, end: number, pairs: boolean): boolean {
  const { rows } = hinting
  let found = false
  for (let row = 0; row < end; row += 4) {
    const kind = rows[row]
    const at = rows[row + 1]
    if (kind === LOH_ARM64_ADRP_ADRP) found = true
    if ((kind === LOH_ARM64_ADRP_ADRP) !== pairs) continue
    if ((at < hinting.from || at >= hinting.to) && !enterBlock(link, file, hinting, at)) continue
    if (!hinting.isTaken && liesInBlock(hinting, row, HINT_ARGUMENTS[kind])) {
      const { toImage, toAddress } = hinting
      applyHint(view, kind, at + toImage, rows[row + 2] + toImage, rows[row + 3] + toImage, toAddress)
    }
  }
  return found
}

/** Whether all instructions of a hint lie in the block of its first one: what names others is bad. */
function liesInBlock(hinting: Hinting, row: number, count: number): boolean {
  const { rows, from, to } = hinting
  let last = rows[row + 1]
  for (let i = 2; i <= count; i++) {
    const at = rows[row + i]
    if (at < from || at >= to) {
      hinting.bad++
      return false
    }
    if (at > last) last = at
  }
  return last + 4 <= to
}

/** The block that holds an input address: false when it is not in the output. */
function enterBlock(link: Link, file: number, hinting: Hinting, address: number): boolean {
  const { sections, blocks, outputs, files } = link
  const { Header, Blocks } = sections
  const first = files.Ranges.section[file]
  for (let section = first; section < first + files.Ranges.sections[file]; section++) {
    const offset = address - Header.address[section]
    if (offset < 0 || offset >= Header.size[section] || Blocks.count[section] === 0) continue
    const output = Blocks.output[section]
    if (output === 0 || outputs.Section.fill[output] !== FILL_INPUTS || Header.content[section] === CONTENT_ZEROFILL)
      return false
    const block = findBlock(blocks.Extent.offset, Blocks.first[section], Blocks.count[section], offset)
    if ((blocks.Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) return false
    hinting.from = integer(Header.address[section] + blocks.Extent.offset[block])
    hinting.to = hinting.from + blocks.Extent.size[block]
    hinting.isTaken = hinting.taken?.[section] === 1
    const toAddress = outputs.Extent.address[output] - outputs.Extent.fileOffset[output]
    hinting.toImage = integer(blocks.Placement.address[block] - toAddress - hinting.from)
    hinting.toAddress = integer(toAddress % 4096)
    return true
  }
  return false
}
