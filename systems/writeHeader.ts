// writeHeader: places the tables of __LINKEDIT and writes header and load commands.
// Reads: linkedit tables, outputs, segments. Writes: table offsets, __LINKEDIT's extent, image.
// After every table is made, before sign, which hashes the whole. Cost: bytes of __LINKEDIT.

import { memory } from '../components/columns.ts'
import { type Link, LINKEDIT_ORDER } from '../components/link.ts'
import { alignUp } from '../src/core/align.ts'
import { fromText } from '../src/core/bytes.ts'
import { signatureSize } from '../src/formats/codesign.ts'
import { encodeHeader } from './kernels/commands.ts'
import { identifier, pageShift } from './kernels/signing.ts'

/** dyld of macOS 27 refuses tables that are not pointer-aligned; codesign wants the signature at 16. */
const TABLE_ALIGNMENT = 8
const SIGNATURE_ALIGNMENT = 16

export function writeHeader(link: Link): void {
  const segment = link.segments.byName.get('__LINKEDIT') ?? 0
  const { Extent } = link.segments
  let offset = Extent.fileOffset[segment]
  for (const name of LINKEDIT_ORDER) {
    const table = link.linkedit[name]
    if (table === undefined) continue
    table.offset = offset
    offset = alignUp(offset + table.bytes.length, TABLE_ALIGNMENT)
  }
  let end = offset
  if (link.settings.adhocCodesign) {
    link.signatureAt = alignUp(offset, SIGNATURE_ALIGNMENT)
    link.signatureSize = signatureSize(link.signatureAt, fromText(identifier(link)).length, pageShift(link))
    end = link.signatureAt + link.signatureSize
  }
  Extent.fileSize[segment] = end - Extent.fileOffset[segment]
  Extent.size[segment] = alignUp(Extent.fileSize[segment], link.settings.pageSize)
  link.image.set(encodeHeader(link), 0)
  link.tail = new Uint8Array(memory(Extent.fileSize[segment], link.arenas.shared))
  for (const name of LINKEDIT_ORDER) {
    const table = link.linkedit[name]
    if (table !== undefined) link.tail.set(table.bytes, table.offset - Extent.fileOffset[segment])
  }
  link.visited.written += link.tail.length
}
