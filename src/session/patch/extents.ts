// The stretches of the image that an object's blocks take, with what they held before.
import { dataViewOf } from '../../core/pages.ts'
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { isCodeFlags } from '../../../systems/kernels/code.ts'
import { copyChainLink } from '../../formats/dyld/chainedFixups.ts'
import { type DirtyPages, differs, markChanges } from './dirtyPages.ts'
import { contentSections } from './relocateFile.ts'

/** Of one input section: its live blocks with the larger of their sizes, and the bytes from `from` on in the file. */
interface Extent {
  output: number
  from: number
  before: Uint8Array
  /** Pairs of offset in `before` and size, after the change. */
  blocks: number[]
}

/** `after` as of `loadAlone` and `addresses` as of `movesOf`: blocks that grow or move take other room. */
export function saveExtents(link: Link, file: number, after: Link | null, addresses: Float64Array | null): Extent[] {
  const firstBlock = link.files.Ranges.block[file]
  const { flags, size } = link.blocks.Extent
  const extents: Extent[] = []
  for (const section of contentSections(link, file)) {
    const output = link.sections.Blocks.output[section]
    const delta = link.outputs.Extent.fileOffset[output] - link.outputs.Extent.address[output]
    const first = link.sections.Blocks.first[section]
    const blocks: number[] = []
    let [from, to] = [Number.POSITIVE_INFINITY, 0]
    for (let block = first; block < first + link.sections.Blocks.count[section]; block++) {
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
      const at = block - firstBlock
      const old = link.blocks.Placement.address[block] + delta
      const place = addresses === null ? old : addresses[at] + delta
      const now = after === null ? size[block] : after.blocks.Extent.size[at + 1]
      blocks.push(place, place === old ? Math.max(now, size[block]) : now)
      from = Math.min(from, place, old)
      to = Math.max(to, place + now, old + size[block])
    }
    if (blocks.length === 0) continue
    for (let i = 0; i < blocks.length; i += 2) blocks[i] -= from
    extents.push({ output, from, before: link.image.slice(from, to), blocks })
  }
  return extents
}

/** One extent for each of the blocks, which have contents and stay where they are. */
export function saveBlocks(link: Link, chosen: Iterable<number>): Extent[] {
  const { size, section } = link.blocks.Extent
  const extents: Extent[] = []
  for (const block of chosen) {
    const output = link.sections.Blocks.output[section[block]]
    const from =
      link.blocks.Placement.address[block] +
      link.outputs.Extent.fileOffset[output] -
      link.outputs.Extent.address[output]
    extents.push({ output, from, before: link.image.slice(from, from + size[block]), blocks: [0, size[block]] })
  }
  return extents
}

/** Fills them as the image is before blocks are copied there. */
export function clearExtents(link: Link, extents: readonly Extent[]): void {
  for (const { output, from, before } of extents) {
    const { room, flags } = link.outputs.Section
    const traps = link.arch.name === 'x86_64' && room[output] !== 0 && isCodeFlags(flags[output])
    link.image.fill(traps ? 0xcc : 0, from, from + before.length)
  }
}

/** Places that dyld changes point at the next one, as before. */
export function keepChains(link: Link, extents: readonly Extent[], offsets: readonly number[]): void {
  const view = dataViewOf(link.image)
  for (const { from, before } of extents) {
    const old = new DataView(before.buffer)
    for (const at of offsets) if (at >= from && at < from + before.length) copyChainLink(old, at - from, view, at)
  }
}

/** Marks the pages that are not as they were; returns how many blocks are not. */
export function markExtents(link: Link, extents: readonly Extent[], dirty: DirtyPages): number {
  let count = 0
  for (const { from, before, blocks } of extents) {
    markChanges(link, dirty, from, before)
    for (let i = 0; i < blocks.length; i += 2)
      if (differs(link.image, from + blocks[i], before, blocks[i], blocks[i + 1])) count++
  }
  return count
}
