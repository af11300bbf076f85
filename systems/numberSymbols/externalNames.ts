// The names of the externals side by side: what the export trie sorts, and the string table takes as it is.
import { memory } from '../../components/columns.ts'
import type { ExternalNames, Link } from '../../components/link.ts'
import { nameRoom } from '../kernels/linkeditRooms.ts'

/** The names of rows[0, count), each with a NUL; in the padded layout with room behind those of each file. */
export function gatherNames(link: Link, rows: Uint32Array, count: number): ExternalNames {
  const { shared } = link.arenas
  const words = (): Uint32Array => new Uint32Array(memory(count * 4, shared))
  const names = { bytes: new Uint8Array(0), offset: words(), length: words() }
  const padded = link.settings.layout === 'padded'
  const size = (padded ? placeByFile : placeNames)(link, rows, names)
  names.bytes = new Uint8Array(memory(size, shared))
  const target = new DataView(names.bytes.buffer)
  const { arena, offset } = link.names.Text
  let last = -1
  let source: DataView = target
  for (let i = 0; i < count; i++) {
    const row = rows[i]
    if (arena[row] !== last) {
      last = arena[row]
      source = link.arenas.list[last].view
    }
    copyName(source, offset[row], offset[row] + names.length[i], target, names.offset[i])
  }
  return names
}

/** Returns the bytes of all. */
function placeNames(link: Link, rows: Uint32Array, names: ExternalNames): number {
  const { length } = link.names.Text
  let size = 0
  for (let i = 0; i < names.offset.length; i++) {
    names.offset[i] = size
    names.length[i] = length[rows[i]]
    size += length[rows[i]] + 1
  }
  return size
}

function copyName(source: DataView, at: number, end: number, target: DataView, to: number): void {
  for (; at + 4 <= end; at += 4, to += 4) target.setInt32(to, source.getInt32(at, true), true)
  for (; at < end; at++, to++) target.setUint8(to, source.getUint8(at))
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
