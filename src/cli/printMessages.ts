// Messages as ld64.lld prints them: `PROGRAM: error: TEXT`, then a `>>> ` line for each note.
import type { Location, Message } from '../types.ts'

export interface Printer {
  readonly program: string
  readonly write: (text: string) => void
  color: boolean
  json: boolean
  /** Errors printed before the rest is left out; 0 prints all. */
  limit: number
  fatalWarnings: boolean
  suppressWarnings: boolean
  errors: number
  /** ld64.lld sets a message of several lines apart from the next by an empty line. */
  separate: boolean
}

export function createPrinter(program: string, write: (text: string) => void): Printer {
  return {
    program,
    write,
    color: false,
    json: false,
    limit: 20,
    fatalWarnings: false,
    suppressWarnings: false,
    errors: 0,
    separate: false,
  }
}

/** Warnings become errors or vanish as the options say; the former wins, as in ld64.lld. */
export function printMessages(printer: Printer, messages: readonly Message[]): void {
  for (const message of messages) {
    const severity = message.severity === 'warning' && printer.fatalWarnings ? 'error' : message.severity
    if (severity === 'warning' && printer.suppressWarnings) continue
    if (severity !== 'error') printOne(printer, severity, message)
    else printError(printer, message)
  }
}

function printError(printer: Printer, message: Message): void {
  printer.errors++
  if (printer.limit === 0 || printer.errors <= printer.limit) printOne(printer, 'error', message)
  else if (printer.errors === printer.limit + 1) {
    const text = 'too many errors emitted, stopping now (use --error-limit=0 to see all errors)'
    printOne(printer, 'error', { severity: 'error', id: 'too-many-errors', text, location: null, notes: [] })
  }
}

function printOne(printer: Printer, severity: Message['severity'], message: Message): void {
  if (printer.json) return printer.write(`${JSON.stringify({ ...message, severity })}\n`)
  const text = [located(message), ...message.notes.map(noteLine)].join('\n')
  const label = printer.color ? colored(severity) : `${severity}: `
  printer.write(`${printer.separate ? '\n' : ''}${printer.program}: ${label}${text}\n`)
  printer.separate = text.includes('\n')
}

function noteLine(note: string): string {
  return note.startsWith('>>>') ? note : `>>> ${note}`
}

function colored(severity: Message['severity']): string {
  const code = severity === 'error' ? '31' : severity === 'warning' ? '35' : '1;30'
  return `\u001b[0;${code}m${severity}: \u001b[0m`
}

/** The file goes in front, except where the notes or the text name it themselves. */
function located({ text, location, notes }: Message): string {
  if (location === null || notes.length > 0 || text.includes(location.file)) return text
  return `${placeOf(location)}: ${text}`
}

function placeOf({ file, member }: Location): string {
  return member === undefined ? file : `${file}(${member})`
}
