// The hashes of the file, in chunks: those of whole tables of __LINKEDIT, which are long, first; then those of pages.
import type { Link, PageDigests } from '../../components/link.ts'
import { digester } from '../kernels/signing.ts'
import { CS_SHA256_LEN, hashPages } from '../../src/formats/codesign.ts'

/** Bytes of pages a chunk: enough that taking one costs nothing beside it. */
const CHUNK_BYTES = 1 << 19

export type HashJob = PageDigests

export function countChunks(job: HashJob): number {
  return job.parts.length / 2 + Math.ceil(job.pages / (CHUNK_BYTES >> job.shift))
}

export function hashChunks(link: Link, job: HashJob, take: () => number): void {
  const { shift, imagePages, pages, parts, digests } = job
  const step = CHUNK_BYTES >> shift
  const { image, tail } = link
  const digest = digester(link)
  const segments = { bytes: image, offset: 0 }
  const linkedit = { bytes: tail, offset: image.length }
  const partsAt = pages * CS_SHA256_LEN
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    if (chunk * 2 < parts.length) {
      digest(tail, parts[chunk * 2], parts[chunk * 2 + 1], digests, partsAt + chunk * CS_SHA256_LEN)
      link.visited.hashed += parts[chunk * 2 + 1] - parts[chunk * 2]
      link.visited.rows++
      continue
    }
    const from = (chunk - parts.length / 2) * step
    const middle = Math.min(Math.max(from, imagePages), from + step)
    const to = Math.min(pages, from + step)
    hashPages(segments, from, Math.min(middle, to), image.length, shift, digest, digests, 0)
    hashPages(linkedit, middle, to, job.end, shift, digest, digests, 0)
    link.visited.hashed += Math.min(job.end, to * 2 ** shift) - from * 2 ** shift
    link.visited.rows += to - from
  }
}
