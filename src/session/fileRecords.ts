// What a link asked the file system, and whether it would get the same answers now.
import type { FileStat, Host } from '../host/host.ts'

/**
 * A file whose time is this close to the moment it was looked at may be written again without a change of its time: file
 * systems count in steps of up to 2 s (FAT). Its contents are compared, as git does with its index.
 */
const RACY_SECONDS = 2

export interface FileRecord {
  /** The first answer of the link; null: no such file. */
  stat: FileStat | null
  /** Size and times do not tell whether it is the same; `digest` does, where the whole file was read. */
  racy: boolean
  digest: Uint8Array | null
}

export type FileRecords = Map<string, FileRecord>

/** A host that notes every question about files and its answer. */
export function recordFiles(host: Host, records: FileRecords): Host {
  const stat = (path: string): FileStat | null => {
    const found = host.stat(path)
    if (!records.has(path)) records.set(path, { stat: found, racy: isRacy(found), digest: null })
    return found
  }
  const readInto: Host['readInto'] = (path, target, at, length, position) => {
    if (!records.has(path)) stat(path)
    const record = records.get(path)!
    const got = host.readInto(path, target, at, length, position)
    const whole = record.stat !== null && position === 0 && got === record.stat.size
    if (record.racy && whole) record.digest = digestOf(host, target, at, at + got)
    return got
  }
  return { ...host, stat, readInto }
}

/** Files that were taken over are what they were when they were read, whatever a look at them has found since. */
export function copyRecords(from: FileRecords, to: FileRecords, paths: readonly string[]): void {
  for (const path of paths) {
    const record = from.get(path)
    if (record !== undefined) to.set(path, record)
  }
}

/** Whether a write now might not change the time. */
export function isRacy(stat: FileStat | null): boolean {
  return stat !== null && stat.mtimeSeconds + RACY_SECONDS >= Date.now() / 1000
}

export function digestOf(host: Host, bytes: Uint8Array, from = 0, to: number = bytes.length): Uint8Array {
  const digest = new Uint8Array(32)
  host.sha256(bytes, from, to, digest, 0)
  return digest
}

/** What has become of the file since it was recorded, in words that follow its path; null when it is as it was. */
export function changeOf(host: Host, path: string, record: FileRecord): string | null {
  const now = host.stat(path)
  const before = record.stat
  if (before === null || now === null) return before === now ? null : now === null ? 'is gone' : 'is there now'
  if (before.isFile !== now.isFile) return 'is of another kind'
  if (!now.isFile) return null
  if (before.size !== now.size) return 'has another size'
  if (!isSameFile(before, now)) return 'was written'
  if (!record.racy) return null
  if (!hasContents(host, path, record)) return 'has other contents'
  record.racy = isRacy(now)
  return null
}

/** Same inode, size and time. */
export function isSameFile(a: FileStat, b: FileStat): boolean {
  return (
    a.inode === b.inode &&
    a.size === b.size &&
    a.mtimeSeconds === b.mtimeSeconds &&
    a.mtimeNanoseconds === b.mtimeNanoseconds
  )
}

function hasContents(host: Host, path: string, record: FileRecord): boolean {
  if (record.digest === null || record.stat === null) return false
  const bytes = new Uint8Array(record.stat.size)
  try {
    if (host.readInto(path, bytes, 0, bytes.length, 0) !== bytes.length) return false
  } catch {
    return false // the link will say why
  }
  return isSameDigest(digestOf(host, bytes), record.digest)
}

export function isSameDigest(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}
