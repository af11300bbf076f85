// The input arena: a few large buffers that hold the bytes of all inputs. A place is (arena, u32 position).
import { alignUp } from '../src/core/align.ts'
import { memory } from './columns.ts'

/** At most this much in one arena: positions are u32, and a read is limited to 2^31 - 1 bytes. */
export const ARENA_LIMIT = 0x7fff0000

export interface Arena {
  bytes: Uint8Array
  /** The same memory as little-endian words, for nlist and relocation records read where they lie. */
  words: Uint32Array
  view: DataView
  used: number
}

export interface Arenas {
  list: Arena[]
  shared: boolean
}

export function createArenas(shared: boolean): Arenas {
  return { list: [], shared }
}

/** Room for `size` bytes at a multiple of 16, in the newest arena if it fits, else in a new one of at least `hint` bytes. */
export function placeInArena(arenas: Arenas, size: number, hint: number): { arena: number; position: number } {
  let arena = arenas.list.length - 1
  if (arena < 0 || arenas.list[arena].used + size > arenas.list[arena].bytes.length) {
    addArena(arenas, Math.min(Math.max(hint, size), Math.max(size, ARENA_LIMIT)))
    arena = arenas.list.length - 1
  }
  const place = arenas.list[arena]
  const position = place.used
  place.used = alignUp(position + size, 16)
  return { arena, position }
}

function addArena(arenas: Arenas, size: number): void {
  arenas.list.push(createArena(alignUp(size + 16, 16), arenas.shared))
}

/** An empty arena of `size` bytes, a multiple of 16. */
export function createArena(size: number, shared: boolean): Arena {
  const buffer = memory(size, shared)
  return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer), view: new DataView(buffer), used: 0 }
}
