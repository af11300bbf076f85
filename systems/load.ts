// load: parses every object that takes part and is not parsed yet: sections, symbols, blocks, relocation runs, and activates the
// libraries that it names itself.
// Reads: files, arenas. Writes: sections, symbols, blocks, names (rows), file flags.
// Runs in turn with resolve until nothing more is wanted. Cost: one pass over the nlist records, name bytes and relocation
// addresses of the new files.

import { FILE_AGAIN, FILE_BROKEN, FILE_LOADED, FILE_OBJECT, FILE_PARSED } from '../components/files.ts'
import type { Link } from '../components/link.ts'
import { appendMentions } from '../components/internal.ts'
import { indexNames, internMentions } from '../components/names.ts'
import { checkpoint } from '../components/observer.ts'
import { helpers } from '../src/core/pool.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { adoptObject } from './load/adoptObject.ts'
import { takeRows } from './load/takeRows.ts'
import { activateLibraries } from './load/activateLibraries.ts'
import { fillObject } from './load/fillObject.ts'
import { loadTogether } from './load/loadTogether.ts'
import { breakFile, openObject, reading } from './load/openObject.ts'
import { releaseRoom, reserveRoom } from './load/room.ts'

/** Files between two looks at what goes on outside. */
const FILES_A_CHECK = 64

/** Fewer files than this are loaded sooner than they are handed out. */
const FILES_TOGETHER = 16
/** Fewer bytes of input are loaded file by file with one thread: the index of names fits the caches. */
const WORTH_SORTING = 256 << 20

/** Returns how many files were parsed. */
export async function load(link: Link): Promise<number> {
  const { Ranges, Tables, Source } = link.files
  const waiting = listWaiting(link)
  const isKept = link.kept?.inPlace === true || waiting.some((file) => isAdopted(link, file))
  if (!isKept && isTogether(link, waiting)) await loadTogether(link, waiting)
  else await loadHere(link, waiting)
  releaseRoom()
  for (const file of waiting) {
    if (Source.flags[file] & FILE_BROKEN) continue
    if (link.keeps && !(link.kept?.inPlace && isAdopted(link, file))) keepRows(link, file)
    if (isAdopted(link, file)) continue
    link.visited.rows += Ranges.symbols[file]
    link.visited.read += Ranges.symbols[file] * macho.NLIST_SIZE + Tables.stringsSize[file]
  }
  return waiting.length
}

function isTogether({ files, pool, settings }: Link, waiting: readonly number[]): boolean {
  if (waiting.length < FILES_TOGETHER) return false
  const bytes = waiting.reduce((sum, file) => sum + files.Source.size[file], 0)
  return helpers(pool) > 0 || bytes >= (settings.threadsFrom ?? WORTH_SORTING)
}

function listWaiting(link: Link): number[] {
  const waiting: number[] = []
  for (let file = 1; file <= link.files.count; file++) if (isWaiting(link, file)) waiting.push(file)
  return waiting
}

async function loadHere(link: Link, waiting: readonly number[]): Promise<void> {
  const { kept, names } = link
  const isFirst = kept !== null && names.count === 0
  if (isFirst && kept.inPlace) takeRows(link, kept)
  if (isFirst) kept.isAppending = !kept.inPlace
  for (let i = 0; i < waiting.length; i++) {
    if (i % FILES_A_CHECK === 0) await checkpoint(link.observer, waiting[i], link.files.count)
    if (isAdopted(link, waiting[i])) adoptObject(link, waiting[i])
    else loadObject(link, waiting[i])
  }
  if (kept?.isAppending) indexNames(names)
  if (kept !== null) kept.isAppending = false
}

function isAdopted({ kept }: Link, file: number): boolean {
  return kept !== null && file < kept.from.length && kept.from[file] !== 0
}

/** What a link that takes the object over needs as load leaves it. */
function keepRows({ files, symbols, blocks }: Link, file: number): void {
  const { symbol, symbols: symbolCount, block, blocks: blockCount } = files.Ranges
  const [firstSymbol, firstBlock] = [symbol[file], block[file]]
  symbols.Loaded.flags.set(symbols.Definition.flags.subarray(firstSymbol, firstSymbol + symbolCount[file]), firstSymbol)
  blocks.Loaded.alignPow2.set(blocks.Extent.alignPow2.subarray(firstBlock, firstBlock + blockCount[file]), firstBlock)
}

function isWaiting(link: Link, file: number): boolean {
  const { kind, flags } = link.files.Source
  return kind[file] === FILE_OBJECT && (flags[file] & (FILE_LOADED | FILE_PARSED)) === FILE_LOADED
}

function loadObject(link: Link, file: number): void {
  link.files.Source.flags[file] |= FILE_PARSED
  const said = link.messages.list.length
  const header = openObject(link, file)
  if (header === null) return
  const room = reserveRoom(header.symbolCount, header.stringsSize)
  const count = fillObject(link, file, header, room)
  if (count < 0) return
  const { names, arenas, symbols } = link
  const done = reading(link, file, () => {
    if (link.kept?.isAppending) appendMentions(link, room.mentions, count, symbols.Definition.name)
    else internMentions(names, arenas, room.mentions, 0, count, symbols.Definition.name)
    activateLibraries(link, file, header)
    return true
  })
  if (done === null) breakFile(link, file)
  if (link.messages.list.length > said) link.files.Source.flags[file] |= FILE_AGAIN
}
