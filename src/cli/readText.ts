// Small text files that options name.
import { toText } from '../core/bytes.ts'
import { type Host, HostError } from '../host/host.ts'

/** The file as text. Throws a HostError when it cannot be read. */
export function readText(host: Host, path: string): string {
  const stat = host.stat(path)
  if (stat === null) throw new HostError('ENOENT', 'No such file or directory')
  const bytes = new Uint8Array(stat.size)
  const length = host.readInto(path, bytes, 0, stat.size, 0)
  return toText(bytes, 0, length)
}

/** Lines without surrounding white space; empty ones are left out. */
export function textLines(text: string): string[] {
  const lines: string[] = []
  for (const line of text.split('\n')) {
    const trimmed = line.trim()
    if (trimmed !== '') lines.push(trimmed)
  }
  return lines
}

/** Lines up to a `#`. */
export function uncommentedLines(text: string): string[] {
  return textLines(text.replace(/#[^\n]*/g, ''))
}
