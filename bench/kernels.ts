// Suites over the encoders and decoders of the tables in __LINKEDIT, on rows as a large link has them.
import { ByteSink, fromText } from '../src/core/bytes.ts'
import { sha256Into } from '../src/core/sha256.ts'
import { type BindRows, decodeBind, encodeBind, encodeLazyBind, type NameTable } from '../src/formats/dyld/bind.ts'
import {
  type ChainedSegment,
  decodeChainedFixups,
  encodeChainedFixups,
  linkChains,
  newPageStarts,
  walkChain,
  writeChainedRebase,
} from '../src/formats/dyld/chainedFixups.ts'
import { decodeExportTrie, encodeExportTrie } from '../src/formats/dyld/exportTrie.ts'
import { decodeRebase, encodeRebase } from '../src/formats/dyld/rebase.ts'
import { DYLD_CHAINED_PTR_64_OFFSET } from '../src/formats/macho/constants.ts'
import { decodeUnwindInfo, planUnwindInfo, type UnwindRows, writeUnwindInfo } from '../src/formats/unwind.ts'
import { createNodeHost } from '../src/host/node.ts'
import { randomFrom } from './random.ts'

/** `run` is one iteration over `amount`. */
export interface Task {
  name: string
  amount: string
  run: () => unknown
}

const ROWS = 100_000
const PAGE = 0x4000
const IMAGE_BASE = 0x100000000
const HASHED_BYTES = 1 << 22

function names(count: number): NameTable & { length: Uint32Array } {
  const sink = new ByteSink(1 << 20)
  const table = { arena: new Uint8Array(count), offset: new Uint32Array(count), length: new Uint32Array(count) }
  for (let i = 0; i < count; i++) {
    const name = fromText(
      `__ZN5bench6u${String(i >> 7).padStart(5, '0')}12compute_${String(i & 127).padStart(4, '0')}Ej`,
    )
    table.offset[i] = sink.length
    table.length[i] = name.length
    sink.append(name)
  }
  return { bytes: [sink.finish()], ...table }
}

/** Ascending offsets of pointers, most of them neighbours. */
function pointerOffsets(count: number): Uint32Array {
  const random = randomFrom(1)
  const offsets = new Uint32Array(count)
  for (let i = 1; i < count; i++)
    offsets[i] = offsets[i - 1] + (random() < 0.7 ? 8 : 8 * (1 + Math.floor(random() * 40)))
  return offsets
}

function rebaseTasks(offsets: Uint32Array): Task[] {
  const segments = new Uint8Array(ROWS).fill(2)
  const bytes = encodeRebase(segments, offsets, ROWS)
  let seen = 0
  return [
    { name: 'rebase opcodes, encode', amount: `${ROWS} rows`, run: () => encodeRebase(segments, offsets, ROWS) },
    { name: 'rebase opcodes, decode', amount: `${ROWS} rows`, run: () => decodeRebase(bytes, () => seen++) },
  ]
}

function bindTasks(offsets: Uint32Array, table: NameTable): Task[] {
  const rows: BindRows = {
    segments: new Uint8Array(ROWS).fill(2),
    offsets: Float64Array.from(offsets),
    ordinals: new Int32Array(ROWS).fill(1),
    addends: new Float64Array(ROWS),
    names: Uint32Array.from({ length: ROWS }, (_, i) => i >> 3),
    flags: new Uint8Array(ROWS),
    count: ROWS,
  }
  const bytes = encodeBind(rows, table)
  let seen = 0
  return [
    { name: 'bind opcodes, encode', amount: `${ROWS} rows`, run: () => encodeBind(rows, table) },
    {
      name: 'bind opcodes, decode',
      amount: `${ROWS} rows`,
      run: () => decodeBind(bytes, { lazy: false }, () => seen++),
    },
    { name: 'lazy bind opcodes, encode', amount: `${ROWS} rows`, run: () => encodeLazyBind(rows, table) },
  ]
}

function trieTasks(table: ReturnType<typeof names>): Task[] {
  const rows = {
    names: { ...table, bytes: table.bytes[0] },
    flags: new Uint8Array(ROWS),
    addresses: Float64Array.from({ length: ROWS }, (_, i) => 0x4000 + 48 * i),
    others: null,
    importNames: null,
    order: null,
    count: ROWS,
  }
  const bytes = encodeExportTrie(rows)
  let seen = 0
  return [
    { name: 'export trie, encode', amount: `${ROWS} rows`, run: () => encodeExportTrie(rows) },
    { name: 'export trie, decode', amount: `${ROWS} rows`, run: () => decodeExportTrie(bytes, () => seen++) },
  ]
}

function chainTasks(offsets: Uint32Array, table: NameTable): Task[] {
  const size = offsets[ROWS - 1] + 8
  const segment = new Uint8Array(size)
  const view = new DataView(segment.buffer)
  const write = (): ChainedSegment => {
    const pageStarts = newPageStarts(size, PAGE)
    for (let i = 0; i < ROWS; i++)
      writeChainedRebase(view, offsets[i], IMAGE_BASE + 16 * i, 0, DYLD_CHAINED_PTR_64_OFFSET, IMAGE_BASE)
    linkChains(view, 0, offsets, 0, ROWS, PAGE, pageStarts)
    return { offset: PAGE, pageSize: PAGE, pageStarts }
  }
  const count = ROWS >> 3
  const imports = {
    ordinals: new Int32Array(count).fill(1),
    weak: new Uint8Array(count),
    names: Uint32Array.from({ length: count }, (_, i) => i),
    addends: new Float64Array(count),
    count,
  }
  const pointerFormat = DYLD_CHAINED_PTR_64_OFFSET
  const encode = () => encodeChainedFixups({ segments: [write()], pointerFormat, maxPointer: 0, imports, names: table })
  const bytes = encode()
  let seen = 0
  const decode = () => {
    const { segments } = decodeChainedFixups(bytes)
    walkChain(view, 0, size, segments[0]!, () => seen++)
  }
  const amount = `${ROWS} pointers, ${count} imports`
  return [
    { name: 'chained fixups, encode', amount, run: encode },
    { name: 'chained fixups, decode', amount, run: decode },
  ]
}

function unwindTasks(): Task[] {
  const random = randomFrom(2)
  const encodings = [0x04000000, 0x04000001, 0x04000003, 0x02001000, 0x02002000]
  const rows: UnwindRows = {
    count: ROWS,
    start: Uint32Array.from({ length: ROWS }, (_, i) => 0x4000 + 64 * i),
    length: new Uint32Array(ROWS).fill(64),
    encoding: Uint32Array.from({ length: ROWS }, () => encodings[Math.floor(random() * encodings.length)]),
    personality: new Uint32Array(ROWS),
    lsda: new Uint32Array(ROWS),
  }
  const encode = () => {
    const plan = planUnwindInfo(rows, 'arm64')
    const bytes = new Uint8Array(plan.size)
    writeUnwindInfo(plan, bytes, 0, new Uint32Array(1), rows.lsda)
    return bytes
  }
  const bytes = encode()
  return [
    { name: 'unwind info, encode', amount: `${ROWS} rows`, run: encode },
    { name: 'unwind info, decode', amount: `${ROWS} rows`, run: () => decodeUnwindInfo(bytes) },
  ]
}

function hashTasks(): Task[] {
  const bytes = new Uint8Array(HASHED_BYTES).map((_, i) => Math.imul(i, 0x9e3779b1) >>> 24)
  const digests = new Uint8Array((HASHED_BYTES / PAGE) * 32)
  const host = createNodeHost()
  const pages = (hash: typeof sha256Into) => () => {
    for (let page = 0; page < HASHED_BYTES / PAGE; page++)
      hash(bytes, page * PAGE, (page + 1) * PAGE, digests, page * 32)
  }
  const amount = `${HASHED_BYTES >> 20} MiB in pages of ${PAGE >> 10} KiB`
  return [
    { name: "SHA-256, the platform's", amount, run: pages(host.sha256.bind(host)) },
    { name: 'SHA-256, in JavaScript', amount, run: pages(sha256Into) },
  ]
}

/** Each task's input is made here, once. */
export function kernelTasks(): Task[] {
  const table = names(ROWS)
  const offsets = pointerOffsets(ROWS)
  return [
    ...rebaseTasks(offsets),
    ...bindTasks(offsets, table),
    ...trieTasks(table),
    ...chainTasks(offsets, table),
    ...unwindTasks(),
    ...hashTasks(),
  ]
}
