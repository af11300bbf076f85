// One object in columns of its own, as load leaves it, to be compared with another version of it.
import { arenaAt } from '../../../components/arena.ts'
import { createBlocks } from '../../../components/blocks.ts'
import { createFiles, FILE_HIDDEN, FILE_OBJECT } from '../../../components/files.ts'
import type { Link } from '../../../components/link.ts'
import type { Mentions } from '../../../components/names.ts'
import { createSections } from '../../../components/sections.ts'
import { createSymbols } from '../../../components/symbols.ts'
import { fillObject } from '../../../systems/load/fillObject.ts'
import { openObject } from '../../../systems/load/openObject.ts'
import { releaseRoom, reserveRoom } from '../../../systems/load/room.ts'
import { COUNT_BLOCKS, COUNTS, countObject } from '../../../systems/survey/counts.ts'
import { createMessages } from '../../core/messages.ts'
import { type ObjectHeader, readLinkerOptions, readObjectHeader } from '../../formats/macho/object.ts'
import { toText } from '../../core/bytes.ts'

/** Bytes in an arena. */
export interface Place {
  arena: number
  position: number
  size: number
}

/**
 * File 1 of `link`, which shares with the whole link what is not its rows; what its load commands ask for, as text; the first
 * `mentioned` of `mentions` are its external names, which have no rows yet.
 */
export interface Alone {
  link: Link
  options: string
  mentions: Mentions
  mentioned: number
}

/** Null when it cannot be linked, which the messages of a full link tell. @throws FormatError for a header that cannot be read */
export function loadAlone(whole: Link, file: number, place: Place): Alone | null {
  const arena = arenaAt(whole.arenas.list[place.arena], place.position, place.size)
  const { bytes } = arena
  const header = readObjectHeader(bytes, place.position, place.size)
  const counts = new Float64Array(COUNTS)
  countObject(bytes, place.position, header, counts, 0)
  const link = createAlone(whole, file, place, header, counts[COUNT_BLOCKS])
  // Only here: names lie anywhere in it.
  link.arenas = { ...whole.arenas, list: whole.arenas.list.with(place.arena, arena) }
  const opened = openObject(link, 1)
  if (opened === null) return null
  const room = reserveRoom(opened.symbolCount, opened.stringsSize)
  const mentioned = fillObject(link, 1, opened, room)
  if (mentioned < 0) return null
  link.arenas = whole.arenas
  const words = readLinkerOptions(bytes, place.position, opened, (from, to) => toText(bytes, from, to))
  const mentions = copyMentions(room.mentions, mentioned)
  releaseRoom()
  return { link, options: JSON.stringify(words), mentions, mentioned }
}

/** The room is for the next object. */
function copyMentions({ row, start, place, hash }: Mentions, count: number): Mentions {
  return {
    row: row.slice(0, count),
    start: start.slice(0, count),
    place: place.slice(0, count),
    hash: hash.slice(0, count),
  }
}

function createAlone(whole: Link, file: number, place: Place, header: ObjectHeader, blocks: number): Link {
  const files = createFiles(1, false)
  const { Source, Ranges } = files
  files.count = 1
  Source.kind[1] = FILE_OBJECT
  Source.flags[1] = whole.files.Source.flags[file] & FILE_HIDDEN
  Source.arena[1] = place.arena
  Source.position[1] = place.position
  Source.size[1] = place.size
  Source.path[1] = whole.files.Source.path[file]
  Ranges.section[1] = Ranges.symbol[1] = Ranges.block[1] = 1
  return {
    ...whole,
    files,
    sections: createSections(header.sectionCount, false),
    blocks: createBlocks(blocks, false),
    symbols: createSymbols(header.symbolCount, false),
    order: Uint32Array.of(1),
    profiles: [],
    messages: createMessages(),
    visited: { rows: 0, read: 0, hashed: 0, written: 0, probes: 0, allocated: 0 },
  }
}
