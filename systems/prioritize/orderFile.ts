// Order files: a symbol a line, with an architecture and an object file in front if wanted, earlier lines first (ld64.lld).
import { fromText } from '../../src/core/bytes.ts'
import { hashBytes, sameBytes } from '../../src/core/hash.ts'

/*
 * Entries, from 1: one a distinct name, whose bytes are bytes[from, to). `any` is the priority in every file; `special` is the
 * first of its rows for one file each, which `next` links. `index` finds entries by the hash of their names.
 */
export interface OrderList {
  bytes: Uint8Array
  from: number[]
  to: number[]
  any: number[]
  special: number[]
  file: number[]
  priority: number[]
  next: number[]
  files: Map<string, number>
  index: Uint32Array
  /** The highest priority that no line took. */
  left: number
}

const ARCHITECTURES = ['i386', 'x86_64', 'arm', 'arm64', 'ppc', 'ppc64']
const HIGHEST = 0xffffffff

interface Line {
  symbol: string
  file: string
}

/** Reads the lines that count for `arch`. A name's first line decides, in any file or in the one named. */
export function parseOrderFile(text: string, arch: string): OrderList {
  const lines = text.split('\n').map((line) => line.trim())
  const list = emptyList(lines)
  const known = new Map<string, number>()
  let used = 0
  for (const line of lines) {
    const parsed = line === '' || line[0] === '#' ? null : parseLine(line, arch)
    if (parsed === null) continue
    if (parsed.symbol !== '') addLine(list, known, parsed, list.left)
    list.left--
    if (parsed.symbol !== '') used++
  }
  let size = 16
  while (size < used * 2) size *= 2
  list.index = new Uint32Array(size)
  for (let entry = 1; entry < list.from.length; entry++) indexEntry(list, entry)
  return list
}

function emptyList(lines: readonly string[]): OrderList {
  const bytes = new Uint8Array(lines.reduce((sum, line) => sum + line.length * 3, 0))
  const index = new Uint32Array(16)
  return {
    bytes,
    from: [0],
    to: [0],
    any: [0],
    special: [0],
    file: [0],
    priority: [0],
    next: [0],
    files: new Map(),
    index,
    left: HIGHEST,
  }
}

function parseLine(line: string, arch: string): Line | null {
  let rest = line.replace(/#.*/, '').trimStart()
  const prefix = ARCHITECTURES.find((name) => rest.startsWith(`${name}:`))
  if (prefix !== undefined && prefix !== arch) return null
  if (prefix !== undefined) rest = rest.slice(prefix.length + 1)
  for (const end of ['.o:', '.o):']) {
    const at = rest.indexOf(end)
    if (at >= 0) return { file: rest.slice(0, at + end.length - 1), symbol: rest.slice(at + end.length).trim() }
  }
  return { file: '', symbol: rest.trim() }
}

function addLine(list: OrderList, known: Map<string, number>, { symbol, file }: Line, priority: number): void {
  let entry = known.get(symbol)
  if (entry === undefined) {
    entry = list.from.length
    known.set(symbol, entry)
    const bytes = fromText(symbol)
    const from = list.to[entry - 1]
    list.bytes.set(bytes, from)
    list.from.push(from)
    list.to.push(from + bytes.length)
    list.any.push(0)
    list.special.push(0)
  }
  if (file === '') {
    if (list.any[entry] === 0) list.any[entry] = priority
    return
  }
  const id = list.files.get(file) ?? list.files.size + 1
  list.files.set(file, id)
  for (let row = list.special[entry]; row !== 0; row = list.next[row]) if (list.file[row] === id) return
  list.file.push(id)
  list.next.push(list.special[entry])
  list.special[entry] = list.priority.push(priority) - 1
}

function indexEntry(list: OrderList, entry: number): void {
  const mask = list.index.length - 1
  let probe = hashBytes(list.bytes, list.from[entry], list.to[entry]) & mask
  while (list.index[probe] !== 0) probe = (probe + 1) & mask
  list.index[probe] = entry
}

/** Priority of the name bytes[from, to) in the file with this id in `files` (0: none); 0 when the list does not have it. */
export function orderOf(list: OrderList, bytes: Uint8Array, from: number, to: number, file: number): number {
  const mask = list.index.length - 1
  let probe = hashBytes(bytes, from, to) & mask
  for (let entry = list.index[probe]; entry !== 0; entry = list.index[probe]) {
    const start = list.from[entry]
    if (list.to[entry] - start === to - from && sameBytes(list.bytes, start, bytes, from, to - from))
      return inFile(list, entry, file)
    probe = (probe + 1) & mask
  }
  return 0
}

function inFile(list: OrderList, entry: number, file: number): number {
  const most = list.any[entry]
  if (file === 0) return most
  for (let row = list.special[entry]; row !== 0; row = list.next[row])
    if (list.file[row] === file) return Math.max(most, list.priority[row])
  return most
}
