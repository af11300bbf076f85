// writeHeader: ends __LINKEDIT and writes header and load commands.
// Reads: linkedit tables, outputs, segments. Writes: __LINKEDIT's extent, tail, image.
// After every table is made, before sign, which hashes the whole. Cost: that of the load commands.

import { memory } from '../components/columns.ts'
import type { Link, LinkeditTable } from '../components/link.ts'
import { alignUp } from '../src/core/align.ts'
import { fromText, readU32 } from '../src/core/bytes.ts'
import { signatureSize } from '../src/formats/codesign.ts'
import { encodeHeader, entryAddress } from './kernels/commands.ts'
import { identifier, pageShift } from './kernels/signing.ts'

/** codesign wants the signature at 16. */
const SIGNATURE_ALIGNMENT = 16
/** Offset of ncmds in mach_header_64. */
const COMMAND_COUNT = 16

export function writeHeader(link: Link): void {
  const segment = link.segments.byName.get('__LINKEDIT') ?? 0
  const { Extent } = link.segments
  const strings = link.linkedit.strings!
  let end = strings.offset + strings.bytes.length
  if (link.settings.adhocCodesign) {
    link.signatureAt = alignUp(end, SIGNATURE_ALIGNMENT)
    link.signatureSize = signatureSize(link.signatureAt, fromText(identifier(link)).length, pageShift(link))
    end = link.signatureAt + link.signatureSize
  }
  Extent.fileSize[segment] = end - Extent.fileOffset[segment]
  Extent.size[segment] = alignUp(Extent.fileSize[segment], link.settings.pageSize)
  const header = encodeHeader(link, entryAddress(link))
  link.image.set(header, 0)
  link.tail = endTail(link, strings, Extent.fileOffset[segment], Extent.fileSize[segment])
  link.visited.written += header.length
  link.visited.rows += readU32(header, COMMAND_COUNT)
}

/** The strings have moved out of the tail when symbols of an object share so many that they outgrew their room. */
function endTail(link: Link, strings: LinkeditTable, start: number, size: number): Uint8Array {
  if (strings.bytes.buffer === link.tail.buffer && size <= link.tail.length) return link.tail.subarray(0, size)
  const tail = new Uint8Array(memory(size, link.arenas.shared))
  tail.set(link.tail.subarray(0, strings.offset - start))
  tail.set(strings.bytes, strings.offset - start)
  return tail
}
