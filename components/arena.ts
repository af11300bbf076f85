// The input arena: a few large buffers that hold the bytes of all inputs. A place is (arena, u32 position).
import { alignUp } from '../src/core/align.ts'
import { filledView, isPaged } from '../src/core/pages.ts'
import { memory } from './columns.ts'

/** At most this much in one arena: positions are u32, and a read is limited to 2^31 - 1 bytes. */
export const ARENA_LIMIT = 0x7fff0000

export interface Arena {
  bytes: Uint8Array
  /** The same memory as little-endian words, for nlist and relocation records read where they lie. */
  words: Uint32Array
  view: DataView
  used: number
  /** Index of the arena that holds, at the same positions, the symbols and strings of files with FILE_SPLIT; 0 where there are none. */
  tables: number
  /** Of an arena that is one for tables: no file is placed in it. */
  isTables: boolean
}

export interface Arenas {
  list: Arena[]
  shared: boolean
  /** Index of the arena of local names, which outlive the string tables of split files; 0 where none is split. */
  locals: number
  /** Indexes of arenas that take the linker's own bytes and names: no file is placed in them. */
  reserved: readonly number[]
}

export function createArenas(shared: boolean): Arenas {
  return { list: [], shared, locals: 0, reserved: [] }
}

/** Room for `size` bytes at a multiple of 16, in the newest arena if it fits, else in a new one of at least `hint` bytes. */
export function placeInArena(arenas: Arenas, size: number, hint: number): { arena: number; position: number } {
  let arena = newest(arenas)
  if (arena < 0 || arenas.list[arena].used + size > arenas.list[arena].bytes.length) {
    addArena(arenas, Math.min(Math.max(hint, size), Math.max(size, ARENA_LIMIT)))
    arena = arenas.list.length - 1
  }
  const place = arenas.list[arena]
  const position = place.used
  place.used = alignUp(position + size, 16)
  return { arena, position }
}

function newest({ list, reserved }: Arenas): number {
  for (let arena = list.length - 1; arena >= 0; arena--)
    if (!list[arena].isTables && !reserved.includes(arena)) return arena
  return -1
}

/**
 * The arena beside `arena` for symbols and strings, as large and made when it is asked for. What is not written of either costs
 * nothing. Once they have been read, one goes and the other stays.
 */
export function tablesBeside(arenas: Arenas, arena: number): number {
  const { list, shared } = arenas
  if (list[arena].tables === 0) list[arena].tables = list.push(createArena(list[arena].bytes.length, shared, true)) - 1
  return list[arena].tables
}

function addArena(arenas: Arenas, size: number): void {
  arenas.list.push(createArena(alignUp(size + 16, 16), arenas.shared))
}

/** An empty arena of `size` bytes, a multiple of 16. All have one hidden class, which loops over inputs are compiled for. */
export function createArena(size: number, shared: boolean, isTables = false): Arena {
  const buffer = memory(size, shared)
  return {
    bytes: new Uint8Array(buffer),
    words: new Uint32Array(buffer),
    view: new DataView(buffer),
    used: 0,
    tables: 0,
    isTables,
  }
}

/** Frees an arena's memory. Positions in it mean nothing from now on. */
export function releaseArena(arenas: Arenas, arena: number): void {
  const { used, tables, isTables } = arenas.list[arena]
  arenas.list[arena] = Object.assign(createArena(0, arenas.shared, isTables), { used, tables })
}

/** An arena of which `size` bytes from `position` on are read, and nothing else: of a snapshot those come from its file at once. */
export function arenaAt(arena: Arena, position: number, size: number): Arena {
  if (size === 0 || !isPaged(arena.bytes)) return arena
  const end = position + size
  return {
    ...arena,
    bytes: filledView(arena.bytes, position, end),
    words: filledView(arena.words, position, end),
    view: filledView(arena.view, position, end),
  }
}
