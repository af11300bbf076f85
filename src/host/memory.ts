// A Host without a system beneath it: files are a map. For tests and browsers.
import { fromText } from '../core/bytes.ts'
import { sha256Into } from '../core/sha256.ts'
import { type FileStat, type Host, HostError } from './host.ts'

export interface MemoryFile {
  contents: Uint8Array
  mode: number
  mtimeSeconds: number
  mtimeNanoseconds: number
  inode: number
}

export interface MemoryHost extends Host {
  /** By absolute path. */
  readonly files: Map<string, MemoryFile>
  /** Adds or replaces a file; its modification time moves on by a nanosecond with every call. */
  put(path: string, contents: Uint8Array | string, mode?: number): void
  remove(path: string): void
}

/** Paths are POSIX paths; a directory exists when a file lies below it. There are no links. */
export function createMemoryHost(initial: Readonly<Record<string, Uint8Array | string>> = {}, cwd = '/'): MemoryHost {
  const files = new Map<string, MemoryFile>()
  let serial = 0
  const resolvePath = (path: string) => normalize(path.startsWith('/') ? path : `${cwd}/${path}`)
  const put = (path: string, contents: Uint8Array | string, mode = 0o644) => {
    serial++
    const bytes = typeof contents === 'string' ? fromText(contents) : contents
    files.set(resolvePath(path), { contents: bytes, mode, mtimeSeconds: 1, mtimeNanoseconds: serial, inode: serial })
  }
  for (const [path, contents] of Object.entries(initial)) put(path, contents)
  return {
    files,
    put,
    remove: (path) => void files.delete(resolvePath(path)),
    stat: (path) => statOf(files, resolvePath(path)),
    readInto: (path, target, at, length, position) =>
      readFrom(files, resolvePath(path), target.subarray(at, at + length), position),
    writeFile: (path, chunks, mode) => {
      const found = statOf(files, resolvePath(path))
      if (found !== null && !found.isFile) throw new HostError('EISDIR', 'Is a directory')
      put(path, concatenate(chunks), mode)
    },
    realPath: resolvePath,
    resolvePath,
    cwd: () => cwd,
    sha256: sha256Into,
    now: () => performance.now(),
    ...(typeof setTimeout === 'function' ? { turn } : {}),
    random: fillRandom,
  }
}

function normalize(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 0))
}

function statOf(files: Map<string, MemoryFile>, path: string): FileStat | null {
  const file = files.get(path)
  if (file !== undefined) {
    const { contents, mtimeSeconds, mtimeNanoseconds, inode } = file
    return { size: contents.length, mtimeSeconds, mtimeNanoseconds, inode, isFile: true }
  }
  const below = path === '/' ? '/' : `${path}/`
  for (const name of files.keys()) {
    if (name.startsWith(below)) return { size: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, inode: 0, isFile: false }
  }
  return null
}

function readFrom(files: Map<string, MemoryFile>, path: string, into: Uint8Array, position: number): number {
  const file = files.get(path)
  if (file === undefined) {
    if (statOf(files, path) === null) throw new HostError('ENOENT', 'No such file or directory')
    throw new HostError('EISDIR', 'Is a directory')
  }
  const part = file.contents.subarray(position, position + into.length)
  into.set(part)
  return part.length
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** getRandomValues takes at most 65536 bytes, and none that are shared (Web Cryptography API). */
function fillRandom(into: Uint8Array): void {
  for (let at = 0; at < into.length; at += 65536) {
    const part = new Uint8Array(Math.min(65536, into.length - at))
    globalThis.crypto.getRandomValues(part)
    into.set(part, at)
  }
}
