// Writes a patched output in proportion to the change: into a copy-on-write clone, or into the output before the last, which is
// kept under a second name and takes turns with the newest. Never into the file that is the output (a signed one must not change).
import type { Link } from '../../../components/link.ts'
import type { FilePart, FileStat, Host } from '../../host/host.ts'
import { HostError } from '../../host/host.ts'
import { isSameFile } from '../fileRecords.ts'
import type { ChangedPages } from './dirtyPages.ts'

export interface Generations {
  /** Name of the output before the last, and how it was left; empty: there is none. */
  kept: string
  stat: FileStat | null
  /** By page: 1 where it is not as the output is. */
  behind: Uint8Array
}

export function createGenerations(): Generations {
  return { kept: '', stat: null, behind: new Uint8Array(0) }
}

/**
 * Brings the output up to date; returns the bytes written. `writeWhole` writes the whole file and renames it over the output,
 * which is done where nothing less is sure.
 */
export function writeGeneration(
  host: Host,
  link: Link,
  dirty: ChangedPages,
  generations: Generations,
  writeWhole: () => void,
): number {
  const { output } = link.settings
  const size = link.image.length + link.tail.length
  const parts = partsOf(link, dirty.pages, dirty.shift)
  if (host.cloneFile?.(output, parts)) return sizeOf(parts)
  const { pages } = dirty
  if (isUsable(host, generations, size)) {
    const both = pages.map((page, i) => page | generations.behind[i])
    const wanted = partsOf(link, both, dirty.shift)
    if (exchange(host, output, generations.kept, wanted)) {
      Object.assign(generations, { stat: host.stat(generations.kept), behind: pages.slice() })
      return sizeOf(wanted)
    }
  }
  endGenerations(host, generations)
  generations.kept = host.keepFile?.(output) ?? ''
  writeWhole()
  Object.assign(generations, { stat: host.stat(generations.kept), behind: pages.slice() })
  return size
}

/** Nobody else has it, and nobody has written it. */
function isUsable(host: Host, { kept, stat }: Generations, size: number): boolean {
  if (kept === '' || stat === null || host.exchangeFile === undefined) return false
  const now = host.stat(kept)
  return now !== null && isSameFile(now, stat) && now.size === size && now.links === 1
}

function exchange(host: Host, output: string, kept: string, parts: readonly FilePart[]): boolean {
  try {
    host.exchangeFile!(output, kept, parts)
    return true
  } catch (trouble) {
    if (trouble instanceof HostError) return false
    throw trouble
  }
}

/** Removes the output before the last. */
export function endGenerations(host: Host, generations: Generations): void {
  if (generations.kept !== '') host.removeFile?.(generations.kept)
  generations.kept = ''
}

/** Runs of dirty pages; one that spans image and tail is two. */
export function partsOf(link: Link, pages: Uint8Array, shift: number): FilePart[] {
  const parts: FilePart[] = []
  const end = link.image.length + link.tail.length
  for (let page = 0; page < pages.length; page++) {
    if (pages[page] === 0) continue
    const at = page * 2 ** shift
    while (page + 1 < pages.length && pages[page + 1] !== 0) page++
    addParts(link, parts, at, Math.min(end, (page + 1) * 2 ** shift))
  }
  return parts
}

function addParts({ image, tail }: Link, parts: FilePart[], from: number, to: number): void {
  if (from < image.length) parts.push({ at: from, bytes: image.subarray(from, Math.min(to, image.length)) })
  const start = Math.max(from, image.length)
  if (to > start) parts.push({ at: start, bytes: tail.subarray(start - image.length, to - image.length) })
}

export function sizeOf(parts: readonly FilePart[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
}
