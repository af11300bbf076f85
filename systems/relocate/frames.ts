// Frame records move apart from each other and from their functions: their pc-relative fields are written anew.
import { BLOCK_FRAME, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { EH_FDE, type EhFrames, ehPointerWidth } from '../../src/formats/ehFrame.ts'
import { follow } from '../kernels/framePointers.ts'
import { frameRecords } from '../kernels/frameRecords.ts'
import { writePointer } from '../kernels/fixups.ts'
import type { Relocating } from './apply.ts'

export function relocateFrames(link: Link, at: Relocating, section: number): void {
  if (!hasFrames(link, section)) return
  const frames = frameRecords(link, section)
  const first = link.sections.Blocks.first[section]
  for (let i = 0; i < frames.count; i++) {
    if (frames.kind[i] !== EH_FDE || (link.blocks.Extent.flags[first + i] & BLOCK_LIVE) === 0) continue
    const address = link.blocks.Placement.address[first + i]
    const field = address + frames.cieAt[i]
    at.view.setUint32(field + at.delta, field - link.blocks.Placement.address[first + frames.cie[i]], true)
    writeField(link, at, frames, i, first, frames.functionAt[i], frames.functionEncoding[i])
    if (frames.lsdaAt[i] !== 0) writeField(link, at, frames, i, first, frames.lsdaAt[i], frames.lsdaEncoding[i])
  }
}

/** Most objects keep none: compact unwind describes their functions. */
function hasFrames(link: Link, section: number): boolean {
  const { flags } = link.blocks.Extent
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  for (let block = first; block < end; block++) if (flags[block] & BLOCK_FRAME) return true
  return false
}

function writeField(
  link: Link,
  at: Relocating,
  frames: EhFrames,
  i: number,
  first: number,
  fieldAt: number,
  encoding: number,
): void {
  if (!follow(link, at.site, first + i, frames.at[i] + fieldAt, encoding, at.landing)) return
  const home = link.blocks.Placement.leader[at.landing.block] || at.landing.block
  const P = link.blocks.Placement.address[first + i] + fieldAt
  const distance = link.blocks.Placement.address[home] + at.landing.offset - P
  if (ehPointerWidth(encoding) === 8) writePointer(at.view, P + at.delta, distance)
  else at.view.setInt32(P + at.delta, distance, true)
}
