// Loading by batches of files: opened one by one, filled on all threads, their names looked up on all threads, and then named, in
// the order of the files. Messages come in that order too.
import { memory } from '../../components/columns.ts'
import { FILE_AGAIN, FILE_BROKEN, FILE_PARSED } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { runKernel } from '../../components/mirror.ts'
import { createMentions, forgetMentions, internMentions, nameMentions, REGIONS } from '../../components/names.ts'
import { checkpoint } from '../../components/observer.ts'
import { createMessages, type Messages } from '../../src/core/messages.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'
import { activateLibraries } from './activateLibraries.ts'
import { type Filled, fillChunks, type FillJob, findChunks, type FindJob, nameChunks } from './fillChunks.ts'
import { createLoadScratch, fillObject, type LoadScratch, reserveMentions } from './fillObject.ts'
import { breakFile, openObject, reading } from './openObject.ts'

/** Symbols a batch: so few that what one step has written is in the caches for the next, and enough to share out. */
const BATCH_SYMBOLS = 1 << 18

const FILL_PARTS = ['arch', 'settings', 'arenas', 'files', 'sections', 'blocks', 'symbols', 'sectionNames'] as const
const FIND_PARTS = ['arenas', 'names'] as const
const NAME_PARTS = ['names', 'symbols'] as const

/** A file that has been opened; `header` is null when it cannot take part. What is said of it comes in the order of files. */
interface Opened {
  file: number
  header: ObjectHeader | null
  messages: Messages
}

export async function loadOnThreads(link: Link, waiting: readonly number[]): Promise<void> {
  const scratch = createLoadScratch()
  let mentions = createMentions(1, true)
  for (let at = 0; at < waiting.length; ) {
    const batch: Opened[] = []
    let symbols = 0
    while (at < waiting.length && symbols < BATCH_SYMBOLS) {
      const opened = open(link, waiting[at++])
      batch.push(opened)
      symbols += opened.header?.symbolCount ?? 0
    }
    const threads = link.pool.workers.length + 1
    if (mentions.row.length < symbols * threads) mentions = createMentions(symbols * threads, true)
    await loadBatch(link, batch, { mentions, areaSize: symbols }, scratch)
    await checkpoint(link.observer, waiting[at - 1], link.files.count)
  }
}

function open(link: Link, file: number): Opened {
  const opened: Opened = { file, header: null, messages: createMessages(link.messages.limit) }
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

async function loadBatch(
  link: Link,
  batch: readonly Opened[],
  room: Pick<FillJob, 'mentions' | 'areaSize'>,
  scratch: LoadScratch,
): Promise<void> {
  const good = batch.filter(({ header }) => header !== null)
  const job = createJob(good, room)
  const filled = await runKernel(link, 'fillChunks', FILL_PARTS, fillChunks, job, good.length)
  addIndirects(link, filled)
  const found = await find(link, job, filled)
  const failed = new Set(filled.flatMap((part) => part.failed))
  good.forEach((opened, i) => {
    telling(link, opened, () => {
      if (failed.has(i)) refill(link, opened, scratch)
      else if (found) nameRange(link, job, i)
      else intern(link, job, i, scratch)
      if ((link.files.Source.flags[opened.file] & FILE_BROKEN) === 0) activate(link, opened)
    })
  })
  for (const { file, messages } of batch) {
    if (messages.list.length > 0) link.files.Source.flags[file] |= FILE_AGAIN
    link.messages.list.push(...messages.list)
    link.messages.errors += messages.errors
  }
}

function createJob(good: readonly Opened[], room: Pick<FillJob, 'mentions' | 'areaSize'>): FillJob {
  return {
    ...room,
    files: Uint32Array.from(good, ({ file }) => file),
    base: new Uint32Array(memory(good.length * 4, true)),
    count: new Int32Array(memory(good.length * 4, true)),
    areas: new Int32Array(memory(4, true)),
  }
}

function addIndirects(link: Link, filled: readonly Filled[]): void {
  const triples = filled.flatMap(({ indirects }) => indirects)
  const places = Array.from({ length: triples.length / 3 }, (_, i) => i * 3)
  places.sort((a, b) => triples[a] - triples[b] || a - b)
  for (const place of places) link.indirects.push(triples[place + 1], triples[place + 2])
}

/** Returns false when the index has no room for so many new names; nothing has been looked up then. */
async function find(link: Link, fill: FillJob, filled: readonly Filled[]): Promise<boolean> {
  const { mentions } = fill
  const { names } = link
  if (names.count * 2 > names.mask) return false
  const job: FindJob = { mentions, ranges: Uint32Array.from(filled.flatMap(({ from, to }) => [from, to])) }
  const full = await runKernel(link, 'findChunks', FIND_PARTS, findChunks, job, REGIONS)
  if (!full.includes(true)) {
    await runKernel(link, 'nameChunks', NAME_PARTS, nameChunks, fill, fill.files.length)
    return true
  }
  for (const { from, to } of filled) forgetMentions(names, mentions, from, to)
  return false
}

function nameRange(link: Link, { mentions, base, count }: FillJob, i: number): void {
  nameMentions(link.names, link.arenas, mentions, base[i], base[i] + count[i], link.symbols.Definition.name)
}

/** One after another, where the index may grow. */
function intern(link: Link, { files, mentions, base, count }: FillJob, i: number, scratch: LoadScratch): void {
  const { names, arenas, symbols } = link
  const done = reading(link, files[i], () => {
    internMentions(names, arenas, mentions, base[i], base[i] + count[i], symbols.Definition.name, scratch.picked)
    return true
  })
  if (done === null) breakFile(link, files[i])
}

/** Fills a file with errors again, to say what they are, and names what it mentions if they leave something. */
function refill(link: Link, opened: Opened, scratch: LoadScratch): void {
  const { file, header } = opened
  const { messages } = link
  link.files.Source.flags[file] &= ~FILE_BROKEN
  link.messages = createMessages()
  openObject(link, file)
  link.messages = messages
  reserveMentions(scratch, header!.symbolCount)
  const { length } = link.indirects
  const count = fillObject(link, file, header!, scratch.mentions, 0, scratch)
  if (count < 0) link.indirects.length = length
  const { names, arenas, symbols } = link
  if (count > 0) internMentions(names, arenas, scratch.mentions, 0, count, symbols.Definition.name, scratch.picked)
}

function activate(link: Link, { file, header }: Opened): void {
  const done = reading(link, file, () => {
    activateLibraries(link, file, header!)
    return true
  })
  if (done === null) breakFile(link, file)
}
