// A host that counts what is written through it.
import type { FilePart, Host } from './host.ts'

/** So far: calls, bytes, and the pages of files that these lie in, each once a call. */
export interface Writes {
  calls: number
  bytes: number
  pages: number
}

export const WRITE_PAGE = 0x4000

/**
 * `host`, and what is written through it from now on. Counted when it is done: a whole file by its size, parts by theirs, a copy
 * of a file as the whole of it. What other threads write of a draft is in the draft's size.
 */
export function countWrites(host: Host): { host: Host; writes: Writes } {
  const writes: Writes = { calls: 0, bytes: 0, pages: 0 }
  const addWhole = (bytes: number) => {
    writes.calls++
    writes.bytes += bytes
    writes.pages += Math.ceil(bytes / WRITE_PAGE)
  }
  const addParts = (parts: readonly FilePart[]) => {
    writes.calls++
    writes.bytes += parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
    writes.pages += pagesOf(parts)
  }
  const counting: Host = {
    ...host,
    writeFile: (path, chunks, mode) => {
      const written = host.writeFile(path, chunks, mode)
      addWhole(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
      return written
    },
  }
  const { drafts, updateFile, cloneFile, exchangeFile } = host
  if (drafts !== undefined)
    counting.drafts = {
      ...drafts,
      of: drafts.of === host.writeFile ? counting.writeFile : drafts.of,
      finish: (draft, path) => {
        const written = drafts.finish(draft, path)
        addWhole(written.size)
        return written
      },
    }
  if (updateFile !== undefined)
    counting.updateFile = (path, parts) => {
      updateFile(path, parts)
      addParts(parts)
    }
  if (cloneFile !== undefined)
    counting.cloneFile = (path, parts, expected, mayCopy) => {
      const written = cloneFile(path, parts, expected, mayCopy)
      if (written !== false && mayCopy) addWhole(sizeOf(host, path, parts))
      else if (written !== false) addParts(parts)
      return written
    }
  if (exchangeFile !== undefined)
    counting.exchangeFile = (path, kept, parts) => {
      const written = exchangeFile(path, kept, parts)
      addParts(parts)
      return written
    }
  return { host: counting, writes }
}

function sizeOf(host: Host, path: string, parts: readonly FilePart[]): number {
  return host.stat(path)?.size ?? parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

function pagesOf(parts: readonly FilePart[]): number {
  const pages = new Set<number>()
  for (const { at, bytes } of parts)
    for (let page = Math.floor(at / WRITE_PAGE); page * WRITE_PAGE < at + bytes.length; page++) pages.add(page)
  return pages.size
}
