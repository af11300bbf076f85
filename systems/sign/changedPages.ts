// What of the file is not as the link before has written it: only that is hashed again, and written.
import type { Link, PageDigests } from '../../components/link.ts'
import { CS_SHA256_LEN } from '../../src/formats/codesign.ts'
import { hashPage } from './hashPage.ts'
import { digester } from '../kernels/signing.ts'

/**
 * By page of the file 1 where bytes differ, which those of the header and of the signature always may; null where there is nothing to compare with, or
 * where pages and parts are others.
 */
export function changedPages({ last, image, tail }: Link, job: PageDigests): Uint8Array | null {
  if (last === null || last.tail.length !== tail.length) return null
  if (last.spans === null && last.image.length !== image.length) return null
  const { shift, pages, parts } = last.digests
  if (shift !== job.shift || pages !== job.pages || parts.length !== job.parts.length) return null
  if (parts.some((at, i) => at !== job.parts[i])) return null
  const changed = new Uint8Array(Math.ceil((image.length + tail.length) / 2 ** shift))
  markImage(changed, shift, image, last)
  markDifferences(changed, shift, image.length, tail, last.tail)
  changed[0] = 1
  if (job.end > image.length) changed.fill(1, Math.floor(job.end / 2 ** shift))
  return changed
}

function markImage(changed: Uint8Array, shift: number, image: Uint8Array, last: NonNullable<Link['last']>): void {
  const spans = last.spans ?? Uint32Array.of(0, image.length)
  let at = 0
  for (let i = 0; i < spans.length; i += 2) {
    const size = spans[i + 1] - spans[i]
    markDifferences(
      changed,
      shift,
      spans[i],
      image.subarray(spans[i], spans[i + 1]),
      last.image.subarray(at, at + size),
    )
    at += size
  }
}

/** `before` and `now`, of equal lengths, lie at `at` of the file. */
function markDifferences(changed: Uint8Array, shift: number, at: number, now: Uint8Array, before: Uint8Array): void {
  const areWords = now.byteOffset % 4 === 0 && before.byteOffset % 4 === 0
  const words = areWords ? now.length >> 2 : 0
  const a = new Int32Array(now.buffer, areWords ? now.byteOffset : 0, words)
  const b = new Int32Array(before.buffer, areWords ? before.byteOffset : 0, words)
  for (let i = 0; i < words; i++) {
    if (a[i] === b[i]) continue
    const page = Math.floor((at + i * 4) / 2 ** shift)
    changed[page] = 1
    i = Math.max(i, (((page + 1) * 2 ** shift - at) >> 2) - 1)
  }
  for (let i = words * 4; i < now.length; i++) if (now[i] !== before[i]) changed[Math.floor((at + i) / 2 ** shift)] = 1
}

/** Fills the digests: those of what has not changed are those that the link before has made. */
export function hashChanged(link: Link, job: PageDigests, changed: Uint8Array): void {
  const hash = digester(link)
  job.digests.set(link.last!.digests.digests)
  for (let page = 0; page < job.pages; page++) if (changed[page] !== 0) hashPage(link, job, page)
  for (let part = 0; part < job.parts.length; part += 2) {
    const [from, to] = [job.parts[part], job.parts[part + 1]]
    if (!hasChanged(link, changed, job.shift, from, to)) continue
    hash(link.tail, from, to, job.digests, job.pages * CS_SHA256_LEN + (part / 2) * CS_SHA256_LEN)
    link.visited.hashed += to - from
    link.visited.rows++
  }
}

/** Whether bytes from .. to - 1 of the tail differ: looks into changed pages only. */
function hasChanged(
  { image, tail, last }: Link,
  changed: Uint8Array,
  shift: number,
  from: number,
  to: number,
): boolean {
  const before = last!.tail
  const size = 2 ** shift
  for (let at = from; at < to; ) {
    const page = Math.floor((image.length + at) / size)
    const end = Math.min(to, (page + 1) * size - image.length)
    if (changed[page] !== 0) for (let i = at; i < end; i++) if (tail[i] !== before[i]) return true
    at = end
  }
  return false
}
