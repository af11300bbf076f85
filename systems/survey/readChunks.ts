// Input files read into their places, and counted if they are objects: a chunk a file.
import type { Link } from '../../components/link.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { readObjectHeader } from '../../src/formats/macho/object.ts'
import { HostError } from '../../src/host/host.ts'
import { COUNTS, countObject } from './counts.ts'
import { kindOf } from './kindOf.ts'
import { createReadScratch, readSplit } from './readSplit.ts'

export const SPLIT = 1
export const SKIPPED = 2

/** Places in the arenas, by file; what the kernel writes lies in shared memory. */
export interface ReadJob {
  paths: string[]
  arena: Uint8Array
  position: Uint32Array
  size: Uint32Array
  /** Bytes that were there; -1: it could not be read. */
  got: Int32Array
  /** 1: an object without errors in its headers, whose `counts` are known: COUNTS words a file (counts.ts). */
  counted: Uint8Array
  counts: Float64Array
  /** SPLIT, SKIPPED: how it was read (readSplit.ts). No file is where `splits` is false. */
  split: Uint8Array
  /** Bytes that were left in the file. */
  left: Uint32Array
  splits: boolean
}

/** What cannot be read or is malformed is left to who looks at it next, and can say so. */
export function readChunks(link: Link, job: ReadJob, take: () => number): void {
  const scratch = job.splits ? createReadScratch() : null
  for (let i = take(); i >= 0; i = take()) {
    const { bytes } = link.arenas.list[job.arena[i]]
    try {
      const tables = readOne(link, job, i, scratch)
      if (kindOf(bytes, job.position[i], job.got[i]) !== 'object') continue
      const header = readObjectHeader(bytes, job.position[i], job.got[i])
      countObject(bytes, job.position[i], header, job.counts, i * COUNTS, tables)
      job.counted[i] = 1
    } catch (trouble) {
      if (trouble instanceof HostError) job.got[i] = -1
      else if (!(trouble instanceof FormatError)) throw trouble
    }
  }
}

/** Returns where its symbols lie. */
function readOne({ host, arenas }: Link, job: ReadJob, i: number, scratch: Uint8Array | null): Uint8Array {
  const arena = arenas.list[job.arena[i]]
  if (scratch === null) {
    job.got[i] = host.readInto(job.paths[i], arena.bytes, job.position[i], job.size[i], 0)
    return arena.bytes
  }
  const tables = arenas.list[arena.tables]
  const read = readSplit(host, job.paths[i], job.size[i], arena, tables, job.position[i], scratch)
  const { got, split, skipped, left } = read
  job.got[i] = got
  job.left[i] = left
  job.split[i] = (split ? SPLIT : 0) | (skipped ? SKIPPED : 0)
  return split ? tables.bytes : arena.bytes
}
