// What a finished link leaves besides its output: map, dependency files, traces.
import { fromText } from '../core/bytes.ts'
import { type Messages, error } from '../core/messages.ts'
import { type Host, HostError } from '../host/host.ts'
import type { LinkResult, SystemTiming } from '../types.ts'
import { type ArgumentList, has, lastOf, lastValue } from './argumentList.ts'
import { type Dependencies, dependencyInfo, dependencyRule } from './dependencyInfo.ts'

/** Reports that go to a file, by the option that names it; all others are printed. */
const FILES: Readonly<Record<string, string>> = { map: '-map', print_symbol_order: '--print-symbol-order=' }

export interface Writers {
  stdout: (text: string) => void
  stderr: (text: string) => void
  host: Host
}

export async function writeReports(
  args: ArgumentList,
  result: LinkResult,
  io: Writers,
  messages: Messages,
): Promise<void> {
  writeTexts(args, result.reports, io, messages)
  const metafile = lastValue(args, '--metafile=')
  if (metafile !== undefined && result.metafile !== undefined)
    writeSideFile(io.host, metafile, fromText(`${JSON.stringify(result.metafile)}\n`), messages)
  if (has(args, '--time')) io.stderr(timingText(result.timings))
  if (result.stats !== undefined) io.stderr((await import('./statistics.ts')).statisticsText(result.stats))
  if (has(args, '-print_statistics')) io.stdout(statistics(result.timings))
}

/** What a failed link found out as well: -t and -why_load help to see why. */
export function writeTexts(
  args: ArgumentList,
  reports: Readonly<Record<string, string>>,
  io: Writers,
  messages: Messages,
): void {
  for (const [key, text] of Object.entries(reports)) {
    const option = FILES[key.replace(/^-+/, '').replaceAll('-', '_')]
    const path = option === undefined ? undefined : lastValue(args, option)
    if (path !== undefined) writeSideFile(io.host, path, fromText(text), messages)
    else if (text !== '') io.stdout(text.endsWith('\n') ? text : `${text}\n`)
  }
}

/** Also written when the link failed, as ld64.lld does. */
export function writeDependencies(
  args: ArgumentList,
  dependencies: Dependencies,
  output: string,
  host: Host,
  messages: Messages,
): void {
  const records = lastValue(args, '-dependency_info')
  if (records !== undefined) writeSideFile(host, records, dependencyInfo(dependencies, output), messages)
  const rule = lastValue(args, '--dependency-file')
  if (rule !== undefined) writeSideFile(host, rule, fromText(dependencyRule(dependencies, output)), messages)
}

/** `--time-trace`: beside the output, where `--time-trace=` says, or for `-` on stdout. */
export function writeTimeTrace(
  args: ArgumentList,
  { timeTrace }: LinkResult,
  output: string,
  io: Writers,
  messages: Messages,
): void {
  if (timeTrace === undefined) return
  const text = JSON.stringify(timeTrace)
  const path = lastOf(args, '--time-trace', '--time-trace=')?.values[0] || `${output}.time-trace`
  if (path === '-') io.stdout(text)
  else writeSideFile(io.host, path, fromText(text), messages)
}

function writeSideFile(host: Host, path: string, contents: Uint8Array, messages: Messages): void {
  try {
    host.writeFile(path, [contents], 0o666)
  } catch (cause) {
    if (!(cause instanceof HostError)) throw cause
    error(messages, 'cannot-write', `cannot open ${path}: ${cause.message}`, { file: path })
  }
}

/** A line a system: wall time, rows gone over, time for one of them, bytes read, hashed and written. */
function timingText(timings: readonly SystemTiming[]): string {
  let text = ''
  for (const { system, milliseconds, rows, bytes } of timings) {
    const each = rows === 0 ? '-' : ((milliseconds * 1e6) / rows).toFixed(1)
    text += `${system.padEnd(16)}${column(milliseconds.toFixed(2))} ms${column(rows)} rows${column(each)} ns/row${column(bytes)} bytes\n`
  }
  return text
}

function column(value: string | number): string {
  return String(value).padStart(11)
}

function statistics(timings: readonly SystemTiming[]): string {
  const total = timings.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  const megabytes = process.memoryUsage.rss() / 1048576
  return `link time ${total.toFixed(1)} ms, resident memory ${megabytes.toFixed(1)} MB\n`
}
