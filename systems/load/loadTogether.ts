// Loading many files at once: opened one by one, filled on all threads, and then their names looked up by parts of the hashes, on all
// threads. Messages come in the order of files, and names get their rows in the order of first mention.
import { column } from '../../components/columns.ts'
import { FILE_AGAIN, FILE_ARCHIVE, FILE_BROKEN, FILE_LAZY, FILE_PARSED } from '../../components/files.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import {
  createMentionParts,
  type MentionParts,
  releaseMentions,
  sortMentionsAlone,
  sumEntries,
} from '../../components/mentionParts.ts'
import { runKernel, startKernel } from '../../components/mirror.ts'
import {
  collision,
  createMentions,
  type Names,
  REGION_BITS,
  REGIONS,
  releaseIndex,
  reserveIndex,
} from '../../components/names.ts'
import { checkpoint } from '../../components/observer.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { createMessages, error, type Messages } from '../../src/core/messages.ts'
import { forgetParts, helpers } from '../../src/core/pool.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'
import { activateLibraries } from './activateLibraries.ts'
import { type Filled, fillChunks, type FillJob } from './fillChunks.ts'
import { fillObject } from './fillObject.ts'
import { COLLIDING, findChunks } from './findChunks.ts'
import { giveChunks, indexChunks, nameChunks, type NameJob, numberChunks } from './nameChunks.ts'
import { breakFile, openObject, reading } from './openObject.ts'
import { reserveRoom } from './room.ts'

/** Symbols between two looks at what goes on outside. */
const BATCH_SYMBOLS = 1 << 17

/** Lists of mentions in bytes from which on collecting them is worth its milliseconds. */
const LARGE = 1 << 26

const FILL_PARTS = ['arch', 'settings', 'arenas', 'files', 'sections', 'blocks', 'symbols', 'sectionNames'] as const
const NAME_PARTS = ['arenas', 'names', 'files', 'symbols'] as const

/** A file that has been opened; `header` is null when it cannot take part. What is said of it comes in the order of files. */
interface Opened {
  file: number
  index: number
  header: ObjectHeader | null
  messages: Messages
  /** Pairs: file, symbol of N_INDR records. */
  indirects: number[]
}

/** What has been opened, and of it, by area of `parts`, what has been filled, in that order. */
interface Loading {
  parts: MentionParts
  all: Opened[]
  filled: Opened[][]
}

export async function loadTogether(link: Link, waiting: readonly number[]): Promise<void> {
  const loading = begin(link, waiting)
  const { all, parts } = loading
  let batch = openBatch(link, waiting, all)
  while (batch.length > 0) {
    const good = batch.filter(({ header }) => header !== null)
    const job: FillJob = { files: filesOf(good), parts, areas: column('u32', 0, link.names.shared) }
    const fill = startKernel(link, 'fillChunks', FILL_PARTS, fillChunks, job, good.length)
    batch = openBatch(link, waiting, all)
    for (const filled of await fill()) take(link, loading, good, filled)
    await checkpoint(link.observer, all[all.length - 1].file, link.files.count)
  }
  await nameAll(link, loading)
  for (const opened of all) settle(link, opened)
}

function begin(link: Link, waiting: readonly number[]): Loading {
  const threads = helpers(link.pool) + 1
  const { shared, count } = link.names
  const { Ranges, Source } = link.files
  let [symbols, bytes] = [count, 0]
  for (const file of waiting) {
    symbols += Ranges.symbol[file + 1] - Ranges.symbol[file]
    // Seldom more than its symbols and strings take in the file.
    bytes += Source.size[file]
  }
  const parts = createMentionParts(symbols, bytes, threads, count, shared)
  sortKnown(link, parts)
  return { parts, all: [], filled: Array.from({ length: parts.areas }, () => []) }
}

function filesOf(opened: readonly Opened[]): Uint32Array {
  return Uint32Array.from(opened, ({ file }) => file)
}

/** Names that have rows already are looked up like mentions. */
function sortKnown({ names, arenas }: Link, parts: MentionParts): void {
  const { arena, offset, length, hash } = names.Text
  const mentions = createMentions(Math.max(names.count, 1), false)
  for (let i = 0; i < names.count; i++) {
    // `known` is added to rows.
    mentions.row[i] = i + 1 - parts.known
    mentions.start[i] = offset[i + 1]
    mentions.place[i] = length[i + 1] | (arena[i + 1] << 24)
    mentions.hash[i] = hash[i + 1]
  }
  sortMentionsAlone(parts, arenas, parts.areas - 1, mentions, names.count, null)
}

/** Opens some more of the files that wait, behind those that have been. */
function openBatch(link: Link, waiting: readonly number[], all: Opened[]): Opened[] {
  const from = all.length
  let left = BATCH_SYMBOLS * (helpers(link.pool) + 1)
  while (all.length < waiting.length && left > 0) {
    const opened = open(link, waiting[all.length], all.length)
    all.push(opened)
    left -= opened.header?.symbolCount ?? 0
  }
  return all.slice(from)
}

function open(link: Link, file: number, index: number): Opened {
  const opened: Opened = { file, index, header: null, messages: createMessages(link.messages.limit), indirects: [] }
  link.files.Source.flags[file] |= FILE_PARSED
  telling(link, opened, () => {
    opened.header = openObject(link, file)
  })
  return opened
}

/** Lets `act` say what it has to say of a file to the file's own list. */
function telling(link: Link, { messages }: Opened, act: () => void): void {
  const all = link.messages
  link.messages = messages
  act()
  link.messages = all
}

function take(link: Link, loading: Loading, good: readonly Opened[], { area, done, failed, indirects }: Filled): void {
  for (const i of done) loading.filled[area].push(good[i])
  for (let at = 0; at < indirects.length; at += 3)
    good[indirects[at]].indirects.push(...indirects.slice(at + 1, at + 3))
  for (const i of failed) telling(link, good[i], () => refill(link, loading, good[i]))
}

/** Fills a file with errors or warnings again, to say what they are. */
function refill(link: Link, { parts, filled }: Loading, opened: Opened): void {
  const { file, header } = opened
  const { messages, indirects } = link
  link.files.Source.flags[file] &= ~FILE_BROKEN
  link.messages = createMessages()
  openObject(link, file)
  link.messages = messages
  link.indirects = []
  const room = reserveRoom(header!.symbolCount, header!.stringsSize)
  const count = fillObject(link, file, header!, room)
  if (count >= 0) {
    opened.indirects = link.indirects
    sortMentionsAlone(parts, link.arenas, 0, room.mentions, count, link.symbols.Definition.name)
    filled[0].push(opened)
  }
  link.indirects = indirects
}

async function nameAll(link: Link, loading: Loading): Promise<void> {
  const { names } = link
  const job = createJob(link, loading)
  const { files, areaStart } = job
  await runKernel(link, 'findChunks', NAME_PARTS, findChunks, job, job.names.length)
  if (job.names.includes(COLLIDING)) return breakAll(link, loading.all, collision(names.count))
  releaseTexts(link, loading.parts)
  await runKernel(link, 'numberChunks', NAME_PARTS, numberChunks, job, areaStart.length - 1)
  const total = sumFresh(job.fresh, names.count)
  try {
    if (job.isIndexed) reserveIndex(names, total, regionCounts(job))
  } catch (trouble) {
    if (trouble instanceof FormatError) return breakAll(link, loading.all, trouble)
    throw trouble
  }
  names.count = total
  if (!job.isIndexed) leaveParts(names, job)
  await runKernel(link, 'nameChunks', NAME_PARTS, nameChunks, job, files.length)
  if (names.pool >= 0) {
    const pool = link.arenas.list[names.pool]
    pool.used = Math.min(job.pool[0], pool.bytes.length)
  }
  await runKernel(link, 'giveChunks', NAME_PARTS, giveChunks, job, files.length)
  if (job.isIndexed) await runKernel(link, 'indexChunks', NAME_PARTS, indexChunks, job, REGIONS)
}

/** What offers definitions brings all its names, and sessions look up those of objects that change: only these are worth an index. */
function isIndexWorthIt({ keeps, files }: Link): boolean {
  const { kind, flags } = files.Source
  if (keeps) return true
  for (let file = 1; file <= files.count; file++)
    if (kind[file] === FILE_ARCHIVE || flags[file] & FILE_LAZY) return true
  return false
}

function leaveParts(names: Names, { parts: { bits }, base, names: counts, ids, hashes }: NameJob): void {
  releaseIndex(names)
  names.parts = { bits, base, counts, ids, hashes, covered: names.count, sought: 0 }
}

/** Before names get rows, an index and a pool: 10,000 objects took 1,530 MiB at most with the texts beside them, 1,430 without. */
function releaseTexts({ host, pool }: Link, parts: MentionParts): void {
  const isLarge = parts.words.byteLength > LARGE
  releaseMentions(parts)
  if (!isLarge) return
  forgetParts(pool)
  host.collect?.()
}

function createJob(link: Link, { parts, all, filled }: Loading): NameJob {
  const { names, arenas } = link
  const { shared, pool } = names
  const base = column('u32', parts.head.length - 1, shared)
  const entries = sumEntries(parts, base)
  const isIndexed = isIndexWorthIt(link)
  const areaStart = [0]
  for (const { length } of filled) areaStart.push(areaStart[areaStart.length - 1] + length)
  return {
    parts,
    base,
    names: column('u32', (1 << parts.bits) - 1, shared),
    numbers: column('u32', entries, shared),
    ids: column('u32', entries, shared),
    hashes: column('u32', entries, shared),
    places: column('u32', isIndexed ? entries * 2 + 1 : -1, shared),
    isIndexed,
    files: filesOf(all),
    order: Uint32Array.from(filled.flat(), ({ index }) => index),
    areaStart: Uint32Array.from(areaStart),
    fresh: column('u32', all.length, shared),
    pool: Object.assign(column('u32', 0, shared), [pool < 0 ? 0 : arenas.list[pool].used]),
  }
}

/** Turns counts into the sums before them, from `known` on. Returns the last. */
function sumFresh(fresh: Uint32Array, known: number): number {
  for (let i = 0; i < fresh.length; i++) {
    const count = fresh[i]
    fresh[i] = known
    known += count
  }
  return known
}

function regionCounts({ parts, names }: NameJob): Uint32Array {
  const counts = new Uint32Array(REGIONS)
  for (let part = 0; part < names.length; part++) counts[part >>> (parts.bits - REGION_BITS)] += names[part]
  return counts
}

function breakAll(link: Link, all: readonly Opened[], { id, message }: FormatError): void {
  const { file, messages } = all[0]
  error(messages, id, `${fileText(link, file)}: ${message}`, locate(link, file))
  for (const opened of all) breakFile(link, opened.file)
}

/** Says what there is to say of a file and, if it takes part, loads what it asks for. */
function settle(link: Link, opened: Opened): void {
  const { file, header, messages, indirects } = opened
  telling(link, opened, () => {
    if (link.files.Source.flags[file] & FILE_BROKEN) return
    const done = reading(link, file, () => {
      activateLibraries(link, file, header!)
      return true
    })
    if (done === null) breakFile(link, file)
  })
  if (messages.list.length > 0) link.files.Source.flags[file] |= FILE_AGAIN
  link.indirects.push(...indirects)
  link.messages.list.push(...messages.list)
  link.messages.errors += messages.errors
}
