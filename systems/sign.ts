// sign: the UUID, a hash of what the image is, and the ad-hoc code signature, a hash of every page.
// Reads: image, tail; what the link before has written, where this one has taken inputs over. Writes: LC_UUID in the image, the signature in the tail.
// Last before writing: it hashes everything, on all threads. Cost: bytes hashed, once; the header's page and, for the UUID, the
// tables of __LINKEDIT twice.

import { memory } from '../components/columns.ts'
import type { Link, PageDigests } from '../components/link.ts'
import { runKernel } from '../components/mirror.ts'
import type { Spare } from '../components/spare.ts'
import { CS_EXECSEG_MAIN_BINARY, CS_SHA256_LEN, hashPages, writeSignature } from '../src/formats/codesign.ts'
import { digester, identifier, pageShift } from './kernels/signing.ts'
import { contentDigest, contentParts } from './sign/contentDigest.ts'
import { changedPages, hashChanged } from './sign/changedPages.ts'
import { hashPage } from './sign/hashPage.ts'
import { countChunks, hashChunks, type HashJob } from './sign/hashChunks.ts'

/** Without a signature pages have any size: each digest costs 2 us beside its bytes. */
const UNSIGNED_SHIFT = 14

export async function sign(link: Link): Promise<void> {
  const { settings } = link
  const job = createJob(link)
  link.changed = changedPages(link, job)
  if (link.changed !== null && isFew(link.changed)) hashChanged(link, job, link.changed)
  else await runKernel(link, 'hashChunks', ['settings', 'image', 'tail'], hashChunks, job, countChunks(job))
  if (link.spare !== null && link.last !== null) spareLast(link.spare, link.last)
  link.last = null
  writeUuid(link, job)
  if (settings.adhocCodesign) writeHashes(link, job)
  if (link.keeps) link.digests = job
}

/** What it was compared with. */
function spareLast(spare: Spare, { image, spans, tail }: NonNullable<Link['last']>): void {
  spare.tail = tail
  if (spans !== null) spare.parts = image.buffer
}

/** More are hashed on all threads with those that have not changed. */
function isFew(changed: Uint8Array): boolean {
  return changed.reduce((sum, page) => sum + page, 0) * 2 < changed.length
}

/**
 * Signs again a file that has been signed, of which some pages and `tail`, ranges of the tail as pairs of first byte and end,
 * have changed. Returns the pages of the image and the tail that change through it, as bytes from and to in the file.
 */
export function signAgain(link: Link, job: PageDigests, pages: Uint8Array, tail: readonly number[]): number[] {
  const { image } = link
  const { digests, parts } = job
  const hash = digester(link)
  for (let page = 0; page < job.pages; page++) if (pages[page] !== 0) hashPage(link, job, page)
  for (let i = 0; i < parts.length; i += 2) {
    if (!overlaps(tail, parts[i], parts[i + 1])) continue
    hash(link.tail, parts[i], parts[i + 1], digests, job.pages * CS_SHA256_LEN + (i / 2) * CS_SHA256_LEN)
    link.visited.hashed += parts[i + 1] - parts[i]
    link.visited.rows++
  }
  writeUuid(link, job)
  const changed = link.settings.uuid === 'none' ? [] : [link.uuidAt, link.uuidAt + 16]
  if (!link.settings.adhocCodesign) return changed
  const hashesAt = writeHashes(link, job) + image.length
  for (let page = 0; page < job.pages; page++)
    if (pages[page] !== 0 || page === 0)
      changed.push(hashesAt + page * CS_SHA256_LEN, hashesAt + (page + 1) * CS_SHA256_LEN)
  return changed
}

function overlaps(ranges: readonly number[], from: number, to: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) if (ranges[i] < to && ranges[i + 1] > from) return true
  return false
}

function createJob(link: Link): HashJob {
  const { settings, image, tail } = link
  const padded = settings.layout === 'padded'
  const shift = settings.adhocCodesign || padded ? pageShift(link) : UNSIGNED_SHIFT
  const end = settings.adhocCodesign ? link.signatureAt : image.length + (padded ? tail.length : 0)
  const pages = Math.ceil(end / 2 ** shift)
  const isNone = padded || settings.uuid === 'none' || settings.uuid === 'random'
  const parts = isNone ? new Uint32Array(0) : contentParts(link)
  return {
    shift,
    imagePages: Math.ceil(image.length / 2 ** shift),
    pages,
    end,
    parts,
    digests: new Uint8Array(memory((pages + parts.length / 2) * CS_SHA256_LEN, link.arenas.shared)),
  }
}

/** Returns where in the tail the hashes begin. */
function writeHashes(link: Link, job: HashJob): number {
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
  link.visited.hashed += Math.min(image.length, headerPages * 2 ** job.shift)
  link.visited.rows += headerPages
  return hashesAt
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
