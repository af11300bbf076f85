// The rows of many objects, a chunk each, and the lookup of the names that they mention, a chunk a region of the index.
import type { Link } from '../../components/link.ts'
import { findMentions, type Mentions, nameKnown } from '../../components/names.ts'
import { createMessages } from '../../src/core/messages.ts'
import { readObjectHeader } from '../../src/formats/macho/object.ts'
import { AHEAD, fillObject } from './fillObject.ts'
import { createSplitScratch } from './blocks.ts'

export interface FillJob {
  files: Uint32Array
  /** By file: its first mention, and how many there are; -1 after an error. */
  base: Uint32Array
  count: Int32Array
  /** Areas of equal size, one for each thread that takes part. */
  mentions: Mentions
  areaSize: number
  /** How many areas are taken. */
  areas: Int32Array
}

export interface Filled {
  /** The mentions of this thread. */
  from: number
  to: number
  /** Indices of files with errors, about which nothing has been said. */
  failed: number[]
  /** Triples: index, file, symbol of N_INDR records. */
  indirects: number[]
}

/** Fills files that have been opened. Messages need names that workers do not have: whoever collects the results makes them. */
export function fillChunks(link: Link, job: FillJob, take: () => number): Filled {
  const { messages, indirects } = link
  const scratch = createSplitScratch()
  const from = Atomics.add(job.areas, 0, 1) * job.areaSize
  const filled: Filled = { from, to: from, failed: [], indirects: [] }
  for (let i = take(); i >= 0; i = take()) {
    link.messages = createMessages()
    link.indirects = []
    job.base[i] = filled.to
    job.count[i] = fillQuietly(link, job, i, filled.to, scratch)
    if (job.count[i] < 0 || link.messages.list.length > 0) filled.failed.push(i)
    else
      for (let pair = 0; pair < link.indirects.length; pair += 2)
        filled.indirects.push(i, ...link.indirects.slice(pair, pair + 2))
    if (job.count[i] > 0) filled.to += job.count[i]
  }
  link.messages = messages
  link.indirects = indirects
  return filled
}

function fillQuietly(
  link: Link,
  job: FillJob,
  i: number,
  base: number,
  scratch: ReturnType<typeof createSplitScratch>,
): number {
  const file = job.files[i]
  const { Source } = link.files
  const { bytes } = link.arenas.list[Source.arena[file]]
  try {
    const header = readObjectHeader(bytes, Source.position[file], Source.size[file])
    return fillObject(link, file, header, job.mentions, base, scratch)
  } catch {
    // Without paths a message cannot be made; the file is filled again where it can.
    return -1
  }
}

/** Names what has a name already; `count` is what is left of each file. */
export function nameChunks(link: Link, job: FillJob, take: () => number): void {
  const { name } = link.symbols.Definition
  for (let i = take(); i >= 0; i = take())
    if (job.count[i] > 0) {
      const end = nameKnown(link.names, job.mentions, job.base[i], job.base[i] + job.count[i], name)
      job.count[i] = end - job.base[i]
    }
}

export interface FindJob {
  mentions: Mentions
  /** Pairs: first mention and end of each area that is in use. */
  ranges: Uint32Array
}

/** Looks up the mentions of a region of the index. Returns whether a region had no room for them. */
export function findChunks(link: Link, job: FindJob, take: () => number): boolean {
  const picked = new Uint32Array(AHEAD + 1)
  let full = false
  for (let region = take(); region >= 0; region = take())
    for (let i = 0; i < job.ranges.length; i += 2) {
      const to = job.ranges[i + 1]
      if (findMentions(link.names, link.arenas, job.mentions, job.ranges[i], to, region, picked) < to) full = true
    }
  return full
}
