// What the UUID stands for: the image without its debug map (paths and times of objects) and signature, and the file's name.
import { type Link, LINKEDIT_ORDER } from '../../components/link.ts'
import { fromText, readU32 } from '../../src/core/bytes.ts'
import { NLIST_SIZE } from '../../src/formats/macho/constants.ts'
import { identifier } from '../kernels/signing.ts'

/** SHA-256 over the digests of the parts. `pageDigests` are those of the segments' pages; the first page is hashed again without its header. */
export function contentDigest(link: Link, pageDigests: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [firstPage(link), pageDigests.subarray(32)]
  for (const name of LINKEDIT_ORDER) {
    const table = link.linkedit[name]
    if (table === undefined) continue
    if (name === 'symbols') parts.push(symbolsWithoutStabs(link))
    else if (name === 'strings') parts.push(table.bytes.subarray(0, link.table.stabs.strings))
    else if (name !== 'indirect') parts.push(table.bytes)
  }
  parts.push(fromText(identifier(link)))
  const digests = new Uint8Array(parts.length * 32)
  parts.forEach((part, i) => {
    link.host.sha256(part, 0, part.length, digests, i * 32)
  })
  const digest = new Uint8Array(32)
  link.host.sha256(digests, 0, digests.length, digest, 0)
  return digest
}

/** The first page without header and load commands, whose offsets the debug map shifts; the commands' texts stay in. */
function firstPage(link: Link): Uint8Array {
  const size = link.arch.pageSize
  const page = link.image.slice(0, size)
  const headerEnd = 32 + readU32(page, 20)
  page.fill(0, 0, Math.min(headerEnd, page.length))
  return page
}

function symbolsWithoutStabs(link: Link): Uint8Array {
  return link.linkedit.symbols!.bytes.subarray(link.table.stabs.count * NLIST_SIZE)
}
