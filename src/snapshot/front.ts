// What a run of the command reads first: enough to tell whether anything is to be done, and why.
import type { FileStat, Host } from '../host/host.ts'
import type { FileRecords } from '../session/fileRecords.ts'
import type { MemoryDigests } from '../session/plan.ts'
import type { Dependencies, Input, LinkOptions, Message } from '../types.ts'
import type { OldOutput } from './nextOutput.ts'
import { CHUNK, hashOf } from './chunks.ts'
import { damaged } from './format.ts'

export interface Front {
  /** Version and build of the linker that wrote it. */
  maker: string
  cwd: string
  options: LinkOptions
  /** Of every file that the link has looked for. */
  records: FileRecords
  memory: MemoryDigests
  /** How the output was left, and the hash of its first bytes, which hold the UUID of all others. */
  output: FileStat
  head: string
  old: OldOutput | null
  warnings: Message[]
  dependencies: Dependencies
  /** Why the link is never patched; empty: it may be. */
  never: string
  /** There were reports, which only a whole link gives. */
  reports: boolean
}

type StatRow = [size: number, seconds: number, nanoseconds: number, inode: number, isFile: boolean]
type RecordRow = [path: string, stat: StatRow | null, racy: boolean, digest: string]

/** As plain values for JSON. */
export function packFront(front: Front): unknown {
  const records = [...front.records].map(
    ([path, { stat, racy, digest }]): RecordRow => [path, packStat(stat), racy, toHex(digest)],
  )
  const places = new Map(Array.from(front.records.keys(), (path, place) => [path, place]))
  const dependencies = packDependencies(front.dependencies, places)
  const memory = [...front.memory].map(([name, digest]) => [name, toHex(digest)])
  const old = front.old && [packStat(front.old.stat), front.old.behind]
  const options = packOptions(front.options, places)
  return { ...front, options, records, memory, dependencies, output: packStat(front.output), old }
}

/** A path that has a record stands there once, and everywhere else is its place among them: most of the front are paths. */
type Places = ReadonlyMap<string, number>

function packDependencies({ read, missing, ...others }: Dependencies, places: Places): unknown {
  const pack = (path: string) => places.get(path) ?? path
  return { ...others, read: read.map(pack), missing: missing.map(pack) }
}

/** An input that is nothing but a path. */
function packInput(input: string | Input, places: Places): unknown {
  if (typeof input === 'string' || input.path === undefined || Object.keys(input).length > 1) return input
  return places.get(input.path) ?? input
}

/** Contents are compared by their digests, and the others do not change what is written. */
function packOptions(options: LinkOptions, places: Places): unknown {
  const { host, signal, onProgress, cache, ...kept } = options
  const inputs = options.inputs.map((input) => packInput(input, places))
  return JSON.parse(JSON.stringify({ ...kept, inputs }, (_, part) => (ArrayBuffer.isView(part) ? '' : part)))
}

/** @throws FormatError for values that `packFront` has not made */
export function unpackFront(values: unknown): Front {
  try {
    const packed = values as Record<string, unknown>
    const records: FileRecords = new Map()
    for (const [path, stat, racy, digest] of packed.records as RecordRow[])
      records.set(path, { stat: unpackStat(stat), racy, digest: digest === '' ? null : fromHex(digest) })
    const memory: MemoryDigests = new Map()
    for (const [name, digest] of packed.memory as [string, string][]) memory.set(name, fromHex(digest))
    const output = unpackStat(packed.output as StatRow)
    const [oldStat, behind] = (packed.old as [StatRow, number[]] | null) ?? [null, []]
    const old = oldStat === null ? null : { stat: unpackStat(oldStat), behind: Array.from(behind) }
    const paths = [...records.keys()]
    const options = unpackOptions(packed.options as PackedOptions, paths)
    const dependencies = unpackDependencies(packed.dependencies as PackedDependencies, paths)
    return { ...packed, options, records, memory, dependencies, output, old } as unknown as Front
  } catch (trouble) {
    if (trouble instanceof TypeError) throw damaged('has a front of another kind', 0)
    throw trouble
  }
}

type PackedOptions = { inputs: (number | string | Input)[] }
type PackedDependencies = { read: (number | string)[]; missing: (number | string)[] }

function unpackOptions(options: PackedOptions, paths: readonly string[]): unknown {
  const inputs = options.inputs.map((input) => (typeof input === 'number' ? { path: pathAt(paths, input) } : input))
  return { ...options, inputs }
}

function unpackDependencies({ read, missing, ...others }: PackedDependencies, paths: readonly string[]): unknown {
  const unpack = (path: number | string) => (typeof path === 'number' ? pathAt(paths, path) : path)
  return { ...others, read: read.map(unpack), missing: missing.map(unpack) }
}

function pathAt(paths: readonly string[], place: number): string {
  const path = paths[place]
  if (path === undefined) throw new TypeError('no such path')
  return path
}

function packStat(stat: FileStat | null): StatRow | null {
  return stat === null ? null : [stat.size, stat.mtimeSeconds, stat.mtimeNanoseconds, stat.inode, stat.isFile]
}

function unpackStat(row: StatRow | null): FileStat | null {
  if (row === null) return null
  const [size, mtimeSeconds, mtimeNanoseconds, inode, isFile] = row
  return { size, mtimeSeconds, mtimeNanoseconds, inode, isFile }
}

function toHex(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** Hash of the first bytes of an output. */
export function headOf(bytes: Uint8Array): string {
  return hashOf(bytes.subarray(0, CHUNK), 0, 0).join()
}

/** That of a file; empty when it cannot be read. */
export function headOfFile(host: Host, path: string, size: number): string {
  const bytes = new Uint8Array(Math.min(size, CHUNK))
  try {
    host.readInto(path, bytes, 0, bytes.length, 0)
  } catch {
    return ''
  }
  return headOf(bytes)
}
