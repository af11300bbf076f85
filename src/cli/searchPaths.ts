// Search directories as ld64.lld computes them: -L and -F below each -syslibroot where they are absolute, then the standard ones.
import { type Messages, warn } from '../core/messages.ts'
import type { Host } from '../host/host.ts'

const STANDARD = {
  L: ['/usr/lib', '/usr/local/lib'],
  F: ['/Library/Frameworks', '/System/Library/Frameworks'],
} as const

/** `roots` is empty for the file system itself. Directories that do not exist are warned of and left out. */
export function searchPaths(
  letter: 'L' | 'F',
  given: readonly string[],
  roots: readonly string[],
  noStandard: boolean,
  host: Host,
  messages: Messages,
): string[] {
  const bases = roots.length === 0 ? [''] : roots.map((root) => root.replace(/\/$/, ''))
  const found: string[] = []
  for (const path of given) {
    const rerooted = path.startsWith('/')
      ? bases.map((base) => base + path).filter((dir) => isDirectory(host, dir))
      : []
    found.push(...rerooted)
    if (rerooted.length === 0 && checkDirectory(letter, path, host, messages)) found.push(path)
  }
  if (noStandard) return found
  for (const path of STANDARD[letter])
    for (const base of bases) if (isDirectory(host, base + path)) found.push(base + path)
  return found
}

function isDirectory(host: Host, path: string): boolean {
  return host.stat(path)?.isFile === false
}

function checkDirectory(letter: string, path: string, host: Host, messages: Messages): boolean {
  const stat = host.stat(path)
  if (stat === null) warn(messages, 'missing-directory', `directory not found for option -${letter}${path}`)
  else if (stat.isFile) warn(messages, 'not-a-directory', `option -${letter}${path} references a non-directory path`)
  return stat !== null && !stat.isFile
}
