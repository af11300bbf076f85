// Reads an input into the arena and tells what it is: object, archive with its members, dylib, stub.
import { ARENA_LIMIT, placeInArena, tablesBeside } from '../../components/arena.ts'
import { traceStep } from '../../components/observer.ts'
import {
  FILE_ARCHIVE,
  FILE_ASKS,
  FILE_BROKEN,
  FILE_DEBUG,
  FILE_EXPLICIT,
  FILE_FORCE_LOAD,
  FILE_HIDDEN,
  FILE_LAZY,
  FILE_LOADED,
  FILE_MISSING,
  FILE_OBJECT,
  FILE_OTHER,
  FILE_SKIPPED,
  FILE_SPLIT,
} from '../../components/files.ts'
import { FormatError, toText } from '../../src/core/bytes.ts'
import { error, warn } from '../../src/core/messages.ts'
import { type Archive, memberName, readArchive } from '../../src/formats/archive.ts'
import { isFat, pickSlice, readFat } from '../../src/formats/fat.ts'
import { readLinkerOptions, readObjectHeader } from '../../src/formats/macho/object.ts'
import { HostError } from '../../src/host/host.ts'
import type { Input, InputFlags } from '../../src/types.ts'
import { architectureText } from '../kernels/architecture.ts'
import {
  COUNT_BLOCKS,
  COUNT_DEBUG,
  COUNT_OPTIONS,
  COUNT_SECTIONS,
  COUNT_STRINGS,
  COUNT_SYMBOLS,
  COUNT_UNWINDS,
  countObject,
} from './counts.ts'
import { type Kind, kindOf } from './kindOf.ts'
import { takeAhead } from './readAhead.ts'
import { readSplit, type SplitRead } from './readSplit.ts'
import { addFile, arenaHint, type Place, type Survey } from './survey.ts'

/** Reads a file, or copies in-memory contents, to a place of its own. Reports and returns null when it cannot. */
export function readInput(survey: Survey, path: string, contents: Uint8Array | undefined): Place | null {
  if (contents !== undefined) {
    survey.bytesRead += contents.length
    return copyIn(survey, contents)
  }
  const stat = survey.stats.get(path) ?? survey.host.stat(path)
  if (stat === null) {
    survey.dependencies.missing.push(path)
    error(survey.messages, 'cannot-open', `cannot open ${path}: No such file or directory`, { file: path })
    return null
  }
  if (stat.size > ARENA_LIMIT) {
    const text = `cannot open ${path}: has ${stat.size} bytes, at most ${ARENA_LIMIT} are possible`
    error(survey.messages, 'file-too-large', text, { file: path })
    return null
  }
  try {
    survey.dependencies.read.push(path)
    const ahead = takeAhead(survey, path, stat.mtimeSeconds)
    if (ahead !== null) return ahead
    const place = placeInArena(survey.arenas, stat.size, arenaHint(survey))
    survey.expected = Math.max(0, survey.expected - stat.size)
    const started = survey.host.now()
    const { got, split, skipped, left } = readWhereItGoes(survey, path, stat.size, place)
    survey.bytesRead += got - left
    traceStep(survey.observer, 'Read file', started, path)
    return { ...place, size: got, modified: stat.mtimeSeconds, split, skipped }
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    error(survey.messages, 'cannot-open', `cannot open ${path}: ${trouble.message}`, { file: path })
    return null
  }
}

function readWhereItGoes(
  { host, arenas, scratch, splits }: Survey,
  path: string,
  size: number,
  { arena, position }: { arena: number; position: number },
): SplitRead {
  const target = arenas.list[arena]
  if (scratch === null)
    return { got: host.readInto(path, target.bytes, position, size, 0), split: false, skipped: false, left: 0 }
  const tables = splits ? arenas.list[tablesBeside(arenas, arena)] : target
  const read = readSplit(host, path, size, target, tables, position, scratch)
  return { ...read, split: read.split && splits }
}

function copyIn(survey: Survey, contents: Uint8Array): Place {
  const place = placeInArena(survey.arenas, contents.length, arenaHint(survey))
  survey.arenas.list[place.arena].bytes.set(contents, place.position)
  return { ...place, size: contents.length, modified: 0 }
}

/** The slice of a universal file for this architecture, or the file itself; null when there is none (reported). */
export function pickArchitecture(survey: Survey, place: Place, path: string): Place | null {
  const { bytes } = survey.arenas.list[place.arena]
  const end = place.position + place.size
  if (!isFat(bytes, place.position, end)) return place
  const slices = readFat(bytes, place.position, end)
  const slice = pickSlice(slices, survey.arch.cputype, survey.arch.cpusubtype)
  if (slice !== null) return { ...place, position: place.position + slice.offset, size: slice.size }
  const has = slices.map((each) => architectureText(each.cputype, each.cpusubtype)).join(',')
  const text = `ignoring file because it is universal (${has}) but does not contain the ${survey.arch.name} architecture`
  warn(survey.messages, 'no-architecture', `${path}: ${text}`, { file: path })
  return null
}

/** A place whose position is a multiple of 8, so that records can be read as words: itself, or a copy. */
export function alignPlace(survey: Survey, place: Place): Place {
  if (place.position % 8 === 0) return place
  const { bytes } = survey.arenas.list[place.arena]
  const copy = copyIn(survey, bytes.subarray(place.position, place.position + place.size))
  return { ...copy, modified: place.modified }
}

export function classify(survey: Survey, place: Place): Kind {
  return kindOf(survey.arenas.list[place.arena].bytes, place.position, place.size)
}

/** Flags of a file from how it was asked for. */
export function fileFlags(flags: InputFlags, explicit: boolean): number {
  return (explicit ? FILE_EXPLICIT : 0) | (flags.hidden ? FILE_HIDDEN : 0) | (flags.forceLoad ? FILE_FORCE_LOAD : 0)
}

/** The same of an object; `alone`: no member of an archive. */
export function objectFlags(input: Input, alone: boolean): number {
  return fileFlags(input, alone) | (alone && !input.lazy ? FILE_LOADED : 0) | (input.lazy ? FILE_LAZY : 0)
}

/** An object file row with its counts; an archive member is not loaded until something wants it. */
export function addObject(survey: Survey, path: string, found: Place, rank: number, input: Input, parent = 0): number {
  const place = alignPlace(survey, found)
  const { bytes, tables } = survey.arenas.list[place.arena]
  const file = addFile(survey, FILE_OBJECT, path, place, rank)
  const symbols = place.split ? survey.arenas.list[tables].bytes : bytes
  const { rows } = survey
  rows.parent[file] = parent
  rows.flags[file] =
    (place.split ? FILE_SPLIT : 0) | (place.skipped ? FILE_SKIPPED : 0) | objectFlags(input, parent === 0)
  try {
    const known = place.counts ?? -1
    const counts = known >= 0 ? survey.ahead!.batch.job.counts : survey.counts
    if (known < 0) {
      const header = readObjectHeader(bytes, place.position, place.size)
      countObject(bytes, place.position, header, counts, 0, symbols)
    }
    takeCounts(survey, file, counts, Math.max(known, 0))
    if (counts[Math.max(known, 0) + COUNT_OPTIONS] !== 0) {
      rows.flags[file] |= FILE_ASKS
      noteAutolinks(survey, place)
    }
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    rows.flags[file] |= FILE_BROKEN
  }
  return file
}

function takeCounts({ rows }: Survey, file: number, counts: Float64Array, at: number): void {
  rows.sections[file] = counts[at + COUNT_SECTIONS]
  rows.symbols[file] = counts[at + COUNT_SYMBOLS]
  rows.blocks[file] = counts[at + COUNT_BLOCKS]
  rows.unwinds[file] = counts[at + COUNT_UNWINDS]
  rows.strings[file] = counts[at + COUNT_STRINGS]
  if (counts[at + COUNT_DEBUG] !== 0) rows.flags[file] |= FILE_DEBUG
}

/** Libraries that an object names itself: found and read now, so that columns can be sized, used when the object is loaded. */
export function noteAutolinks(survey: Survey, place: Place): void {
  if (survey.settings.ignoreAutoLink) return
  const { bytes } = survey.arenas.list[place.arena]
  const header = readObjectHeader(bytes, place.position, place.size)
  for (const words of readLinkerOptions(bytes, place.position, header, (from, to) => toText(bytes, from, to))) {
    const input = autolinkInput(words)
    if (input === null) continue
    const key = words.join(' ')
    if (survey.autolinks.has(key)) continue
    const autolink = { key, input, file: 0, dylib: -1, problem: '' }
    survey.autolinks.set(key, autolink)
    survey.pendingAutolinks.push(autolink)
  }
}

function autolinkInput(words: readonly string[]): Input | null {
  if (words[0] === '-framework' && words.length > 1) return { framework: words[1] }
  if (words[0]?.startsWith('-l')) return { library: words[0].slice(2) }
  return null
}

/** An archive and a row for each member. */
export function addArchive(
  survey: Survey,
  path: string,
  place: Place,
  rank: number,
  input: Input,
  explicit: boolean,
): number {
  const { bytes } = survey.arenas.list[place.arena]
  const archive = readArchive(bytes, place.position, place.position + place.size)
  const file = addFile(survey, FILE_ARCHIVE, path, place, rank)
  survey.rows.flags[file] = fileFlags(input, explicit) | (explicit ? FILE_LOADED : 0)
  survey.rows.archive[file] = survey.archives.push(archive) - 1
  for (let member = 0; member < archive.count; member++)
    addMember(survey, path, place, archive, member, file, rank, input)
  return file
}

function addMember(
  survey: Survey,
  path: string,
  place: Place,
  archive: Archive,
  member: number,
  parent: number,
  rank: number,
  input: Input,
): void {
  const name = archive.thin ? thinPath(path, memberName(archive, member)) : memberName(archive, member)
  const where = archive.thin
    ? readThinMember(survey, name)
    : {
        arena: place.arena,
        position: place.position + archive.offset[member],
        size: archive.size[member],
        modified: archive.mtime[member],
      }
  if (archive.thin && where === null) {
    survey.rows.parent[addFile(survey, FILE_MISSING, name, NOWHERE, rank)] = parent
    survey.rows.member[survey.count] = archive.headerOffset[member]
    return
  }
  const kind = where === null ? 'unknown' : classify(survey, where)
  let file: number
  if (where !== null && kind === 'object')
    file = addObject(survey, name, where, rank, { ...input, lazy: false }, parent)
  else {
    file = addFile(survey, FILE_OTHER, name, where ?? NOWHERE, rank)
    survey.rows.parent[file] = parent
    if (kind === 'bitcode') survey.rows.flags[file] |= FILE_BROKEN
  }
  survey.rows.member[file] = archive.headerOffset[member]
}

const NOWHERE: Place = { arena: 0, position: 0, size: 0, modified: 0 }

/** Members of a thin archive lie relative to it. */
function thinPath(archivePath: string, name: string): string {
  return name.startsWith('/') ? name : archivePath.replace(/[^/\\]*$/, '') + name
}

/** null when there is no such file, which is an error only once something wants the member. */
function readThinMember(survey: Survey, path: string): Place | null {
  return survey.host.stat(path) === null ? null : readInput(survey, path, undefined)
}
