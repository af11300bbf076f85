// The rows of many objects, a chunk each; what names they mention is sorted by hash.
import type { Link } from '../../components/link.ts'
import { type MentionParts, sortMentions } from '../../components/mentionParts.ts'
import type { Mentions } from '../../components/names.ts'
import { createMessages } from '../../src/core/messages.ts'
import { readObjectHeader } from '../../src/formats/macho/object.ts'
import { fillObject } from './fillObject.ts'
import { releaseRoom, reserveRoom } from './room.ts'

export interface FillJob {
  files: Uint32Array
  parts: MentionParts
  /** How many areas of `parts` are taken: each thread takes one. */
  areas: Uint32Array
}

export interface Filled {
  area: number
  /** Indices of the files whose mentions are in the area, in their order there. */
  done: number[]
  /** Indices of files with errors or warnings, about which nothing has been said, and of those whose mentions had no room. */
  failed: number[]
  /** Triples: index, file, symbol of N_INDR records. */
  indirects: number[]
}

/** Fills files that have been opened. Messages need names that workers do not have: whoever collects the results makes them. */
export function fillChunks(link: Link, job: FillJob, take: () => number): Filled {
  const { messages, indirects } = link
  const area = Atomics.add(job.areas, 0, 1)
  const filled: Filled = { area, done: [], failed: [], indirects: [] }
  for (let i = take(); i >= 0; i = take()) {
    link.messages = createMessages()
    link.indirects = []
    const { mentions, count } = fillQuietly(link, job.files[i])
    const good = mentions !== null && link.messages.list.length === 0
    if (!good || !sortMentions(job.parts, link.arenas, area, mentions, count, link.symbols.Definition.name)) {
      filled.failed.push(i)
      continue
    }
    filled.done.push(i)
    for (let pair = 0; pair < link.indirects.length; pair += 2)
      filled.indirects.push(i, ...link.indirects.slice(pair, pair + 2))
  }
  link.messages = messages
  link.indirects = indirects
  releaseRoom()
  return filled
}

function fillQuietly(link: Link, file: number): { mentions: Mentions | null; count: number } {
  const { Source } = link.files
  const { bytes } = link.arenas.list[Source.arena[file]]
  try {
    const header = readObjectHeader(bytes, Source.position[file], Source.size[file])
    const room = reserveRoom(header.symbolCount, header.stringsSize)
    const count = fillObject(link, file, header, room)
    return { mentions: count < 0 ? null : room.mentions, count }
  } catch {
    // Without paths a message cannot be made; the file is filled again where it can.
    return { mentions: null, count: 0 }
  }
}
