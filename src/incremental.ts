// incremental: a link that goes on where the last run of the command has stopped, from the snapshot beside its output.
import type { Link } from '../components/link.ts'
import { FormatError } from './core/bytes.ts'
import { wholeOf } from './core/pages.ts'
import { type FileStat, type Host, HostError } from './host/host.ts'
import { releaseLookups } from '../components/names.ts'
import { linkKeeping, writeOutput } from './link.ts'
import { mayEnd } from './session/mayEnd.ts'
import { type FileRecords, isSameFile, recordFiles } from './session/fileRecords.ts'
import { whyNever } from './session/patch/whyNever.ts'
import { createPatching, type Patched, patch } from './session/patch.ts'
import { changedOption, digestMemory, type Found, findChanges, namedInputs } from './session/plan.ts'
import { openSnapshotFile, readFront, type SnapshotFile } from './snapshot/format.ts'
import { type Front, headOf, headOfFile, packFront, unpackFront } from './snapshot/front.ts'
import { oldPath, writeNext } from './snapshot/nextOutput.ts'
import { MissingPart } from './snapshot/graph.ts'
import { appendFront, openSnapshot, PAGED_FROM, saveSnapshot, type Snapshot, updateSnapshot } from './snapshot.ts'
import { LinkFailure, type LinkOptions, type LinkResult, type RebuildMode, type SystemTiming } from './types.ts'

export interface IncrementalResult extends LinkResult {
  mode: RebuildMode
  /** Why this mode, for people. */
  reason: string
  /** What was wrong with the snapshot or the output, or why there is none now: warnings, but never the link's failure. */
  doubts: string[]
}

/** The snapshot of an output. */
export function snapshotPath(output: string): string {
  return `${output}.colonnade`
}

interface Run {
  host: Host
  options: LinkOptions
  output: string
  path: string
  maker: string
  pagedFrom: number
  doubts: string[]
}

/**
 * As `link` with a padded layout (unless the options say otherwise), but that only what has changed since the last such run is
 * done. `maker` tells linkers apart: a snapshot is for the one that wrote it. `pagedFrom`: buffers of so many bytes are read by pages.
 * @throws LinkFailure; output and snapshot are then as they were
 */
export async function linkIncrementally(
  given: LinkOptions,
  maker: string,
  pagedFrom: number = PAGED_FROM,
): Promise<IncrementalResult> {
  const options: LinkOptions = { layout: 'padded', ...given }
  const host = options.host!
  const output = options.output ?? 'a.out'
  const run: Run = { host, options, output, path: snapshotPath(output), maker, pagedFrom, doubts: [] }
  if (output.startsWith('/dev/') || host.stat(output)?.isFile === false)
    return { ...(await linkKeeping(options)).result, mode: 'full', reason: 'the output is no file', doubts: [] }
  const before = openBefore(run)
  const racy = before === null ? 0 : racyBytes(before.front.records)
  const plan = planRun(run, before)
  if (plan.reason === '' && before !== null) return noop(run, before, racy)
  if (before !== null && plan.patch !== null) {
    const patched = tryPatch(run, before, plan.patch)
    if (typeof patched === 'object') return { ...patched, reason: plan.reason }
    plan.reason = `${plan.reason}; ${patched}`
  }
  return linkFull(run, plan.reason)
}

/** What the last run has left. */
interface Before {
  file: SnapshotFile
  front: Front
}

/** Null without a snapshot, or with one that cannot be used. */
function openBefore(run: Run): Before | null {
  try {
    const file = openSnapshotFile(run.host, run.path)
    if (file === null) return null
    return { file, front: unpackFront(readFront(run.host, file)) }
  } catch (trouble) {
    doubt(run, `${run.path} ${troubleText(trouble)}`)
    return null
  }
}

function doubt(run: Run, text: string): void {
  run.doubts.push(`${text}: everything is linked anew`)
}

/** @throws what is no trouble with files */
function troubleText(trouble: unknown): string {
  if (trouble instanceof FormatError) return trouble.message
  if (trouble instanceof HostError) return `cannot be read: ${trouble.message}`
  throw trouble
}

interface Plan {
  /** Why the output is not up to date; empty when it is. */
  reason: string
  /** What a patch has to look at; null where there can be none. */
  patch: Found | null
}

function planRun(run: Run, before: Before | null): Plan {
  if (before === null) return full(run.doubts.length > 0 ? 'the snapshot cannot be used' : 'nothing is linked yet')
  const { front, file } = before
  const { host, options, output, path } = run
  if (front.maker !== run.maker) {
    doubt(run, `${path} was written by another build of the linker (${front.maker})`)
    return full('the linker is another')
  }
  const now = host.stat(output)
  if (now === null) return full('the output is gone')
  if (!isSameFile(now, front.output) || headOfFile(host, output, now.size) !== front.head) {
    const torn = file.torn ? ', which ends in a half-written record' : ''
    doubt(run, `${output} is not as ${path} has it${torn}`)
    return full('the output was changed by someone else')
  }
  if (front.cwd !== host.cwd()) return full('the working directory is another')
  const option = changedOption(front.options, options)
  if (option !== null && option !== 'inputs') return full(`option ${option} changed`)
  if (front.reports || wantsReports(options)) return full('a report of the whole link is wanted')
  const found = findChanges(host, front.records, front.memory, digestMemory(host, options))
  if (option !== null) return full(found.reason === '' ? 'the list of inputs changed' : found.reason)
  return { reason: found.reason, patch: found.paths.length === 0 ? null : found }
}

function wantsReports({ map, metafile, stats, timeTrace }: LinkOptions): boolean {
  return map === true || metafile === true || stats === true || timeTrace === true
}

function full(reason: string): Plan {
  return { reason, patch: null }
}

/** Reading so many bytes of inputs again takes as long as writing one record of them. */
const WORTH_A_RECORD = 2048

/** `racy`: bytes of the files whose times did not tell whether they had changed. Those that are settled now are spared the next look. */
function noop(run: Run, { file, front }: Before, racy: number): IncrementalResult {
  if (racy - racyBytes(front.records) > front.records.size * WORTH_A_RECORD)
    keep(run, () => appendFront(run.host, file, packFront(front)))
  return resultOf(run, front, 'noop', [])
}

function racyBytes(records: FileRecords): number {
  let bytes = 0
  for (const { racy, stat } of records.values()) if (racy && stat !== null) bytes += stat.size
  return bytes
}

function resultOf(run: Run, front: Front, mode: RebuildMode, timings: SystemTiming[]): IncrementalResult {
  const { warnings, dependencies } = front
  const kept = { errors: [], warnings, outputFiles: [], reports: {}, dependencies }
  return { ...kept, timings, mode, reason: mode === 'noop' ? 'nothing changed' : '', doubts: run.doubts }
}

/** What comes out of files that others may have written is not trusted: whatever goes wrong with it means a full link. */
function tryPatch(run: Run, before: Before, found: Found): IncrementalResult | string {
  if (before.front.never !== '') return before.front.never
  let snapshot: Snapshot | null = null
  try {
    snapshot = openSnapshot(run.host, before.file, run.output, run.pagedFrom)
    if (snapshot === null) return 'the snapshot holds no link'
    const patched = patchFrom(run, before, snapshot, found)
    if (snapshot.store.damage === '') return patched
  } catch (trouble) {
    if (trouble instanceof LinkFailure) throw trouble
    const isKnown = [FormatError, HostError, MissingPart].some((kind) => trouble instanceof kind)
    const text = isKnown ? (trouble as Error).message : `does not lead to a link (${trouble})`
    if (snapshot === null || snapshot.store.damage === '') {
      doubt(run, `${run.path} ${text}`)
      return 'the snapshot cannot be used'
    }
  }
  doubt(run, `${run.path} ${snapshot.store.damage}`)
  return 'the snapshot cannot be used'
}

function patchFrom(run: Run, { front }: Before, snapshot: Snapshot, found: Found): IncrementalResult | string {
  const { host, options } = run
  const { patching, store } = snapshot
  const { link } = patching
  if (found.paths.some((path) => !patching.files.has(path))) return 'not only objects changed'
  if (front.warnings.some((warning) => mayEnd(warning, found.paths))) return 'the last link had warnings about it'
  for (const path of found.paths) front.records.delete(path)
  const patched = patch(patching, recordFiles(host, front.records), namedInputs(options, found.paths))
  if (typeof patched === 'string' || store.damage !== '') return String(patched)
  link.dependencies = front.dependencies
  if (patched.dirtyPages > 0) writePatched(run, front, link, patched)
  front.memory = digestMemory(host, options)
  keep(run, () => updateSnapshot(host, snapshot, packFront(front), patched.dirty))
  return resultOf(run, front, 'patch', patched.timings)
}

/** Where less than all of it is not sure to do, the whole file. @throws LinkFailure */
function writePatched({ host, output }: Run, front: Front, link: Link, { timings, dirty }: Patched): void {
  const started = host.now()
  const next = writeNext(host, link, dirty, front) ?? writeWhole(host, link)
  front.output = next.stat ?? host.stat(output)!
  front.old = next.old
  front.head = headOf(link.image)
  const none = { rows: 0, read: 0, hashed: 0, probes: 0, allocated: 0 }
  const { written } = next
  timings.push({ system: 'output', milliseconds: host.now() - started, bytes: written, ...none, written })
}

function writeWhole(host: Host, link: Link): { stat: FileStat | null; written: number; old: null } {
  link.image = wholeOf(link.image)
  link.tail = wholeOf(link.tail)
  const stat = writeOutput(host, link, link.messages)
  return { stat, written: link.image.length + link.tail.length, old: null }
}

async function linkFull(run: Run, reason: string): Promise<IncrementalResult> {
  const { host, options, output, path, maker } = run
  const records: FileRecords = new Map()
  const memory = digestMemory(host, options)
  const { result, done, written } = await linkKeeping({ ...options, host: recordFiles(host, records) }, true)
  const left = written ?? host.stat(output)
  const never = whyNever(done)
  if (host.stat(oldPath(output)) !== null) host.removeFile?.(oldPath(output))
  if (left !== null) {
    const { warnings, dependencies } = result
    const reports = Object.keys(result.reports).length > 0
    const head = headOf(done.image)
    // A patch of a snapshot would read all of it.
    releaseLookups(done.names)
    const made = { maker, cwd: host.cwd(), options, records, memory, output: left, head, old: null }
    const front = packFront({ ...made, warnings, dependencies, never, reports })
    keep(run, () => saveSnapshot(host, path, output, front, never === '' ? createPatching(done) : null))
  }
  return { ...result, mode: 'full', reason, doubts: run.doubts }
}

/** A link that cannot be kept is a link all the same. */
function keep(run: Run, write: () => unknown): void {
  try {
    write()
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    run.doubts.push(`cannot write ${run.path}: ${trouble.message}`)
  }
}
