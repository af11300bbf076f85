// Writes a patched output in proportion to the change: into a copy-on-write clone of it, or into the output before the last, which
// stays beside it and takes turns with the newest. Never into the file that is the output.
import type { Link } from '../../components/link.ts'
import { type FileStat, type Host, HostError } from '../host/host.ts'
import { isSameFile } from '../session/fileRecords.ts'
import type { ChangedPages } from '../session/patch/dirtyPages.ts'
import { partsOf, sizeOf } from '../session/patch/generations.ts'

/** The output before the last: how it was left, and the pages in which it is not as the output. */
export interface OldOutput {
  stat: FileStat
  behind: number[]
}

export function oldPath(output: string): string {
  return `${output}.colonnade.old`
}

export interface NextOutput {
  stat: FileStat
  written: number
  old: OldOutput | null
}

/**
 * Brings `output`, which was left as `stat` says, up to date; `old` goes with it. Null where the whole file has to be written.
 * Killed at any moment, `output` is the file that it was or the new one, and an old output that was being written has no name any
 * more by which it would be taken for one.
 */
export function writeNext(
  host: Host,
  link: Link,
  dirty: ChangedPages,
  { output: stat, old }: { output: FileStat; old: OldOutput | null },
): NextOutput | null {
  const { output } = link.settings
  const parts = partsOf(link, dirty.pages, dirty.shift)
  const cloned = host.cloneFile?.(output, parts, stat)
  if (typeof cloned === 'object') {
    if (old !== null) host.removeFile?.(oldPath(output))
    return { stat: cloned, written: sizeOf(parts), old: null }
  }
  const behind = [...dirty.pages.keys()].filter((page) => dirty.pages[page] !== 0)
  if (old !== null && isUsable(host, oldPath(output), old, stat.size)) {
    const pages = dirty.pages.slice()
    for (const page of old.behind) pages[page] = 1
    const wanted = partsOf(link, pages, dirty.shift)
    const written = exchange(host, output, wanted)
    if (written !== null) return { stat: written, written: sizeOf(wanted), old: { stat, behind } }
  }
  const kept = host.keepFile?.(output, oldPath(output)) ?? null
  const copied = kept === null ? false : host.cloneFile?.(output, parts, stat, true)
  if (typeof copied !== 'object') return null
  return { stat: copied, written: stat.size, old: { stat, behind } }
}

/** Nobody else has it, and nobody has written it. */
function isUsable(host: Host, path: string, { stat, behind }: OldOutput, size: number): boolean {
  const now = host.stat(path)
  const isSame = now !== null && isSameFile(now, stat) && now.size === size && now.links === 1 && !now.isForeign
  return isSame && behind.every((page) => Number.isInteger(page) && page >= 0 && page < size)
}

function exchange(
  host: Host,
  output: string,
  parts: Parameters<NonNullable<Host['exchangeFile']>>[2],
): FileStat | null {
  if (host.exchangeFile === undefined) return null
  try {
    return host.exchangeFile(output, oldPath(output), parts) ?? host.stat(output)
  } catch (trouble) {
    if (trouble instanceof HostError) return null
    throw trouble
  }
}
