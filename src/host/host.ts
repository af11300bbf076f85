// The port to the outside. The core reaches files, hashes and the clock only through a Host.

export interface FileStat {
  size: number
  /** Modification time in whole seconds and nanoseconds within the second (the debug map holds the seconds). */
  mtimeSeconds: number
  mtimeNanoseconds: number
  inode: number
  isFile: boolean
  /** Names that the file has; not every host knows. */
  links?: number
  /** It is someone else's than whose the process is; not every host knows. */
  isForeign?: boolean
}

/** Bytes that go to a place of a file. */
export interface FilePart {
  at: number
  bytes: Uint8Array
}

/** A file, and target[at .. at + length) where its bytes go. */
export interface FileRead {
  path: string
  target: Uint8Array
  at: number
  length: number
}

/** Files that several threads write, before they get their names. */
export interface Drafts {
  /** The `writeFile` that they stand for: not used for who has put another in its place. */
  of: Host['writeFile']
  /** Makes an empty file beside `path`; null where `writeFile` would not replace `path` by a new file, or none can be made. */
  begin(path: string, mode: number): string | null
  /** Writes `parts` to their places. Any thread of the process may. Throws a HostError when it cannot. */
  write(draft: string, parts: readonly FilePart[]): void
  /** Renames it over `path`; returns how it left that file. Throws a HostError when it cannot; the draft stays then. */
  finish(draft: string, path: string): FileStat
  /** Removes it. */
  discard(draft: string): void
}

/** A thread that answers messages with those of `serve` (src/serve.ts). */
export interface HostWorker {
  /** Structured clone; memory of SharedArrayBuffers is shared. */
  post(message: unknown): void
  /** Whether the process stays alive for it; a new one does not hold it. */
  hold(wanted: boolean): void
  stop(): void
}

/** `failed`: an exception that nothing caught, or the thread's end before `stop`. */
export interface WorkerEvents {
  message(message: unknown): void
  failed(reason: string): void
}

export interface Host {
  /** null when there is no such file. */
  stat(path: string): FileStat | null
  /** Reads `length` bytes at `position` into `target[at..]`; returns how many were there. Throws a HostError when it cannot. */
  readInto(path: string, target: Uint8Array, at: number, length: number, position: number): number
  /**
   * Reads files from their starts while the caller goes on. `got[i]`: the bytes that were there of file i; -1 where it cannot be
   * read. Never rejects.
   */
  readFiles?(files: readonly FileRead[], got: Int32Array): Promise<void>
  /**
   * Writes all chunks to a temporary file beside `path` and renames it over `path`. Returns how it left that file, where it knows:
   * another process may have replaced it since. Throws a HostError when it cannot.
   */
  writeFile(path: string, chunks: readonly Uint8Array[], mode: number): FileStat | void
  /** Of this host and its workers; absent where outputs are written in one go. */
  drafts?: Drafts
  /** Writes `parts` into the file `path` as it stands. Throws a HostError when it cannot. */
  updateFile?(path: string, parts: readonly FilePart[]): void
  /**
   * Replaces `path` by a copy-on-write clone of it with `parts` written in; returns how the new file was left, or whether there is
   * one: not where the file system has no clones, unless it `mayCopy`, nor where `path` is not the file that was `expected`.
   */
  cloneFile?(path: string, parts: readonly FilePart[], expected?: FileStat, mayCopy?: boolean): FileStat | boolean
  /**
   * A second name for the file `path`, beside it, which keeps it when `path` is replaced: `as`, which is replaced too, or a new one. Null where there are none, or where a file
   * that was the output must not be written again.
   */
  keepFile?(path: string, as?: string): string | null
  /**
   * Writes `parts` into the file `kept`, which nobody uses, and exchanges the two names: whoever opens `path` meets the old file
   * or the new one, whole. From before the first byte is written until all is done, there is no file `kept`. Returns how it left
   * `path`, where it knows. Throws a HostError when it cannot; `path` is then as it was, and `kept` may be gone.
   */
  exchangeFile?(path: string, kept: string, parts: readonly FilePart[]): FileStat | void
  /** What cannot be removed stays: nothing depends on it. */
  removeFile?(path: string): void
  /** Makes a folder, and those above it, where there is none. Throws a HostError when it cannot. */
  makeFolder?(path: string): void
  /** Absolute path without symbolic links, or `path` made absolute where it does not exist. */
  realPath(path: string): string
  resolvePath(path: string): string
  cwd(): string
  /** SHA-256 of bytes[from, to) into digest[at .. at + 32). */
  sha256(bytes: Uint8Array, from: number, to: number, digest: Uint8Array, at: number): void
  /** Milliseconds, monotonic. */
  now(): number
  random(into: Uint8Array): void
  /** Resolves once the event loop has run what waits there; without it nothing else runs during a link. */
  turn?(): Promise<void>
  /**
   * Told once a link, before it reads its inputs, how many bytes they have, and whether it will ask for `sha256`. Returns whether the
   * process ends with the link, so that none of its memory need be collected.
   */
  foresee?(bytes: number, signs: boolean): boolean
  /** Frees the memory of buffers that nothing refers to. */
  collect?(): void
  /** Bytes of memory that the process uses now, and the most it has used. */
  memory?(): { resident: number; peak: number }
  /**
   * Calls `changed` when something in one of the directories may have changed. Returns what ends that. Throws a HostError when
   * it cannot; without it files are looked at in intervals.
   */
  watch?(directories: readonly string[], changed: () => void): () => void
  /** Bytes of all buffers made so far; only hosts that count them have it. */
  allocated?(): number
  /** Threads that can run at once. */
  parallelism?(): number
  /** What `readInto` is in workers and in `readFiles`: used only where it is this host's too, not for who has put another in its place. */
  workerReadInto?: Host['readInto']
  /** Absent where there are no threads: a link then runs on its caller's. Throws a HostError when it cannot. */
  startWorker?(events: WorkerEvents): HostWorker
}

export class HostError extends Error {
  readonly code: string
  constructor(code: string, text: string) {
    super(text)
    this.name = 'HostError'
    this.code = code
  }
}
