// Where the symbol and string tables of an object lie, and its names when they do so no longer.
import type { Arena } from '../../components/arena.ts'
import { FILE_SPLIT } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { readU32, toText } from '../../src/core/bytes.ts'
import { HostError } from '../../src/host/host.ts'

/** Index of the arena that Tables.nlist and Tables.strings of a file are positions in. */
export function tablesArena(link: Link, file: number): number {
  const { arena, flags } = link.files.Source
  return (flags[file] & FILE_SPLIT) === 0 ? arena[file] : link.arenas.list[arena[file]].tables
}

/** Its bytes are empty once the tables of split files have gone. */
export function tablesOf(link: Link, file: number): Arena {
  return link.arenas.list[tablesArena(link, file)]
}

/** A longer name is cut in messages that come late. */
const MOST_LATE = 4096

/** The name of symbol `index` of a split file, read from the file again: for messages about what comes after its tables have gone. */
export function lateName(link: Link, file: number, index: number): string {
  const { Source, Tables } = link.files
  const place = link.paths[Source.path[file]]
  const bytes = new Uint8Array(MOST_LATE)
  const position = Source.position[file]
  try {
    if (link.host.readInto(place, bytes, 0, 4, Tables.nlist[file] - position + index * 16) < 4) return ''
    const strx = readU32(bytes, 0)
    const most = Math.min(MOST_LATE, Tables.stringsSize[file] - strx)
    if (most <= 0) return ''
    const got = link.host.readInto(place, bytes, 0, most, Tables.strings[file] - position + strx)
    const end = bytes.indexOf(0)
    return toText(bytes, 0, end < 0 || end > got ? got : end)
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    return ''
  }
}
