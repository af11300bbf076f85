// The command: words in, exit status out. Nothing here ends the process or touches its streams.
import { type Messages, createMessages, error } from '../core/messages.ts'
import { type Host, HostError } from '../host/host.ts'
import { LinkFailure, type LinkOptions, type LinkResult, type Message, type RebuildResult } from '../types.ts'
import { type ArgumentList, createArgumentList, has, lastOf, lastValue, values } from './argumentList.ts'
import type { Draft } from './draft.ts'
import { linkOptions, syslibroots } from './linkOptions.ts'
import { type OptionTable, createOptionTable } from './optionTable.ts'
import { type ParsedArguments, parseArguments } from './parseArguments.ts'
import { type Printer, createPrinter, printMessages } from './printMessages.ts'
import { createProgressLine } from './progressLine.ts'
import { expandResponseFiles } from './responseFile.ts'
import { searchPaths } from './searchPaths.ts'
import { VERSION, VERSION_LINE } from './version.ts'

export interface CommandIo {
  stdout: (text: string) => void
  stderr: (text: string) => void
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  host: Host
  link: (options: LinkOptions) => Promise<LinkResult>
  /** Width of the terminal behind `stderr`, 0 when it is none; asked only when a link takes long. */
  columns?: () => number
  /** What messages begin with, default `ld64.colonnade`. */
  program?: string
  /** Version and build: what another one has left behind is not used. */
  maker?: () => string
  /** In a server: links in a session. */
  rebuild?: (options: LinkOptions) => Promise<RebuildResult>
  /** `--server`: the exit status of a server's link; null when there is none. */
  remote?: (argv: readonly string[]) => Promise<number | null>
}

/** Behaves as `ld64.lld ARGV`; resolves to the exit status. */
export async function runLd64(argv: readonly string[], io: CommandIo): Promise<number> {
  const table = createOptionTable()
  const parsed = parseArguments(table, expandResponseFiles(argv, io.host))
  const args = createArgumentList(parsed.list)
  const remote = has(args, '--server') && !namesDevice(argv, args) ? await io.remote?.(argv) : null
  if (typeof remote === 'number') return remote
  const printer = createPrinter(io.program ?? 'ld64.colonnade', io.stderr)
  const messages = createMessages()
  configurePrinter(printer, args, messages)
  await reportUnparsed(parsed, table, messages)
  flush(printer, messages)
  if (await printInformation(args, table, io)) return printer.errors > 0 ? 1 : 0
  const options = linkOptions(args, io.env, io.host, messages)
  const unfinished = printer.errors + messages.errors > 0
  if (options.arch !== undefined) reportSearch(args, io, printer, messages, unfinished)
  flush(printer, messages)
  if (printer.errors > 0) return 1
  return runLink(options, args, io, printer)
}

/** A server has neither the client's streams nor what a shell has opened for it (`<(...)`). */
function namesDevice(argv: readonly string[], { list }: ArgumentList): boolean {
  const isDevice = (word: string) => word === '-' || /^@?\/+(dev|proc)\//.test(word)
  return argv.some(isDevice) || list.some(({ values }) => values.some(isDevice))
}

function configurePrinter(printer: Printer, args: ArgumentList, messages: Messages): void {
  printer.fatalWarnings = has(args, '-fatal_warnings')
  printer.suppressWarnings = has(args, '-w')
  const color = lastOf(args, '--color-diagnostics', '--color-diagnostics=', '--no-color-diagnostics')
  const how = color?.values[0] ?? (color?.name === '--color-diagnostics' ? 'always' : 'never')
  printer.color = how === 'always'
  if (!['always', 'never', 'auto'].includes(how))
    error(messages, 'unknown-color', `unknown option: --color-diagnostics=${how}`)
  const format = lastValue(args, '--message-format=') ?? 'text'
  printer.json = format === 'json'
  if (format !== 'json' && format !== 'text')
    error(messages, 'unknown-message-format', `--message-format=: expected 'text' or 'json', but got '${format}'`)
  const limit = lastValue(args, '--error-limit=')
  if (limit === undefined) return
  if (/^\d+$/.test(limit)) printer.limit = Number(limit)
  else error(messages, 'bad-number', `--error-limit=: number expected, but got '${limit}'`)
}

async function reportUnparsed(parsed: ParsedArguments, table: OptionTable, messages: Messages): Promise<void> {
  if (parsed.missing !== null) error(messages, 'missing-argument', `${parsed.missing}: missing argument`)
  if (parsed.unknown.length === 0) return
  const { nearestOption } = await import('./nearestOption.ts')
  for (const word of parsed.unknown) {
    const nearest = nearestOption(table, word)
    const hint = nearest === null ? '' : `, did you mean '${nearest}'`
    error(messages, 'unknown-argument', `unknown argument '${word}'${hint}`)
  }
}

/** `--help`, `--version`, and `-v` with nothing to link: true when that was all there was to do. */
async function printInformation(args: ArgumentList, table: OptionTable, io: CommandIo): Promise<boolean> {
  const help = lastOf(args, '--help', '--help-hidden')
  if (help !== undefined) {
    const { helpText } = await import('./help.ts')
    io.stdout(helpText(io.program ?? 'ld64.colonnade', table))
    return true
  }
  if (has(args, '--version')) {
    io.stdout(`${VERSION_LINE}\n`)
    return true
  }
  const alone = has(args, '-v') && !has(args, '-arch') && !args.list.some(({ name }) => name === null)
  if (alone) io.stderr(`${VERSION_LINE}\n`)
  return alone
}

function reportSearch(
  args: ArgumentList,
  io: CommandIo,
  printer: Printer,
  messages: Messages,
  unfinished: boolean,
): void {
  const verbose = has(args, '-v')
  if (!verbose && !has(args, '-L') && !has(args, '-F')) return
  const roots = syslibroots(args)
  const find = (letter: 'L' | 'F') =>
    searchPaths(letter, values(args, `-${letter}`), roots, has(args, '-Z'), io.host, messages)
  const libraries = find('L')
  const frameworks = find('F')
  flush(printer, messages)
  if (!verbose || unfinished) return
  const list = (title: string, paths: readonly string[]) => [`${title} search paths:`, ...paths].join('\n\t')
  io.stderr(`${VERSION_LINE}\n${list('Library', libraries)}\n${list('Framework', frameworks)}\n`)
}

async function runLink(options: LinkOptions, args: ArgumentList, io: CommandIo, printer: Printer): Promise<number> {
  const messages = createMessages()
  const complete: Draft = { ...options, host: io.host, errorLimit: printer.limit }
  const progress = createProgressLine(io.stderr, () => terminalWidth(io))
  complete.onProgress = progress.show
  const output = options.output!
  const { writeDependencies, writeReports, writeTexts, writeTimeTrace } = await import('./writeReports.ts')
  try {
    const result = await linkerOf(args, io, printer)(complete)
    progress.clear()
    printMessages(printer, [...result.warnings, ...result.errors])
    await writeReports(args, result, io, messages)
    writeTimeTrace(args, result, output, io, messages)
    writeDependencies(args, result.dependencies, output, io.host, messages)
  } catch (cause) {
    progress.clear()
    const failure = asFailure(cause)
    printMessages(printer, [...failure.warnings, ...failure.errors])
    writeTexts(args, failure.reports, io, messages)
    writeDependencies(args, failure.dependencies, output, io.host, messages)
  }
  flush(printer, messages)
  return printer.errors > 0 ? 1 : 0
}

function linkerOf(args: ArgumentList, io: CommandIo, printer: Printer): CommandIo['link'] {
  const { rebuild } = io
  if (rebuild === undefined) return has(args, '--incremental') ? linkAgain(args, io, printer) : io.link
  return async (options) => {
    const result = await rebuild(options)
    // That of an earlier run without a server is for another output now.
    if (has(args, '--incremental')) io.host.removeFile?.(`${options.output}.colonnade`)
    tellMode(args, io, 'server', result)
    return result
  }
}

function tellMode(args: ArgumentList, io: CommandIo, who: string, { mode, reason }: Mode): void {
  if (isTold(args)) io.stderr(`${who}: ${mode}: ${reason}\n`)
}

function isTold(args: ArgumentList): boolean {
  return has(args, '--verbose') || has(args, '--time')
}

type Mode = Pick<RebuildResult, 'mode' | 'reason'>

/** `--incremental`: what was wrong with the last run's files is told, but fails no link. */
function linkAgain(args: ArgumentList, io: CommandIo, printer: Printer): CommandIo['link'] {
  return async (options) => {
    const { linkIncrementally } = await import('../incremental.ts')
    const { countWrites } = await import('../host/countWrites.ts')
    const { host, writes } = countWrites(io.host)
    const result = await linkIncrementally({ ...options, host }, io.maker?.() ?? VERSION)
    const doubts = result.doubts.map((text): Message => ({ ...NO_PLACE, severity: 'warning', id: 'snapshot', text }))
    printMessages({ ...printer, fatalWarnings: false }, doubts)
    tellMode(args, io, 'incremental', result)
    if (isTold(args)) io.stderr(`incremental: wrote ${writes.bytes} bytes in ${writes.pages} pages\n`)
    return result
  }
}

const NO_PLACE = { location: null, notes: [] as string[] }

/** NO_COLOR and a dumb terminal ask for plain text, which a line that changes is not. */
function terminalWidth(io: CommandIo): number {
  const { NO_COLOR = '', TERM } = io.env
  return NO_COLOR !== '' || TERM === 'dumb' ? 0 : (io.columns?.() ?? 0)
}

/** Whatever else was thrown is a fault of ours, except that the host may refuse. */
function asFailure(cause: unknown): LinkFailure {
  if (cause instanceof LinkFailure) return cause
  const text =
    cause instanceof HostError ? cause.message : `internal error: ${cause instanceof Error ? cause.stack : cause}`
  const id = cause instanceof HostError ? 'host-error' : 'internal-error'
  return new LinkFailure([{ severity: 'error', id, text, location: null, notes: [] }], [], {
    read: [],
    missing: [],
    members: [],
  })
}

function flush(printer: Printer, messages: Messages): void {
  printMessages(printer, messages.list)
  messages.list.length = 0
  messages.errors = 0
}
