// The names of the externals side by side, as the string table takes them. And the externals in
// the order of their symbols' rows.
import { helpers } from '../../src/core/pool.ts'
import { memory } from '../../components/columns.ts'
import type { ExternalNames, Link } from '../../components/link.ts'
import { runKernel } from '../../components/mirror.ts'
import { rankOf } from '../../src/core/bits.ts'
import { nameRoom } from '../kernels/linkeditRooms.ts'
import type { Ranks } from './byRow.ts'

const ROWS_A_CHUNK = 0x4000

export interface NameJob {
  /** Names by external. */
  rows: Uint32Array
  names: ExternalNames
  externals: Uint32Array
  byRow: Uint32Array
  ranks: Ranks
  step: number
}

/**
 * The names of link.table.externals, each with a NUL; in the padded layout with room behind those of each file. `rows` are names by
 * external, `lengths` theirs (null: not known). Fills link.table.byRow too.
 */
export async function gatherNames(
  link: Link,
  rows: Uint32Array,
  lengths: Uint32Array | null,
  ranks: Ranks,
): Promise<ExternalNames> {
  const { shared } = link.arenas
  const { externals, byRow } = link.table
  const count = externals.length
  const words = (): Uint32Array => new Uint32Array(memory(count * 4, shared))
  const names = { bytes: new Uint8Array(0), offset: words(), length: lengths?.subarray(0, count) ?? words() }
  const size = lengths === null ? placeByFile(link, rows, names) : placeNames(names)
  names.bytes = new Uint8Array(memory(size, shared))
  const step = helpers(link.pool) === 0 ? count : ROWS_A_CHUNK
  const job: NameJob = { rows, names, externals, byRow, ranks, step }
  await runKernel(link, 'nameRowChunks', ['arenas', 'names'], nameRowChunks, job, Math.ceil(count / step))
  return names
}

export function nameRowChunks(link: Link, job: NameJob, take: () => number): void {
  const { externals, byRow, step } = job
  const { words, before } = job.ranks
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * step, externals.length)
    copyNames(link, job, chunk * step, end)
    for (let i = chunk * step; i < end; i++) byRow[rankOf(words, before, externals[i])] = i
  }
}

function copyNames(link: Link, { rows, names }: NameJob, from: number, end: number): void {
  const target = new DataView(names.bytes.buffer)
  const { arena, offset } = link.names.Text
  let last = -1
  let source: DataView = target
  for (let i = from; i < end; i++) {
    const row = rows[i]
    if (arena[row] !== last) {
      last = arena[row]
      source = link.arenas.list[last].view
    }
    copyName(source, offset[row], offset[row] + names.length[i], target, names.offset[i])
  }
}

/** Copies bytes [at, end) to `to`. */
export function copyName(source: DataView, at: number, end: number, target: DataView, to: number): void {
  for (; at + 4 <= end; at += 4, to += 4) target.setInt32(to, source.getInt32(at, true), true)
  for (; at < end; at++, to++) target.setUint8(to, source.getUint8(at))
}

/** Returns the bytes of all. */
function placeNames({ offset, length }: ExternalNames): number {
  let size = 0
  for (let i = 0; i < offset.length; i++) {
    offset[i] = size
    size += length[i] + 1
  }
  return size
}

function placeByFile(link: Link, rows: Uint32Array, names: ExternalNames): number {
  const { Rows } = link.files
  const { length } = link.names.Text
  let start = 0
  for (const file of [...link.order, link.internal.file]) {
    const end = Rows.external[file] + Rows.externals[file]
    let size = start
    for (let i = Rows.external[file]; i < end; i++) {
      names.offset[i] = size
      names.length[i] = length[rows[i]]
      size += length[rows[i]] + 1
    }
    Rows.externalNames[file] = start
    Rows.externalRoom[file] = nameRoom(size - start)
    start += Rows.externalRoom[file]
  }
  return start
}
