// Objects whose blocks move because they share a region with one that has changed: their own rows stay as they are.
import type { Link } from '../../../components/link.ts'
import { startsOfFile } from '../../../systems/beginExports/functionStarts.ts'
import type { DirtyPages } from './dirtyPages.ts'
import { saveExtents } from './extents.ts'
import { moveBlocks } from './moves.ts'
import { moveExports } from './patchExports.ts'
import { moveRows } from './patchMoved.ts'
import { patchFunctionStarts } from './patchStarts.ts'
import { patchStabs } from './patchTables.ts'
import type { Relations } from './relations.ts'
import type { Relocated } from './relocateAgain.ts'
import { relocateFile } from './relocateFile.ts'
import type { Moves } from './sharedRegions.ts'
import { type Touched, touchAll } from './touched.ts'

export interface Neighbour extends Relocated {
  addresses: Float64Array
  starts: number[] | null
}

/** As they are before anything moves. The image stays as it is. */
export function saveNeighbours(link: Link, moves: Moves): Neighbour[] {
  const neighbours = Array.from(moves, ([file, addresses]): Neighbour => {
    const extents = saveExtents(link, file, null, addresses)
    return { file, addresses, extents, fixups: null, starts: startsOfFile(link, file) }
  })
  for (const neighbour of neighbours) {
    neighbour.fixups = relocateFile(link, neighbour.file)
    for (const { before, from } of neighbour.extents) link.image.set(before, from)
  }
  return neighbours
}

/** Moves their blocks; the other objects that refer to those come to `touched`. Returns their symbols that have moved. */
export function moveNeighbours(
  link: Link,
  relations: Relations,
  neighbours: readonly Neighbour[],
  touched: Touched,
): number[] {
  const all: number[] = []
  for (const { file, addresses } of neighbours) {
    const moved = moveBlocks(link, relations, file, addresses)
    touchAll(touched, moved.touched)
    for (const symbol of moved.symbols) all.push(symbol)
  }
  for (const { file } of neighbours) touched.delete(file)
  return all
}

/** What holds the addresses of their symbols, but for the functions' starts. False when the exports leave their room. */
export function patchNeighbours(
  link: Link,
  neighbours: readonly Neighbour[],
  symbols: readonly number[],
  dirty: DirtyPages,
): boolean {
  moveRows(link, symbols, dirty)
  for (const { file } of neighbours) patchStabs(link, file, dirty)
  return moveExports(link, symbols, dirty)
}

/** The list of functions, of which the object has had `starts`. False when it leaves its room. */
export function patchStarts(
  link: Link,
  file: number,
  starts: number[] | null,
  neighbours: readonly Neighbour[],
  dirty: DirtyPages,
): boolean {
  const before = joinStarts([starts, ...neighbours.map((neighbour) => neighbour.starts)])
  const now = joinStarts([file, ...neighbours.map((neighbour) => neighbour.file)].map((of) => startsOfFile(link, of)))
  return patchFunctionStarts(link, before, now, dirty)
}

function joinStarts(list: readonly (number[] | null)[]): number[] | null {
  return list.includes(null) ? null : (list as number[][]).flat()
}
