// Reads an input into the arena and tells what it is: object, archive with its members, dylib, stub.
import { ARENA_LIMIT, placeInArena } from '../../components/arena.ts'
import { traceStep } from '../../components/observer.ts'
import {
  FILE_ARCHIVE,
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
} from '../../components/files.ts'
import { FormatError, readU32, toText } from '../../src/core/bytes.ts'
import { error, warn } from '../../src/core/messages.ts'
import { type Archive, isArchive, memberName, readArchive } from '../../src/formats/archive.ts'
import { isFat, pickSlice, readFat } from '../../src/formats/fat.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { type ObjectHeader, readLinkerOptions, readObjectHeader } from '../../src/formats/macho/object.ts'
import { HostError } from '../../src/host/host.ts'
import type { Input, InputFlags } from '../../src/types.ts'
import { architectureText } from '../kernels/architecture.ts'
import { countRows } from './counts.ts'
import { addFile, type Place, type Survey } from './survey.ts'

/** An arena is at least this large once the inputs are many, so that small files share one. */
const ARENA_STEP = 16 * 1024 * 1024
const FIRST_ARENA = 64 * 1024

const BITCODE_MAGIC = 0xdec04342
const BITCODE_WRAPPER_MAGIC = 0x0b17c0de

/** Arenas grow with what they hold: V8 collects garbage by the size of buffers. Two of 1 MiB made a warm link of hello 2.6 ms, not 2.0. */
function arenaHint(survey: Survey): number {
  let held = FIRST_ARENA / 4
  for (const arena of survey.arenas.list) held += arena.bytes.length
  return Math.max(survey.expected, Math.min(held * 4, ARENA_STEP))
}

/** Reads a file, or copies in-memory contents, to a place of its own. Reports and returns null when it cannot. */
export function readInput(survey: Survey, path: string, contents: Uint8Array | undefined): Place | null {
  if (contents !== undefined) return copyIn(survey, contents)
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
    const place = placeInArena(survey.arenas, stat.size, arenaHint(survey))
    survey.expected = Math.max(0, survey.expected - stat.size)
    const target = survey.arenas.list[place.arena].bytes
    const started = survey.host.now()
    const size = survey.host.readInto(path, target, place.position, stat.size, 0)
    traceStep(survey.observer, 'Read file', started, path)
    return { ...place, size, modified: stat.mtimeSeconds }
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    error(survey.messages, 'cannot-open', `cannot open ${path}: ${trouble.message}`, { file: path })
    return null
  }
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
  const has = slices.map((each) => architectureText(each.cputype)).join(',')
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

/** `image`: an executable or bundle, which only -bundle_loader takes. */
export type Kind = 'object' | 'archive' | 'dylib' | 'image' | 'tbd' | 'bitcode' | 'unknown'

export function classify(survey: Survey, place: Place): Kind {
  const { bytes } = survey.arenas.list[place.arena]
  const { position, size } = place
  if (isArchive(bytes, position, position + size)) return 'archive'
  if (size < 4) return 'unknown'
  const magic = readU32(bytes, position)
  if (magic === BITCODE_MAGIC || magic === BITCODE_WRAPPER_MAGIC) return 'bitcode'
  if (magic === macho.MH_MAGIC_64 || magic === macho.MH_MAGIC) {
    const filetype = size >= 16 ? readU32(bytes, position + 12) : 0
    if (filetype === macho.MH_EXECUTE || filetype === macho.MH_BUNDLE) return 'image'
    return filetype === macho.MH_DYLIB || filetype === macho.MH_DYLIB_STUB ? 'dylib' : 'object'
  }
  return looksLikeStub(bytes, position, size) ? 'tbd' : 'unknown'
}

/** A `.tbd` starts with `---` (YAML) or `{` (JSON), after white space or comments. */
function looksLikeStub(bytes: Uint8Array, at: number, size: number): boolean {
  const text = toText(bytes, at, at + Math.min(size, 256)).trimStart()
  return text.startsWith('---') || text.startsWith('{') || text.startsWith('#') || text.startsWith('archs:')
}

/** Flags of a file from how it was asked for. */
function fileFlags(flags: InputFlags, explicit: boolean): number {
  return (explicit ? FILE_EXPLICIT : 0) | (flags.hidden ? FILE_HIDDEN : 0) | (flags.forceLoad ? FILE_FORCE_LOAD : 0)
}

/** An object file row with its counts; an archive member is not loaded until something wants it. */
export function addObject(survey: Survey, path: string, found: Place, rank: number, input: Input, parent = 0): number {
  const place = alignPlace(survey, found)
  const { bytes } = survey.arenas.list[place.arena]
  const file = addFile(survey, FILE_OBJECT, path, place, rank)
  const { rows } = survey
  rows.parent[file] = parent
  rows.flags[file] =
    fileFlags(input, parent === 0) | (parent === 0 && !input.lazy ? FILE_LOADED : 0) | (input.lazy ? FILE_LAZY : 0)
  try {
    const header = readObjectHeader(bytes, place.position, place.size)
    countObject(survey, file, header)
    noteAutolinks(survey, place, header)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    rows.flags[file] |= FILE_BROKEN
  }
  return file
}

function countObject(survey: Survey, file: number, header: ObjectHeader): void {
  const { rows } = survey
  const { bytes } = survey.arenas.list[rows.arena[file]]
  const counts = countRows(bytes, rows.position[file], header)
  rows.sections[file] = header.sectionCount
  rows.symbols[file] = header.symbolCount
  rows.blocks[file] = Math.ceil(counts.blocks)
  rows.unwinds[file] = counts.unwinds
  rows.strings[file] = header.stringsSize
  for (let i = 0; i < header.sectionCount; i++) {
    const section = header.sections + i * macho.SECTION_SIZE
    if (readU32(bytes, section + 64) & macho.S_ATTR_DEBUG && bytes[section + 16] === 0x5f)
      rows.flags[file] |= FILE_DEBUG
  }
}

/** Libraries that an object names itself: found and read now, so that columns can be sized, used when the object is loaded. */
function noteAutolinks(survey: Survey, place: Place, header: ObjectHeader): void {
  if (header.options === 0 || survey.settings.ignoreAutoLink) return
  const { bytes } = survey.arenas.list[place.arena]
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
