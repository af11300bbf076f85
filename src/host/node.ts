// The Host of Node.js. All calls are synchronous: the linker reads and writes in long runs, not in many small requests.
import fs from 'node:fs'
import path from 'node:path'
import {
  type Drafts,
  type FilePart,
  type FileRead,
  type FileStat,
  type Host,
  HostError,
  type HostWorker,
  type WorkerEvents,
} from './host.ts'
import { errorText } from './hostMessages.ts'

/** One system call moves at most 2^31 - 4096 bytes (read(2), writev(2)); 2^30 keeps requests aligned. */
const MAX_REQUEST = 0x40000000
/**
 * A write of 16 KiB finds its pages among those that the process has just freed, in pieces; larger ones make the kernel take larger
 * pages, which it has to fetch anew in a virtual machine: 415 MB in 330 to 940 ms, not 330 to 3,400 by 64 KiB at a time.
 */
const WRITE_REQUEST = 0x4000
/** What is smaller than this finds its pages either way, and the calls cost more: 36 MB in 15 ms by 64 KiB, 24 by 16. */
const SMALL_REQUEST = 0x10000
const SMALL_OUTPUT = 0x8000000
/** IOV_MAX is 1024 on Linux and macOS. */
const MAX_VECTOR = 1024
const RENAME_TRIES = 5
/** Who owns what this process makes. */
const USER = process.geteuid?.()

/** The only argument of a worker, by which a file that is both command and worker knows which it is. */
export const WORKER_WORD = '--colonnade-worker'

/** @param workerFile what workers run: absolute path or URL of a file that calls `serveWorker`; without it there are none. */
export function createNodeHost(workerFile?: string | URL): Host {
  const host = basicHost()
  if (workerFile === undefined) return host
  return {
    ...host,
    parallelism: () => os().availableParallelism(),
    startWorker: (events) => start(workerFile, events),
  }
}

function basicHost(): Host {
  return {
    stat,
    readInto,
    workerReadInto: readInto,
    readFiles,
    writeFile,
    drafts: DRAFTS,
    updateFile,
    cloneFile,
    keepFile,
    exchangeFile,
    removeFile,
    makeFolder,
    realPath,
    resolvePath: (name) => path.resolve(name),
    cwd: () => process.cwd(),
    sha256,
    now,
    collect,
    memory: () => ({ resident: process.memoryUsage.rss(), peak: process.resourceUsage().maxRSS * 1024 }),
    turn: () => new Promise((resolve) => void setImmediate(resolve)),
    watch,
    random: (into) => void crypto().randomFillSync(into),
  }
}

// The global `performance` loads a module at its first use: 1.5 ms.
function now(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

/** Times come from the double that stat holds: steps of about a quarter of a microsecond, without a BigInt per file. */
function stat(name: string): FileStat | null {
  try {
    const found = fs.statSync(name, { throwIfNoEntry: false })
    return found === undefined ? null : toStat(found)
  } catch {
    return null
  }
}

function toStat(found: fs.Stats): FileStat {
  const mtimeSeconds = Math.floor(found.mtimeMs / 1000)
  return {
    size: found.size,
    mtimeSeconds,
    mtimeNanoseconds: Math.round((found.mtimeMs - mtimeSeconds * 1000) * 1e6),
    inode: found.ino,
    isFile: found.isFile(),
    links: found.nlink,
    isForeign: USER !== undefined && found.uid !== USER,
  }
}

function readInto(name: string, target: Uint8Array, at: number, length: number, position: number): number {
  try {
    const fd = fs.openSync(name, 'r')
    try {
      return readFully(fd, target, at, length, position)
    } finally {
      fs.closeSync(fd)
    }
  } catch (cause) {
    throw toHostError(cause)
  }
}

function readFully(fd: number, target: Uint8Array, at: number, length: number, position: number): number {
  let done = 0
  while (done < length) {
    const got = fs.readSync(fd, target, at + done, Math.min(length - done, MAX_REQUEST), position + done)
    if (got === 0) break
    done += got
  }
  return done
}

/** On libuv's threads. Opening and closing costs less than handing it on. */
function readFiles(files: readonly FileRead[], got: Int32Array): Promise<void> {
  return new Promise((resolve) => {
    let left = files.length
    const finish = (i: number, bytes: number) => {
      got[i] = bytes
      if (--left === 0) resolve()
    }
    if (left === 0) resolve()
    for (let i = 0; i < files.length; i++) readBeside(files[i], (bytes) => finish(i, bytes))
  })
}

/** Calls `finish` once, with -1 for what cannot be read in one request. */
function readBeside({ path: name, target, at, length }: FileRead, finish: (bytes: number) => void): void {
  try {
    const fd = fs.openSync(name, 'r')
    fs.read(fd, target, at, length, 0, (trouble, bytes) => {
      fs.closeSync(fd)
      finish(trouble !== null || bytes < length ? -1 : bytes)
    })
  } catch {
    finish(-1)
  }
}

/**
 * A regular file, or nothing yet: a temporary file in the same directory is renamed over `name`; a symbolic link to a file is replaced
 * itself, as ld64.lld does. Devices and pipes are written in place.
 */
function writeFile(name: string, chunks: readonly Uint8Array[], mode: number): FileStat | void {
  try {
    const standard = standardStream(name)
    if (standard !== 0) return writeChunks(standard, chunks)
    if (name === '/dev/null') return
    const existing = fs.statSync(name, { throwIfNoEntry: false })
    if (existing?.isDirectory()) throw new HostError('EISDIR', errorText('EISDIR', ''))
    if (existing === undefined || existing.isFile()) return replaceFile(name, chunks, mode)
    writeInPlace(name, chunks)
  } catch (cause) {
    throw toHostError(cause)
  }
}

function standardStream(name: string): number {
  return name === '/dev/stdout' ? 1 : name === '/dev/stderr' ? 2 : 0
}

const DRAFTS: Drafts = {
  of: writeFile,
  begin: beginDraft,
  write: writeDraft,
  finish: finishDraft,
  discard: discardDraft,
}

function beginDraft(name: string, mode: number): string | null {
  if (standardStream(name) !== 0) return null
  try {
    const existing = fs.statSync(name, { throwIfNoEntry: false })
    if (existing !== undefined && !existing.isFile()) return null
    const [temporary, fd] = openTemporary(name, mode)
    fs.closeSync(fd)
    return temporary
  } catch {
    return null
  }
}

function writeDraft(draft: string, parts: readonly FilePart[]): void {
  const size = parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
  try {
    writeParts(draft, parts, requestSize(size))
  } catch (cause) {
    throw toHostError(cause)
  }
}

function finishDraft(draft: string, name: string): FileStat {
  try {
    const written = toStat(fs.statSync(draft))
    renameOver(draft, name)
    return written
  } catch (cause) {
    throw toHostError(cause)
  }
}

function discardDraft(draft: string): void {
  fs.rmSync(draft, { force: true })
}

function writeInPlace(name: string, chunks: readonly Uint8Array[]): void {
  const fd = fs.openSync(name, 'w')
  try {
    writeChunks(fd, chunks)
  } finally {
    fs.closeSync(fd)
  }
}

// macOS kills a signed program whose file was rewritten in place: the kernel caches signatures by vnode.
function replaceFile(name: string, chunks: readonly Uint8Array[], mode: number): FileStat {
  const [temporary, fd] = openTemporary(name, mode)
  let open = true
  try {
    writeChunks(fd, chunks)
    const written = toStat(fs.fstatSync(fd))
    fs.closeSync(fd)
    open = false
    renameOver(temporary, name)
    return written
  } catch (cause) {
    if (open) fs.closeSync(fd)
    fs.rmSync(temporary, { force: true })
    throw cause
  }
}

function removeFile(name: string): void {
  try {
    fs.rmSync(name, { force: true })
  } catch {
    // A directory, or one that others write to.
  }
}

function makeFolder(name: string): void {
  try {
    fs.mkdirSync(name, { recursive: true })
  } catch (cause) {
    throw toHostError(cause)
  }
}

function openTemporary(name: string, mode: number): [string, number] {
  return withNewName(name, (temporary) => [temporary, fs.openSync(temporary, 'wx', mode)])
}

/** Calls `make` with names beside `name` until one is free. */
function withNewName<T>(name: string, make: (temporary: string) => T): T {
  for (let attempt = 0; ; attempt++) {
    const suffix = Math.floor(Math.random() * 0x100000000).toString(16)
    try {
      return make(`${name}.tmp${suffix}`)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === 100) throw cause
    }
  }
}

function cloneFile(
  name: string,
  parts: readonly FilePart[],
  expected?: FileStat,
  mayCopy?: boolean,
): FileStat | boolean {
  let temporary = ''
  const { COPYFILE_EXCL, COPYFILE_FICLONE, COPYFILE_FICLONE_FORCE } = fs.constants
  try {
    withNewName(name, (free) => {
      fs.copyFileSync(name, free, COPYFILE_EXCL | (mayCopy ? COPYFILE_FICLONE : COPYFILE_FICLONE_FORCE))
      temporary = free
    })
    // After the copy: whoever replaces the file before it is seen, and after it does no harm.
    if (expected !== undefined && stat(name)?.inode !== expected.inode) throw new HostError('ESTALE', '')
    const written = writeParts(temporary, parts)
    renameOver(temporary, name)
    return written
  } catch {
    if (temporary !== '') fs.rmSync(temporary, { force: true })
    return false
  }
}

/** macOS: see replaceFile. Windows: a name that is taken cannot be given to an open file. */
function keepFile(name: string, as?: string): string | null {
  if (process.platform === 'darwin' || process.platform === 'win32') return null
  try {
    const made = secondName(name, name)
    if (as === undefined) return made
    fs.renameSync(made, as)
    // Of two names of one file, rename(2) leaves both.
    removeFile(made)
    return as
  } catch {
    return null
  }
}

/** A new name beside `place` for the file `name`. */
function secondName(name: string, place: string): string {
  return withNewName(place, (free) => {
    fs.linkSync(name, free)
    return free
  })
}

/** What is killed while it writes leaves a file that nobody knows by its name. */
function exchangeFile(name: string, kept: string, parts: readonly FilePart[]): FileStat {
  let writing = ''
  try {
    writing = secondName(kept, name)
    fs.unlinkSync(kept)
    const written = writeParts(writing, parts)
    const before = secondName(name, name)
    fs.renameSync(writing, name)
    fs.renameSync(before, kept)
    return written
  } catch (cause) {
    if (writing !== '') fs.rmSync(writing, { force: true })
    throw toHostError(cause)
  }
}

function updateFile(name: string, parts: readonly FilePart[]): void {
  try {
    writeParts(name, parts)
  } catch (cause) {
    throw toHostError(cause)
  }
}

/** By `most` bytes at a time, up to places that are multiples of that. */
function writeParts(name: string, parts: readonly FilePart[], most = MAX_REQUEST): FileStat {
  const fd = fs.openSync(name, 'r+')
  try {
    for (const { at, bytes } of parts)
      for (let done = 0; done < bytes.length; )
        done += fs.writeSync(fd, bytes, done, Math.min(bytes.length - done, most - ((at + done) % most)), at + done)
    return toStat(fs.fstatSync(fd))
  } finally {
    fs.closeSync(fd)
  }
}

// Windows refuses to rename over a file that is open (a running program, a virus scanner); scanners let go after a moment.
function renameOver(temporary: string, name: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      return fs.renameSync(temporary, name)
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? ''
      if (process.platform !== 'win32' || !['EBUSY', 'EPERM', 'EACCES'].includes(code)) throw cause
      if (attempt === RENAME_TRIES) throw new HostError(code, 'the file is in use by another program')
      pause(20 * attempt)
    }
  }
}

function writeChunks(fd: number, chunks: readonly Uint8Array[]): void {
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const most = requestSize(size)
  let next = 0
  let within = 0
  while (next < chunks.length) {
    const request = gather(chunks, next, within, most)
    if (request.length === 0) return
    let written = writeSome(fd, request)
    while (next < chunks.length && written >= chunks[next]!.length - within) {
      written -= chunks[next]!.length - within
      next++
      within = 0
    }
    within += written
  }
}

function requestSize(size: number): number {
  return size < SMALL_OUTPUT ? SMALL_REQUEST : WRITE_REQUEST
}

/** A pipe that another program made non-blocking may be full. */
function writeSome(fd: number, request: Uint8Array[]): number {
  for (;;) {
    try {
      return fs.writevSync(fd, request)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') throw cause
      pause(2)
    }
  }
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

function gather(chunks: readonly Uint8Array[], next: number, within: number, most: number): Uint8Array[] {
  const request: Uint8Array[] = []
  let room = most
  for (let i = next; i < chunks.length && room > 0 && request.length < MAX_VECTOR; i++) {
    const from = i === next ? within : 0
    const part = chunks[i]!.subarray(from, from + room)
    if (part.length > 0) request.push(part)
    room -= part.length
  }
  return request
}

function realPath(name: string): string {
  try {
    return fs.realpathSync.native(name)
  } catch {
    return path.resolve(name)
  }
}

/** Buffers outlive their last use until a collection of the old generation, which may not come while a link lasts. */
function collect(): void {
  const { runInNewContext } = process.getBuiltinModule('node:vm')
  const isExposed = runInNewContext('typeof gc') === 'function'
  if (!isExposed) process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

// node:crypto takes milliseconds to load, and a link without signature or UUID never needs it.
function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto')
}

function sha256(bytes: Uint8Array, from: number, to: number, digest: Uint8Array, at: number): void {
  const { hash, createHash } = crypto() as Partial<typeof import('node:crypto')>
  const part = bytes.subarray(from, to)
  if (hash === undefined) return digest.set(createHash!('sha256').update(part).digest(), at)
  // A buffer of its own costs as much as hashing 1 KiB; text does not.
  const text = hash('sha256', part, 'binary')
  for (let i = 0; i < text.length; i++) digest[at + i] = text.charCodeAt(i)
}

function watch(directories: readonly string[], changed: () => void): () => void {
  const watchers: fs.FSWatcher[] = []
  const end = () => {
    for (const watcher of watchers) watcher.close()
  }
  try {
    for (const directory of directories) {
      const watcher = fs.watch(directory, changed)
      watchers.push(watcher)
      watcher.on('error', changed)
    }
  } catch (cause) {
    end()
    throw toHostError(cause)
  }
  return end
}

function os(): typeof import('node:os') {
  return process.getBuiltinModule('node:os')
}

function threads(): typeof import('node:worker_threads') {
  return process.getBuiltinModule('node:worker_threads')
}

function start(file: string | URL, events: WorkerEvents): HostWorker {
  const { Worker, SHARE_ENV } = threads()
  // Node closes the file that a worker writes when it is stopped.
  const worker = new Worker(file, { argv: [WORKER_WORD], env: SHARE_ENV as never, trackUnmanagedFds: true })
  let stopped = false
  const failed = (reason: string) => {
    if (!stopped) events.failed(reason)
  }
  worker.on('message', (message) => events.message(message))
  worker.on('messageerror', (cause) => failed(cause.message))
  worker.on('error', (cause) => failed(cause.message))
  worker.on('exit', (code) => failed(`ended with exit code ${code}`))
  worker.unref()
  return {
    post: (message) => worker.postMessage(message),
    hold: (wanted) => (wanted ? worker.ref() : worker.unref()),
    stop: () => {
      stopped = true
      void worker.terminate()
    },
  }
}

/** In a thread that `startWorker` made: answers each message through `answer`. False in any other thread. */
export function serveWorker(answer: (message: unknown, reply: (message: unknown) => void) => void): boolean {
  const { parentPort } = threads()
  if (parentPort === null) return false
  parentPort.on('message', (message) => answer(message, (reply) => parentPort.postMessage(reply)))
  return true
}

function toHostError(cause: unknown): HostError {
  if (cause instanceof HostError) return cause
  const { code = 'EIO', message } = cause as NodeJS.ErrnoException
  return new HostError(code, errorText(code, message))
}
