// link: the whole way from options to an output, for the library and the command.
import { discardDraft, finishDraft, OUTPUT_MODE } from '../components/draft.ts'
import type { Kept } from '../components/kept.ts'
import type { Link } from '../components/link.ts'
import { createObserver, type Observer, traceStep } from '../components/observer.ts'
import { beginOutput, finishOutput, runPipeline } from '../systems/index.ts'
import { withBranchReach } from './arch/arch.ts'
import { ARCHITECTURES } from './arch/architectures.ts'
import { createMessages, error, type Messages } from './core/messages.ts'
import { type Pool, WorkerFailure } from './core/pool.ts'
import { type FileStat, type Host, HostError } from './host/host.ts'
import { inferTarget } from './inferTarget.ts'
import { settle } from './settings.ts'
import {
  LinkFailure,
  type LinkOptions,
  type LinkResult,
  type LinkStats,
  type Message,
  type OutputFile,
  type TimeTrace,
} from './types.ts'

/**
 * Links. Inputs are paths (read through `options.host`) or bytes; the output is written unless `write` is false, and comes
 * back in `outputFiles` then. Never prints, never exits; any number of links may run at once.
 * @throws LinkFailure with all errors and warnings (a worker that failed is one), the reason of `signal` after an abort, or
 * what `onProgress` throws; an existing output is then as it was.
 */
export async function link(options: LinkOptions): Promise<LinkResult> {
  return (await linkKeeping(options)).result
}

export interface Linked {
  result: LinkResult
  /** With its columns. */
  done: Link
  /** How the output was left, where it was written and the host knows. */
  written: FileStat | null
}

/** Brings the output up to date; `whole` writes all of it. Returns how the file was left, and the bytes written. */
export type WriteOutput = (done: Link, whole: () => FileStat | null) => { written: FileStat | null; bytes: number }

/** Writes all of it. */
export function writeAll({ image, tail }: Link, whole: () => FileStat | null): ReturnType<WriteOutput> {
  return { written: whole(), bytes: image.length + tail.length }
}

/**
 * As `link`, with the columns of the finished link: with `keeps`, those that a patch needs too. What is as it was in the inputs of
 * `kept` is taken over from it, by the name that the options give it; workers of `pool` stay there. `onResolved` gets a link that has
 * read all inputs and said what is wrong with them, before it may be thrown away for that.
 */
export async function linkKeeping(
  options: LinkOptions,
  keeps = false,
  kept: Kept | null = null,
  write: WriteOutput = writeAll,
  pool: Pool | null = null,
  onResolved: (done: Link) => void = () => undefined,
): Promise<Linked> {
  const host = options.host
  if (host === undefined)
    throw new TypeError(
      'link: no host given: pass one, or import link from the package root, which brings that of Node',
    )
  options.signal?.throwIfAborted()
  const observer = createObserver(host, options)
  const stats = options.stats === true ? await takeStats(observer) : null
  const messages = createMessages(options.errorLimit)
  const target = inferTarget(options, host)
  const settings = settle(options, target.arch, target.platform)
  const table = ARCHITECTURES[settings.arch]
  const arch = options.branchReach === undefined ? table : withBranchReach(table, options.branchReach)
  const done = await runPipeline(settings, arch, host, messages, '', observer, keeps, kept, pool).catch((trouble) =>
    failOnWorker(messages, trouble),
  )
  onResolved(done)
  const { outputFiles, written } = await output(options, done, messages, write).finally(() => discardDraft(done))
  const result = {
    ...(observer.trace === null ? {} : { timeTrace: await traceOf(observer) }),
    ...(stats === null ? {} : { stats: stats(done) }),
    ...(options.metafile === true ? { metafile: (await import('./metafile.ts')).makeMetafile(done) } : {}),
    errors: [],
    warnings: messages.list.filter((message) => message.severity === 'warning'),
    outputFiles,
    timings: done.timings,
    reports: done.reports,
    dependencies: done.dependencies,
  }
  return { result, done, written }
}

async function output(
  options: LinkOptions,
  done: Link,
  messages: Messages,
  write: WriteOutput,
): Promise<{ outputFiles: OutputFile[]; written: FileStat | null }> {
  const { host, observer } = done
  failOnErrors(messages, done, options.fatalWarnings === true)
  await beginOutput(observer)
  const started = host.now()
  const outputFiles = options.write === false ? [outputFile(done)] : []
  const whole = () => writeOutput(host, done, messages)
  const { written, bytes } = options.write !== false ? write(done, whole) : writeAll(done, () => null)
  finishOutput(done, started, bytes)
  return { outputFiles, written }
}

/** Loaded when asked for, as is the writer of traces: start-up counts for small links. */
async function takeStats(observer: Observer): Promise<(done: Link) => LinkStats> {
  const { createStats, finishStats, observeSystem } = await import('./linkStats.ts')
  const stats = createStats()
  observer.afterSystem = (link, system) => observeSystem(stats, link, system)
  return (done) => finishStats(stats, done)
}

async function traceOf(observer: Observer): Promise<TimeTrace> {
  const { chromeTrace } = await import('./chromeTrace.ts')
  traceStep(observer, 'ExecuteLinker', observer.began)
  return chromeTrace(observer.trace!, Date.now() - (observer.host.now() - observer.began))
}

function failOnWorker(messages: Messages, trouble: unknown): never {
  if (!(trouble instanceof WorkerFailure)) throw trouble
  error(messages, 'worker-failed', `a worker thread failed: ${trouble.message}`)
  const [errors, warnings] = bySeverity(messages)
  throw new LinkFailure(errors, warnings, { read: [], missing: [] })
}

function bySeverity(messages: Messages): [Message[], Message[]] {
  return [
    messages.list.filter((message) => message.severity === 'error'),
    messages.list.filter((message) => message.severity === 'warning'),
  ]
}

function failOnErrors(messages: Messages, done: Link, fatalWarnings: boolean): void {
  const [errors, warnings] = bySeverity(messages)
  if (errors.length > 0 || (fatalWarnings && warnings.length > 0))
    throw new LinkFailure(errors, warnings, done.dependencies, done.reports)
}

export function outputFile(done: Link): OutputFile {
  const contents = new Uint8Array(done.image.length + done.tail.length)
  contents.set(done.image)
  contents.set(done.tail, done.image.length)
  return { path: done.settings.output, contents, mode: OUTPUT_MODE }
}

/** How the file was left, where the host knows. @throws LinkFailure */
export function writeOutput(host: Host, done: Link, messages: Messages): FileStat | null {
  const { output } = done.settings
  if (isInput(host, done, output)) {
    error(messages, 'output-is-input', `output file is one of the inputs: ${output}`, { file: output })
    failOnErrors(messages, done, false)
  }
  try {
    return finishDraft(done) ?? host.writeFile(output, [done.image, done.tail], OUTPUT_MODE) ?? null
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    error(messages, 'cannot-write', `failed to open ${output}: ${trouble.message}`, { file: output })
    failOnErrors(messages, done, false)
    return null
  }
}

function lastPart(path: string): string {
  return path.replace(/^.*[/\\]/, '')
}

/** Only what ends in the same name is looked at more closely: a system call an input would be felt. */
function isInput(host: Host, done: Link, output: string): boolean {
  const name = lastPart(output)
  const place = host.realPath(output)
  return done.dependencies.read.some(
    (path) => path.endsWith(name) && lastPart(path) === name && host.realPath(path) === place,
  )
}
