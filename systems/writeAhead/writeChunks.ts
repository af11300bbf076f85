// Writes ranges of the output to their places in its draft. One chunk: file systems let one thread at a time write to a file.
import { partsAt } from '../../components/draft.ts'
import type { Link } from '../../components/link.ts'

export interface WriteJob {
  path: string
  /** As in a draft. */
  ranges: number[]
}

/** Returns false where it cannot, so that the output is written anew, and true where another thread has taken the chunk. */
export function writeChunks(link: Link, { path, ranges }: WriteJob, take: () => number): boolean {
  if (take() < 0) return true
  try {
    link.host.drafts!.write(path, partsAt(link, ranges))
    return true
  } catch {
    return false
  }
}
