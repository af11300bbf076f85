// sign: the UUID, a hash of what the image is, and the ad-hoc code signature, a hash of every page.
// Reads: image, tail. Writes: LC_UUID in the image, the signature in the tail.
// Last before writing: it hashes everything. Cost: bytes hashed, once; the header's page twice.

import type { Link } from '../components/link.ts'
import { CS_EXECSEG_MAIN_BINARY, hashPages, writeSignature } from '../src/formats/codesign.ts'
import { identifier, pageShift } from './kernels/signing.ts'
import { contentDigest } from './sign/contentDigest.ts'

export function sign(link: Link): void {
  const { settings, host } = link
  const shift = pageShift(link)
  const pages = Math.ceil(link.image.length / 2 ** shift)
  const digests = new Uint8Array(pages * 32)
  const run = { bytes: link.image, offset: 0 }
  hashPages(run, 0, pages, link.image.length, shift, host.sha256, digests, 0)
  writeUuid(link, digests)
  link.visited.hashed += link.image.length
  if (!settings.adhocCodesign) return
  const text = link.segments.byName.get('__TEXT') ?? 0
  const linkedit = link.image.length
  const hashesAt = writeSignature(link.tail, link.signatureAt - linkedit, {
    codeLimit: link.signatureAt,
    identifier: identifier(link),
    pageShift: shift,
    execSegBase: link.segments.Extent.fileOffset[text],
    execSegLimit: link.segments.Extent.fileSize[text],
    execSegFlags: settings.outputType === 'execute' ? CS_EXECSEG_MAIN_BINARY : 0,
  })
  link.tail.set(digests, hashesAt)
  const headerPages = Math.ceil((link.uuidAt + 16) / 2 ** shift)
  hashPages(run, 0, headerPages, link.image.length, shift, host.sha256, link.tail, hashesAt)
  const last = Math.ceil(link.signatureAt / 2 ** shift)
  hashPages(
    { bytes: link.tail, offset: linkedit },
    pages,
    last,
    link.signatureAt,
    shift,
    host.sha256,
    link.tail,
    hashesAt,
  )
  link.visited.hashed += link.signatureAt - linkedit
}

/** RFC 4122 bits of version 3, as all linkers claim: a hash, neither a time nor random. */
function writeUuid(link: Link, digests: Uint8Array): void {
  if (link.settings.uuid === 'none') return
  const uuid = new Uint8Array(32)
  if (link.settings.uuid === 'random') link.host.random(uuid)
  else uuid.set(contentDigest(link, digests))
  uuid[6] = (uuid[6] & 0x0f) | 0x30
  uuid[8] = (uuid[8] & 0x3f) | 0x80
  link.image.set(uuid.subarray(0, 16), link.uuidAt)
}
