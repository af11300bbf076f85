// The names of a split file's local symbols, side by side in the arena of local names: all that the output's string table takes of
// the file's own, which then need not stay.
import { FILE_SPLIT } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { LOCALS_LOST } from '../kernels/localNames.ts'
import type { Room } from './room.ts'

/** Symbols may share their strings: names that take more than this many times their table are left there. */
const MOST_SHARED = 4
const GUARD = 8

/** Does nothing for a file in one piece. Threads may do so at once: the arena's first word is the place of the next names. */
export function keepLocals(link: Link, file: number, room: Room): void {
  const { Source, Tables, Ranges } = link.files
  if ((Source.flags[file] & FILE_SPLIT) === 0) return
  const { inner, records, flags, text, textView, locals, localsView } = room
  const stringsSize = Tables.stringsSize[file]
  const most = Math.min(stringsSize * MOST_SHARED, locals.length - GUARD)
  const size = inner.gatherLocals(
    records,
    Ranges.symbols[file],
    flags,
    textView,
    text,
    stringsSize,
    localsView,
    locals,
    most,
  )
  const arena = link.arenas.list[link.arenas.locals]
  const from = size < 0 ? arena.bytes.length : Atomics.add(arena.words, 0, size)
  if (from + size > arena.bytes.length || size < 0) Tables.localsSize[file] = LOCALS_LOST
  else {
    arena.bytes.set(locals.subarray(0, size), from)
    Tables.locals[file] = from
    Tables.localsSize[file] = size
  }
}
