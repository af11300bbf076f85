// What is exported, in the order of names, which nothing but names decides: a thread sorts it while another places blocks. One chunk.
import { memory } from '../../components/columns.ts'
import type { ExportOrder, Link } from '../../components/link.ts'
import { fromText } from '../../src/core/bytes.ts'
import { sortNames } from '../../src/formats/dyld/sortNames.ts'
import { copyName } from './externalNames.ts'

/** Names that are touched before they are copied. */
const AHEAD = 64

/** Nothing is sorted yet, and of the names only those of re-exports are there. */
export function createExportOrder({ table, reexports, arenas }: Link): ExportOrder {
  const { byRow, externalNames } = table
  const own = byRow.length
  const texts = reexports.map(({ text }) => fromText(text))
  const words = (size: number): Uint32Array => new Uint32Array(memory(size * 4, arenas.shared))
  const [rows, offset, length] = [words(own + texts.length), words(own + texts.length), words(own + texts.length)]
  let at = externalNames.bytes.length
  const size = texts.reduce((sum, text) => sum + text.length, at)
  const bytes = new Uint8Array(memory(size, arenas.shared))
  texts.forEach((text, i) => {
    rows[own + i] = own + i
    offset[own + i] = at
    length[own + i] = text.length
    bytes.set(text, at)
    at += text.length
  })
  const shared = words(rows.length + 1)
  const isSorted = new Int32Array(memory(4, arenas.shared))
  return { names: { bytes, offset, length }, rows, shared, isSorted, externalNames, byRow }
}

export function sortExportChunks(_: Link, order: ExportOrder, take: () => number): number {
  return take() < 0 ? 0 : sortExports(order)
}

/**
 * Returns a sum that no one needs. Names stand in the order of mention, in which those of an object are far apart: copied side by side
 * before they are sorted, they took sorting and the trie together 900 in place of 1,450 ms (1,370,000 names).
 */
export function sortExports(order: ExportOrder): number {
  const { names, rows, shared, isSorted } = order
  placeNames(order)
  const sum = gatherNames(order)
  sortNames(names, rows, shared)
  Atomics.store(isSorted, 0, 1)
  return sum
}

function placeNames({ names: { offset, length }, rows, externalNames, byRow }: ExportOrder): void {
  let place = 0
  for (let at = 0; at < byRow.length; at++) {
    const size = externalNames.length[byRow[at]]
    rows[at] = at
    offset[at] = place
    length[at] = size
    place += size
  }
}

function gatherNames({ names, externalNames, byRow }: ExportOrder): number {
  const from = viewOf(externalNames.bytes)
  const to = viewOf(names.bytes)
  let sum = 0
  for (let at = 0; at < byRow.length; at += AHEAD) {
    const end = Math.min(at + AHEAD, byRow.length)
    sum += touch(externalNames.bytes, externalNames.offset, byRow, at, end)
    copyNames(from, externalNames.offset, byRow, to, names.offset, names.length, at, end)
  }
  return sum
}

/** Reads do not depend on one another, so that their cache and TLB misses overlap; those of one copy after another do not. */
function touch(bytes: Uint8Array, offset: Uint32Array, byRow: Uint32Array, from: number, end: number): number {
  let sum = 0
  for (let at = from; at < end; at++) sum += bytes[offset[byRow[at]]]
  return sum
}

function copyNames(
  source: DataView,
  start: Uint32Array,
  byRow: Uint32Array,
  target: DataView,
  offset: Uint32Array,
  length: Uint32Array,
  from: number,
  end: number,
): void {
  for (let at = from; at < end; at++) {
    const name = start[byRow[at]]
    copyName(source, name, name + length[at], target, offset[at])
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
