// sign: the UUID, a hash of what the image is, and the ad-hoc code signature, a hash of every page.
// Reads: image, tail. Writes: LC_UUID in the image, the signature in the tail.
// Last before writing: it hashes everything, on all threads. Cost: bytes hashed, once; the header's page and, for the UUID, the
// tables of __LINKEDIT twice.

import { memory } from '../components/columns.ts'
import type { Link } from '../components/link.ts'
import { runKernel } from '../components/mirror.ts'
import { CS_EXECSEG_MAIN_BINARY, CS_SHA256_LEN, hashPages, writeSignature } from '../src/formats/codesign.ts'
import { identifier, pageShift } from './kernels/signing.ts'
import { contentDigest, contentParts } from './sign/contentDigest.ts'
import { countChunks, hashChunks, type HashJob } from './sign/hashChunks.ts'

export async function sign(link: Link): Promise<void> {
  const { settings } = link
  const job = createJob(link)
  await runKernel(link, 'hashChunks', ['image', 'tail'], hashChunks, job, countChunks(job))
  writeUuid(link, job)
  if (settings.adhocCodesign) writeHashes(link, job)
}

function createJob(link: Link): HashJob {
  const { settings, image } = link
  const shift = pageShift(link)
  const end = settings.adhocCodesign ? link.signatureAt : image.length
  const pages = Math.ceil(end / 2 ** shift)
  const parts = settings.uuid === 'none' || settings.uuid === 'random' ? new Uint32Array(0) : contentParts(link)
  return {
    shift,
    imagePages: Math.ceil(image.length / 2 ** shift),
    pages,
    end,
    parts,
    digests: new Uint8Array(memory((pages + parts.length / 2) * CS_SHA256_LEN, link.arenas.shared)),
  }
}

function writeHashes(link: Link, job: HashJob): void {
  const { settings, image, tail } = link
  const text = link.segments.byName.get('__TEXT') ?? 0
  const hashesAt = writeSignature(tail, link.signatureAt - image.length, {
    codeLimit: link.signatureAt,
    identifier: identifier(link),
    pageShift: job.shift,
    execSegBase: link.segments.Extent.fileOffset[text],
    execSegLimit: link.segments.Extent.fileSize[text],
    execSegFlags: settings.outputType === 'execute' ? CS_EXECSEG_MAIN_BINARY : 0,
  })
  tail.set(job.digests.subarray(0, job.pages * CS_SHA256_LEN), hashesAt)
  // The UUID came after the hashes.
  const headerPages = Math.ceil((link.uuidAt + 16) / 2 ** job.shift)
  hashPages({ bytes: image, offset: 0 }, 0, headerPages, image.length, job.shift, link.host.sha256, tail, hashesAt)
}

/** RFC 4122 bits of version 3, as all linkers claim: a hash, neither a time nor random. */
function writeUuid(link: Link, job: HashJob): void {
  if (link.settings.uuid === 'none') return
  const uuid = new Uint8Array(32)
  if (link.settings.uuid === 'random') link.host.random(uuid)
  else uuid.set(contentDigest(link, job))
  uuid[6] = (uuid[6] & 0x0f) | 0x30
  uuid[8] = (uuid[8] & 0x3f) | 0x80
  link.image.set(uuid.subarray(0, 16), link.uuidAt)
}
