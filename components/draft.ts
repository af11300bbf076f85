// The output while it is written: a file beside its place, which gets its name when it is whole.
import type { FilePart, FileStat } from '../src/host/host.ts'
import type { Link } from './link.ts'

export const OUTPUT_MODE = 0o755

export interface Draft {
  path: string
  /** What is written or being written: pairs of places in the file, from and to, ascending. */
  ranges: number[]
  /** Each waits for a part of it, and says whether it could be written. */
  pending: (() => Promise<boolean>)[]
  /** Nothing is pending, and all of `ranges` is there. */
  stands: boolean
}

/** Bytes of image and tail at the places of `ranges`. */
export function partsAt({ image, tail }: Pick<Link, 'image' | 'tail'>, ranges: readonly number[]): FilePart[] {
  const parts: FilePart[] = []
  const add = (bytes: Uint8Array, start: number, from: number, to: number) => {
    const [at, end] = [Math.max(from, start), Math.min(to, start + bytes.length)]
    if (at < end) parts.push({ at, bytes: bytes.subarray(at - start, end - start) })
  }
  for (let i = 0; i < ranges.length; i += 2) {
    add(image, 0, ranges[i], ranges[i + 1])
    add(tail, image.length, ranges[i], ranges[i + 1])
  }
  return parts
}

/** What lies within from .. to and in none of `ranges`, in the same form. */
export function rangesBetween(ranges: readonly number[], from: number, to: number): number[] {
  const between: number[] = []
  for (let i = 0; i <= ranges.length; i += 2) {
    const end = Math.min(ranges[i] ?? to, to)
    if (from < end) between.push(from, end)
    from = Math.max(from, ranges[i + 1] ?? to)
  }
  return between
}

/** What is pending is done afterwards; the last part first, so that it is written here where no thread has come to it. */
export async function settleDraft({ draft }: Link): Promise<void> {
  if (draft === null) return
  const done: boolean[] = []
  for (let next = draft.pending.pop(); next !== undefined; next = draft.pending.pop()) done.push(await next())
  draft.stands = done.every((isWritten) => isWritten)
}

/** Writes what is left and gives the file its name; null, and no draft, where it does not stand. Throws a HostError when it cannot. */
export function finishDraft(link: Link): FileStat | null {
  const { draft, host, image, tail } = link
  if (draft?.stands !== true) {
    discardDraft(link)
    return null
  }
  const left = rangesBetween(draft.ranges, 0, image.length + tail.length)
  host.drafts!.write(draft.path, partsAt(link, left))
  const written = host.drafts!.finish(draft.path, link.settings.output)
  link.draft = null
  return written
}

/** Without a trace, unless it has its name already. */
export function discardDraft(link: Link): void {
  const { draft, host } = link
  link.draft = null
  if (draft !== null) host.drafts!.discard(draft.path)
}
