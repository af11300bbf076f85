// Frame records move apart from each other and from their functions: their pc-relative fields are written anew.
import { BLOCK_FRAME, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { EH_FDE, ehPointerWidth } from '../../src/formats/ehFrame.ts'
import { follow } from '../kernels/framePointers.ts'
import { frameRecords, hasDifferences } from '../kernels/frameRecords.ts'
import { writePointer } from '../kernels/fixups.ts'
import { type Encodings, lsdaField, readEncodings } from '../kernels/plainFrames.ts'
import type { Relocating } from './apply.ts'

export function relocateFrames(link: Link, at: Relocating, section: number): void {
  if (!hasFrames(link, section)) return
  if (hasDifferences(link, section)) relocateAny(link, at, section)
  else relocatePlain(link, at, section)
}

/** CIE pointers that stand in the bytes: only the records that are kept are looked at. */
function relocatePlain(link: Link, at: Relocating, section: number): void {
  const { flags, offset } = link.blocks.Extent
  const { address } = link.blocks.Placement
  const { view, contents } = at.site
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  let cie = -1
  let encodings: Encodings = { cie: 0, pointers: 0, lsda: 0 }
  for (let block = first; block < end; block++) {
    if ((flags[block] & BLOCK_LIVE) === 0) continue
    const field = view.getUint32(contents + offset[block], true) === 0xffffffff ? 12 : 4
    const distance = view.getUint32(contents + offset[block] + field, true)
    if (distance === 0) continue
    if (offset[block] + field - distance !== cie) {
      cie = offset[block] + field - distance
      encodings = readEncodings(link, at.site, section, cie, at.frame)
    }
    const place = address[block] + field
    at.view.setUint32(place + at.delta, place - address[encodings.cie], true)
    writeField(link, at, block, field + 4, encodings.pointers)
    const lsda = lsdaField(at.site, offset[block] + field + 4, encodings)
    if (lsda !== 0) writeField(link, at, block, lsda - offset[block], encodings.lsda)
  }
}

function relocateAny(link: Link, at: Relocating, section: number): void {
  const frames = frameRecords(link, section)
  const first = link.sections.Blocks.first[section]
  for (let i = 0; i < frames.count; i++) {
    if (frames.kind[i] !== EH_FDE || (link.blocks.Extent.flags[first + i] & BLOCK_LIVE) === 0) continue
    const address = link.blocks.Placement.address[first + i]
    const field = address + frames.cieAt[i]
    at.view.setUint32(field + at.delta, field - link.blocks.Placement.address[first + frames.cie[i]], true)
    writeField(link, at, first + i, frames.functionAt[i], frames.functionEncoding[i])
    if (frames.lsdaAt[i] !== 0) writeField(link, at, first + i, frames.lsdaAt[i], frames.lsdaEncoding[i])
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

/** `fieldAt` is from the start of the record. */
function writeField(link: Link, at: Relocating, block: number, fieldAt: number, encoding: number): void {
  const { site, landing } = at
  const { address, leader } = link.blocks.Placement
  if (!follow(link, site, block, link.blocks.Extent.offset[block] + fieldAt, encoding, landing)) return
  const home = leader[landing.block] || landing.block
  const P = address[block] + fieldAt
  const distance = address[home] + landing.offset - P
  if (ehPointerWidth(encoding) === 8) writePointer(at.view, P + at.delta, distance)
  else at.view.setInt32(P + at.delta, distance, true)
}
