import type { Link, PageDigests } from '../../components/link.ts'
import { hashPages } from '../../src/formats/codesign.ts'
import { digester } from '../kernels/signing.ts'

/** Hashes one page of the file to its digest. */
export function hashPage(link: Link, job: PageDigests, page: number): void {
  const { image, tail } = link
  const run = page < job.imagePages ? { bytes: image, offset: 0 } : { bytes: tail, offset: image.length }
  const end = page < job.imagePages ? image.length : job.end
  hashPages(run, page, page + 1, end, job.shift, digester(link), job.digests, 0)
  link.visited.hashed += 2 ** job.shift
  link.visited.rows++
}
