// Which pages of the output have changed. The file is the image, and __LINKEDIT (the tail) behind it.
import type { Link } from '../../../components/link.ts'
import { bindsToWeak } from '../../../systems/kernels/fixups.ts'

export interface ChangedPages {
  shift: number
  /** By page: 1 where a byte has changed. */
  pages: Uint8Array
  /** Changed ranges of the tail: pairs of first byte and end. */
  tail: number[]
}

/** Of a patch on its way. */
export interface DirtyPages extends ChangedPages {
  pointers: Pointers
}

/** What a patch has changed so far of the places that dyld changes; `finishPointers` brings the rest up to date. */
export interface Pointers {
  changed: boolean
  /** The link's rows of fixups have been put in order. */
  sorted: boolean
  /** First places of the pages whose chains have to be linked anew. */
  pages: Set<number>
  /** Stretches of the image, with what they held before the patch, that are compared when all is done. */
  saved: { at: number; before: Uint8Array }[]
  /** Whether some are bound to weak definitions, before the patch. */
  weak: boolean
}

export function createDirtyPages(link: Link, shift: number): DirtyPages {
  const size = link.image.length + link.tail.length
  const pointers: Pointers = { changed: false, sorted: false, pages: new Set(), saved: [], weak: bindsToWeak(link) }
  return { shift, pages: new Uint8Array(Math.ceil(size / 2 ** shift)), tail: [], pointers }
}

export function countDirty({ pages }: DirtyPages): number {
  return pages.reduce((sum, page) => sum + page, 0)
}

/** Bytes from .. to - 1 of the file have changed. */
export function markDirty(link: Link, dirty: DirtyPages, from: number, to: number): void {
  if (to <= from) return
  const last = Math.floor((to - 1) / 2 ** dirty.shift)
  for (let page = Math.floor(from / 2 ** dirty.shift); page <= last; page++) dirty.pages[page] = 1
  if (from >= link.image.length) dirty.tail.push(from - link.image.length, to - link.image.length)
}

/** Marks the pages in which the image, from `at` on, differs from what it was. */
export function markChanges(link: Link, dirty: DirtyPages, at: number, before: Uint8Array): void {
  const { image } = link
  const end = at + before.length
  for (let from = at; from < end; ) {
    const to = Math.min(end, (Math.floor(from / 2 ** dirty.shift) + 1) * 2 ** dirty.shift)
    if (differs(image, from, before, from - at, to - from)) markDirty(link, dirty, from, to)
    from = to
  }
}

export function differs(a: Uint8Array, from: number, b: Uint8Array, start: number, length: number): boolean {
  const part = a.subarray(from, from + length)
  for (let i = 0; i < length; i++) if (part[i] !== b[start + i]) return true
  return false
}
