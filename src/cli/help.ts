// The text of --help. Loaded only when asked for.
import { ALIASES, type Option, type OptionTable, type Treatment } from './optionTable.ts'

/** What the options are about that this command has beyond ld64.lld's, or reads differently. */
const NOTES: Readonly<Record<string, string>> = {
  '-filelist': 'FILE or FILE,DIR: read the names of inputs, one a line, below DIR',
  '--dependency-file': 'write a Make rule naming every file that was read',
  '-dependency_info': 'write the records Xcode reads: files read, files missing, output',
  '--message-format=': 'text (the default) or json: one message a line on stderr',
  '--layout=': 'tight (the default), or padded: room in code, data and sections, so that changes move little',
  '--deduplicate-symbol-strings': 'equal names of symbols stand once in the string table, as in ld64.lld',
  '-no-deduplicate-symbol-strings': 'entries of the debug map have copies of the names of their symbols',
  '--incremental':
    'do only what has changed since the last run, by a snapshot in OUTPUT.colonnade; implies --layout=padded',
  '--server':
    'have it linked by `colonnade serve`, which keeps links in memory, where that runs; implies --layout=padded',
  '--verbose': 'with --incremental or --server, print what was done and why; with --incremental also the bytes written',
  '--metafile=': 'write as JSON what came from where, and how many bytes',
  '--time': 'print for each system its time, rows, time a row, and bytes',
  '--time-trace': 'write a trace (Perfetto, speedscope, about:tracing) to OUTPUT.time-trace',
  '--time-trace=': 'write the trace to this file, or for - to stdout',
  '--time-trace-granularity=': 'microseconds from which on a step is listed in the trace (500)',
  '--stats': 'print peak memory, bytes of columns and tables, counts of rows, sizes of the output',
  '--no-embedded-stubs': 'do not fall back to the built-in stubs of libSystem and the like',
  '-executable_path': 'PATH that stands for @executable_path in the install names of dylibs',
  '-v': 'print version and search paths; with nothing to link, only the version',
  '--threads=': 'worker threads',
}

const HEADINGS: readonly (readonly [Treatment, string])[] = [
  ['used', 'OPTIONS'],
  ['accepted', 'ACCEPTED WITHOUT EFFECT'],
  ['deprecated', 'DEPRECATED (a warning)'],
  ['obsolete', 'OBSOLETE (a warning, no effect)'],
  ['undocumented', 'UNDOCUMENTED IN LD64 (a warning, no effect)'],
  ['ignored', 'IGNORED (a warning)'],
  ['unimplemented', 'NOT YET IMPLEMENTED (a warning, no effect)'],
  ['refused', 'NOT SUPPORTED (an error)'],
]

const ENVIRONMENT = `ENVIRONMENT:
  ZERO_AR_DATE                       0: the debug map holds the modification times of the objects
  RC_TRACE_DYLIB_SEARCHING           as --print-dylib-search
  LD_DYLIB_CPU_SUBTYPES_MUST_MATCH   dylibs must match the CPU subtype exactly
  COLONNADE_SOCKET                   where colonnade serve listens, for --server
`

export function helpText(program: string, table: OptionTable): string {
  const options = [...table.exact.values()]
  const parts = [
    `USAGE: ${program} [options] file...\n`,
    'Options mean what they mean to ld64 and ld64.lld 22; see ld(1).\n',
  ]
  for (const [treatment, heading] of HEADINGS) {
    const own = options.filter((option) => option.treatment === treatment)
    const lines = treatment === 'used' ? own.map(usedLine) : wrap(own.map((option) => option.name))
    parts.push(`${heading}:\n${lines.sort().join('\n')}\n`)
  }
  return `${parts.join('\n')}\n${ENVIRONMENT}`
}

function usedLine(option: Option): string {
  const usage = option.name + valueMark(option)
  const alias = ALIASES[option.name]
  const note = alias === undefined ? NOTES[option.name] : `same as ${alias}`
  return note === undefined ? `  ${usage}` : `  ${usage.padEnd(34)} ${note}`
}

function valueMark({ arity }: Option): string {
  if (arity === 'joined') return '<value>'
  if (arity === 'either') return ' <value>'
  return ' <value>'.repeat(arity)
}

function wrap(names: readonly string[]): string[] {
  const lines: string[] = []
  let line = ' '
  for (const name of [...names].sort()) {
    if (line.length + name.length > 100) {
      lines.push(line)
      line = ' '
    }
    line += ` ${name}`
  }
  return [...lines, line]
}
