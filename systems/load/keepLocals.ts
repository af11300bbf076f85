// The names of a split file's local symbols, side by side in the arena of local names: all that the output's string table takes of
// the file's own, which then need not stay.
import { FILE_SPLIT } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_OMITTED } from '../../components/symbols.ts'
import { LOCALS_LOST } from '../kernels/localNames.ts'
import { tablesOf } from '../kernels/symbolTables.ts'

/** Symbols may share their strings: names that take more than this many times their table are left there. */
const MOST_SHARED = 4
const NLIST_WORDS = 4

/** Names of one object before their place is known; grows to the largest object. */
export interface NameScratch {
  bytes: Uint8Array
  view: DataView
}

export function createNameScratch(size: number): NameScratch {
  const bytes = new Uint8Array(size)
  return { bytes, view: new DataView(bytes.buffer) }
}

/**
 * Does nothing for a file in one piece. Threads may do so at once: the arena's first word is the place of the next names. Returns the
 * scratch, which may have been replaced by a larger one.
 */
export function keepLocals(link: Link, file: number, scratch: NameScratch): NameScratch {
  const { Source, Tables } = link.files
  if ((Source.flags[file] & FILE_SPLIT) === 0) return scratch
  const most = Tables.stringsSize[file] * MOST_SHARED
  const names = scratch.bytes.length < most + 8 ? createNameScratch(most * 2 + 8) : scratch
  const size = gatherLocals(link, file, names, most)
  const arena = link.arenas.list[link.arenas.locals]
  const from = size < 0 ? arena.bytes.length : Atomics.add(arena.words, 0, size)
  if (from + size > arena.bytes.length || size < 0) Tables.localsSize[file] = LOCALS_LOST
  else {
    arena.bytes.set(names.bytes.subarray(0, size), from)
    Tables.locals[file] = from
    Tables.localsSize[file] = size
  }
  return names
}

/** Returns the bytes of the names, each with a NUL, or -1 when they are more than `most`. */
function gatherLocals(link: Link, file: number, { bytes: target, view: into }: NameScratch, most: number): number {
  const { Ranges, Tables } = link.files
  const { flags } = link.symbols.Definition
  const { bytes, view, words } = tablesOf(link, file)
  const first = Ranges.symbol[file]
  const end = first + Ranges.symbols[file]
  const stringsEnd = Tables.strings[file] + Tables.stringsSize[file]
  let record = Tables.nlist[file] / 4
  let to = 0
  for (let symbol = first; symbol < end; symbol++, record += NLIST_WORDS) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_OMITTED | SYMBOL_EXTERNAL)) !== SYMBOL_DEFINED) continue
    let at = Tables.strings[file] + words[record]
    for (; at + 4 <= stringsEnd && to < most; at += 4, to += 4) {
      const four = view.getInt32(at, true)
      if (((four - 0x01010101) & ~four & 0x80808080) !== 0) break
      into.setInt32(to, four, true)
    }
    for (; at < stringsEnd && bytes[at] !== 0 && to < most; at++) target[to++] = bytes[at]
    if (to >= most) return -1
    target[to++] = 0
  }
  return to
}
