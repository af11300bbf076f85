// Linker optimization hints of one object (LC_LINKER_OPTIMIZATION_HINT): ULEB128 kind, count, addresses of instructions.
import { dataViewOf } from '../../src/core/pages.ts'
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { FILL_INPUTS } from '../../components/outputs.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { CONTENT_ZEROFILL } from '../../components/sections.ts'
import { applyHint, HINT_ARGUMENTS } from '../../src/arch/arm64Hints.ts'
import { error } from '../../src/core/messages.ts'
import { LOH_ARM64_ADRP_ADRP } from '../../src/formats/macho/constants.ts'
import { findBlock } from '../kernels/findBlock.ts'

interface Hinting {
  bytes: Uint8Array
  at: number
  end: number
  arguments: Float64Array
  /** The input addresses [from, to) of the block at hand, and what to add for positions in the image, and from there to addresses. */
  from: number
  to: number
  toImage: number
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
  const hinting: Hinting = {
    bytes,
    at: 0,
    end: 0,
    arguments: new Float64Array(3),
    from: 0,
    to: 0,
    toImage: 0,
    toAddress: 0,
    isTaken: false,
    bad: 0,
    taken,
  }
  const start = Tables.hints[file]
  if (walkHints(link, view, file, hinting, start, false)) walkHints(link, view, file, hinting, start, true)
  return hinting.bad
}

/** Returns whether there are hints of two adrp. */
function walkHints(link: Link, view: DataView, file: number, hinting: Hinting, start: number, pairs: boolean): boolean {
  let found = false
  hinting.at = start
  hinting.end = start + link.files.Tables.hintsSize[file]
  while (hinting.at < hinting.end) {
    const kind = readUleb(hinting)
    if (kind === 0) break
    const count = readUleb(hinting)
    for (let i = 0; i < count && hinting.at < hinting.end; i++) {
      const address = readUleb(hinting)
      if (i < 3) hinting.arguments[i] = address
    }
    if (kind === LOH_ARM64_ADRP_ADRP) found = true
    if ((kind === LOH_ARM64_ADRP_ADRP) === pairs && HINT_ARGUMENTS[kind] === count)
      useHint(link, view, file, hinting, kind)
  }
  return found
}

/** Values past 2^53 lose their low bits; they are no address of an object. */
function readUleb(hinting: Hinting): number {
  let [value, scale] = [0, 1]
  while (hinting.at < hinting.end) {
    const byte = hinting.bytes[hinting.at++]
    value += (byte & 0x7f) * scale
    if (byte < 0x80) break
    scale *= 128
  }
  return value
}

function useHint(link: Link, view: DataView, file: number, hinting: Hinting, kind: number): void {
  const { arguments: places } = hinting
  if ((places[0] < hinting.from || places[0] >= hinting.to) && !enterBlock(link, file, hinting, places[0])) return
  if (hinting.isTaken) return
  const count = HINT_ARGUMENTS[kind]
  for (let i = 1; i < count; i++) {
    if (places[i] >= hinting.from && places[i] < hinting.to) continue
    hinting.bad++
    return
  }
  for (let i = 0; i < count; i++) if (places[i] + 4 > hinting.to) return
  applyHint(
    view,
    kind,
    places[0] + hinting.toImage,
    places[1] + hinting.toImage,
    places[2] + hinting.toImage,
    hinting.toAddress,
  )
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
    hinting.from = Header.address[section] + blocks.Extent.offset[block]
    hinting.to = hinting.from + blocks.Extent.size[block]
    hinting.isTaken = hinting.taken?.[section] === 1
    hinting.toAddress = outputs.Extent.address[output] - outputs.Extent.fileOffset[output]
    hinting.toImage = blocks.Placement.address[block] - hinting.toAddress - hinting.from
    return true
  }
  return false
}
