// session: a link that is kept, so that its output can be brought up to date.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../components/blocks.ts'
import { createKept, type Kept as KeptInputs } from '../components/kept.ts'
import type { Link } from '../components/link.ts'
import { createCache } from './cache.ts'
import { createPool, type Pool, stopWorkers } from './core/pool.ts'
import type { FileStat, Host } from './host/host.ts'
import { linkKeeping, outputFile, writeAll, type WriteOutput, writeOutput } from './link.ts'
import { differs } from './session/patch/dirtyPages.ts'
import { createGenerations, endGenerations, type Generations, writeGeneration } from './session/patch/generations.ts'
import { whyNever } from './session/patch/whyNever.ts'
import { createPatching, type Patched, type Patching, patch } from './session/patch.ts'
import { copyRecords, type FileRecords, isRacy, isSameFile, recordFiles } from './session/fileRecords.ts'
import {
  applyChanges,
  changedOption,
  digestMemory,
  type Found,
  findChanges,
  type MemoryDigests,
  namedChanges,
  namedInputs,
  repeatedInputs,
} from './session/plan.ts'
import { mayEnd } from './session/mayEnd.ts'
import { heldBytes, isCrowded } from './session/isCrowded.ts'
import { type Watching, watchFiles } from './session/watchFiles.ts'
import type {
  Cache,
  Changes,
  LinkOptions,
  LinkResult,
  RebuildResult,
  Session,
  SystemTiming,
  WatchOptions,
} from './types.ts'

/** More changed inputs than this, and more than half of all, are read sooner by a full link. */
const MOST_READ = 16

/** As `settle` has it. */
const DEFAULT_OUTPUT = 'a.out'

/** What the last link left behind. */
interface Kept {
  options: LinkOptions
  /** Of the last attempt, whether it succeeded or not. */
  records: FileRecords
  memory: MemoryDigests
  /** Null after a failure. */
  result: LinkResult | null
  /** The output as it was written; null where none is. */
  output: FileStat | null
  /** The link itself, until a patch of it has failed; null with the reason where there can be no patches. */
  patching: Patching | null
  never: string
  /** The last link, which may have failed: what is unchanged of it is taken over by the next. */
  link: Link | null
  /** Its image and tail are what was written. */
  isWritten: boolean
  /** The arena that patches have read into; -1: none. */
  arena: number
  /** Bytes that the arenas held after the last full link. */
  held: number
  /** The output before the last, if it is kept. */
  generations: Generations
}

interface State {
  host: Host
  options: LinkOptions
  kept: Kept | null
  /** Workers that rest between links: what they have compiled is worth more than what they hold. */
  pool: Pool
  /** The rebuilds asked for so far: each waits for the one before. */
  last: Promise<unknown>
  /** Of the rebuilds that are not finished. */
  aborts: Set<AbortController>
  watching: Watching | null
  disposed: boolean
}

/**
 * A session: `rebuild` links the first time, and later does what is needed. Options are those of `link`, but that the layout is
 * padded unless they say otherwise. Any number of sessions may stand side by side.
 */
export function context(options: LinkOptions): Session {
  if (options.host === undefined)
    throw new TypeError(
      'context: no host given: pass one, or import context from the package root, which brings that of Node',
    )
  const state: State = {
    host: options.host,
    options: { layout: 'padded', cache: createCache(), ...options },
    kept: null,
    pool: createPool(),
    last: Promise.resolve(),
    aborts: new Set(),
    watching: null,
    disposed: false,
  }
  return {
    rebuild: (changes = {}) => enqueue(state, changes),
    watch: (wishes) => watch(state, wishes),
    cancel: () => cancel(state),
    dispose: () => dispose(state),
  }
}

function enqueue(state: State, changes: Changes): Promise<RebuildResult> {
  const abort = new AbortController()
  state.aborts.add(abort)
  const next = state.last.then(() => rebuild(state, changes, abort)).finally(() => state.aborts.delete(abort))
  state.last = next.catch(() => undefined)
  return next
}

async function rebuild(state: State, changes: Changes, abort: AbortController): Promise<RebuildResult> {
  if (state.disposed) throw new Error('rebuild: the session is disposed')
  abort.signal.throwIfAborted()
  const { host, kept } = state
  const options = applyChanges(state.options, changes)
  state.options = options
  const started = host.now()
  const memory = digestMemory(host, options)
  const named = kept === null ? null : namedChanges(changes)
  const found = kept === null ? null : (named ?? findChanges(host, kept.records, kept.memory, memory))
  const reason = whyLink(host, kept, options, found?.reason ?? '')
  const check = checkTiming(host.now() - started, named === null ? (kept?.records.size ?? 0) : named.paths.length)
  if (reason === '' && kept !== null && kept.result !== null) return noop(kept.result, check)
  const patched = tryPatch(host, kept, options, memory, found)
  if (typeof patched === 'object') {
    if (options.checkPatches === true) await checkPatch(kept!, options)
    return { ...patched, timings: [check, ...patched.timings], reason }
  }
  const inputs = takeOver(host, kept, options, memory, found)
  if (kept !== null && inputs === null) endGenerations(host, kept.generations)
  const { result, done } = await linkNow(state, options, memory, abort, inputs)
  if (inputs !== null && options.checkPatches === true) await checkPatch(state.kept!, options)
  return {
    ...result,
    timings: [check, ...result.timings],
    mode: inputs === null ? 'full' : 'warm',
    reason: patched === '' ? reason : `${reason}; ${patched}`,
    changedInputs: found?.paths ?? [],
    dirtyBlocks: countBlocks(done),
    dirtyPages: countPages(done),
  }
}

/** A patch where only objects have changed; else a full link is due, and the reason in words if a patch was thought of. */
function tryPatch(
  host: Host,
  kept: Kept | null,
  options: LinkOptions,
  memory: MemoryDigests,
  found: Found | null,
): RebuildResult | string {
  if (kept === null || kept.result === null || found === null) return ''
  if (changedOption(kept.options, options) !== null || found.paths.length === 0) return ''
  if (kept.patching === null) return kept.never
  if (found.paths.some((path) => !kept.patching?.files.has(path))) return ''
  if (whyOutput(host, kept, options) !== '') return whyOutput(host, kept, options)
  if (kept.result.warnings.some((warning) => mayEnd(warning, found.paths))) return 'the last link had warnings about it'
  const { patching, result, records, link } = kept
  // Whatever comes of it, what is kept is not what was linked; after an exception nothing of it is taken over.
  kept.patching = kept.result = kept.link = null
  kept.isWritten = false
  for (const path of found.paths) records.delete(path)
  const patched = patch(patching, recordFiles(host, records), namedInputs(options, found.paths))
  kept.isWritten = !patching.isChanging
  if (typeof patched === 'string') {
    kept.link = link
    return patched
  }
  kept.isWritten = false
  writePatched(host, kept, patching.link, options, patched)
  kept.output = options.write === false ? null : host.stat(patching.link.settings.output)
  const outputFiles = options.write === false ? [outputFile(patching.link)] : []
  const digests = new Map(kept.memory)
  for (const path of found.paths) if (memory.has(path)) digests.set(path, memory.get(path)!)
  Object.assign(kept, {
    options,
    memory: digests,
    patching,
    link,
    arena: patching.arena,
    isWritten: true,
    result: { ...result, outputFiles, timings: patched.timings },
  })
  const { dirtyBlocks, dirtyPages, timings } = patched
  const changedInputs = found.paths
  return { ...result, outputFiles, timings, mode: 'patch', reason: '', changedInputs, dirtyBlocks, dirtyPages }
}

/** What the next link takes over; null where that is not worth it, or options may have changed what it is. */
function takeOver(
  host: Host,
  kept: Kept | null,
  options: LinkOptions,
  memory: MemoryDigests,
  found: Found | null,
): KeptInputs | null {
  if (kept === null || kept.link === null || found === null || isCrowded(kept.link, kept.held)) return null
  const option = changedOption(kept.options, options)
  if (option !== null && option !== 'inputs') return null
  // A look at all files is little beside a link; so nothing is missed that the caller did not name.
  const { paths } = findChanges(host, kept.records, kept.memory, memory)
  const changed = new Set([...found.paths, ...paths, ...repeatedInputs(options)])
  return changed.size > MOST_READ && changed.size * 2 > options.inputs.length
    ? null
    : createKept(kept.link, changed, kept.isWritten)
}

/** @throws Error when a fresh link does not give the bytes that are there; the next rebuild links then. */
async function checkPatch(kept: Kept, options: LinkOptions): Promise<void> {
  const { patching, result } = kept
  const link = kept.link!
  kept.patching = kept.result = kept.link = null
  const fresh = await linkKeeping({ ...options, write: false, cache: createCache() })
  const { contents } = fresh.result.outputFiles[0]
  const { image, tail } = link
  const size = image.length + tail.length
  const isSame =
    contents.length === size &&
    !differs(contents, 0, image, 0, image.length) &&
    !differs(contents, image.length, tail, 0, tail.length)
  if (!isSame) throw new Error(`rebuild: ${link.settings.output} is not what a fresh link writes`)
  Object.assign(kept, { patching, result, link })
}

/** @throws LinkFailure */
function writePatched(host: Host, { generations }: Kept, link: Link, options: LinkOptions, patched: Patched): void {
  const { dirty, dirtyPages, timings } = patched
  const started = host.now()
  const whole = () => writeOutput(host, link, link.messages)
  const wanted = options.write !== false && dirtyPages > 0
  const written = wanted ? writeGeneration(host, link, dirty, generations, whole) : 0
  timings.push({ ...checkTiming(host.now() - started, 0), system: 'output', bytes: written, written })
}

/** Why the output is not up to date; empty when it is. `found`: the files that changed, in words. */
function whyLink(host: Host, kept: Kept | null, options: LinkOptions, found: string): string {
  if (kept === null) return 'nothing is linked yet'
  if (kept.result === null) return 'the last rebuild failed'
  const option = changedOption(kept.options, options)
  if (option !== null && option !== 'inputs') return `option ${option} changed`
  if (found !== '') return found
  if (option !== null) return 'the list of inputs changed'
  return whyOutput(host, kept, options)
}

/** Why the output is not as it was written; empty when it is. */
function whyOutput(host: Host, kept: Kept, options: LinkOptions): string {
  if (kept.output === null) return ''
  const now = host.stat(options.output ?? DEFAULT_OUTPUT)
  if (now === null) return 'the output is gone'
  return isSameFile(now, kept.output) ? '' : 'the output was changed by someone else'
}

function noop(result: LinkResult, check: SystemTiming): RebuildResult {
  return {
    ...result,
    timings: [check],
    mode: 'noop',
    reason: 'nothing changed',
    changedInputs: [],
    dirtyBlocks: 0,
    dirtyPages: 0,
  }
}

async function linkNow(
  state: State,
  options: LinkOptions,
  memory: MemoryDigests,
  abort: AbortController,
  inputs: KeptInputs | null,
): Promise<{ result: LinkResult; done: Link }> {
  const before = state.kept
  const host = options.host ?? state.host
  const records: FileRecords = new Map()
  const kept: Kept = {
    options,
    records,
    memory,
    result: null,
    output: null,
    patching: null,
    never: '',
    link: null,
    isWritten: false,
    arena: inputs === null ? -1 : before!.arena,
    held: inputs === null ? 0 : before!.held,
    generations: inputs === null ? createGenerations() : before!.generations,
  }
  const forward = () => abort.abort(options.signal?.reason)
  if (options.signal?.aborted === true) forward()
  options.signal?.addEventListener('abort', forward)
  state.kept = kept
  // Of workers that have ended, what they were sent and may still reply is none of this link's.
  if (state.pool.resting.length === 0) state.pool = createPool()
  try {
    const recorded = { ...options, host: recordFiles(host, records), signal: abort.signal }
    const linked = await linkKeeping(
      recorded,
      true,
      inputs,
      inputs === null ? writeAll : changesWriter(host, before!, options),
      state.pool,
      (done) => keepLink(kept, done, inputs === null),
    )
    kept.result = linked.result
    kept.isWritten = true
    kept.never = whyNever(linked.done)
    if (kept.never === '') kept.patching = createPatching(linked.done, kept.arena)
    if (options.write !== false) kept.output = host.stat(linked.done.settings.output)
    return linked
  } finally {
    // Of a link that has failed too: a change of any of its files may be what it wants.
    if (inputs !== null) copyRecords(before!.records, records, inputs.taken)
    if (options.cache !== undefined) forgetRacy(options.cache)
    options.signal?.removeEventListener('abort', forward)
  }
}

/** Whether the link fails or not, its rows are those of its inputs. */
function keepLink(kept: Kept, done: Link, isFull: boolean): void {
  done.past = done.last = null
  kept.link = done
  if (isFull) kept.held = heldBytes(done)
}

/** Of the output as `before` has left it, what is not the same is written. */
function changesWriter(host: Host, before: Kept, options: LinkOptions): WriteOutput {
  const { generations } = before
  return (done, whole) => {
    if (done.changed === null || before.output === null || whyOutput(host, before, options) !== '') {
      endGenerations(host, generations)
      return writeAll(done, whole)
    }
    const changes = { shift: done.digests!.shift, pages: done.changed, tail: [] }
    return { written: null, bytes: writeGeneration(host, done, changes, generations, whole) }
  }
}

/** The next link reads libraries again whose time would not tell that they were written since. */
function forgetRacy({ libraries }: Cache): void {
  for (const [key, kept] of libraries) if (isRacy((kept as { stat: FileStat | null }).stat)) libraries.delete(key)
}

function countBlocks({ blocks }: Link): number {
  const { flags } = blocks.Extent
  let live = 0
  for (let block = 1; block <= blocks.count; block++)
    if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) live++
  return live
}

function countPages({ changed, image, tail, settings }: Link): number {
  if (changed === null) return Math.ceil((image.length + tail.length) / settings.pageSize)
  return changed.reduce((sum, page) => sum + page, 0)
}

function checkTiming(milliseconds: number, rows: number): SystemTiming {
  return {
    system: 'check',
    milliseconds,
    rows,
    bytes: 0,
    read: 0,
    hashed: 0,
    written: 0,
    probes: 0,
    allocated: 0,
  }
}

/** A rebuild on its way is reported too, so that the first look at the files comes after it. */
async function watch(state: State, wishes: WatchOptions): Promise<void> {
  if (state.disposed) throw new Error('watch: the session is disposed')
  state.watching?.end()
  let pending = false
  const watching = watchFiles(state.host, wishes, () => {
    if (pending || state.watching !== watching) return
    pending = true
    void state.last.then(async () => {
      pending = false
      if (state.watching === watching && isStale(state)) await rebuildWatched(state, watching, wishes)
    })
  })
  state.watching = watching
  if (isStale(state)) await rebuildWatched(state, watching, wishes)
  else watching.follow(state.kept!.records)
}

function isStale({ host, kept, options }: State): boolean {
  if (kept === null) return true
  return findChanges(host, kept.records, kept.memory, digestMemory(host, options)).paths.length > 0
}

async function rebuildWatched(state: State, watching: Watching, { onRebuild }: WatchOptions): Promise<void> {
  let [result, failure]: [RebuildResult | null, unknown] = [null, null]
  try {
    result = await enqueue(state, {})
  } catch (trouble) {
    failure = trouble
  }
  if (state.watching !== watching) return
  if (state.kept !== null) watching.follow(state.kept.records)
  onRebuild(result, failure)
}

async function cancel(state: State): Promise<void> {
  for (const abort of state.aborts) abort.abort()
  await state.last
}

async function dispose(state: State): Promise<void> {
  state.disposed = true
  state.watching?.end()
  state.watching = null
  await cancel(state)
  if (state.kept !== null) endGenerations(state.host, state.kept.generations)
  state.kept = null
  stopWorkers(state.pool)
}
