// Rows of the symbol table of what the image defines, and their names: a chunk is the private externals, then a few files' locals, then a
// range of the externals.
// With threads the places of the locals' names are known before.
import { helpers } from '../../src/core/pool.ts'
import { memory } from '../../components/columns.ts'
import type { ExternalNames, Link } from '../../components/link.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_OMITTED } from '../../components/symbols.ts'
import { ByteSink } from '../../src/core/bytes.ts'
import { NLIST_SIZE } from '../../src/formats/macho/constants.ts'
import { LOCALS_LOST } from '../kernels/localNames.ts'
import { tablesOf } from '../kernels/symbolTables.ts'
import { defineExternals, defineLocals, nameExternals } from './defined.ts'
import { addOwnNames } from './localNames.ts'
import { nameLocals } from './names.ts'

const NLIST_WORDS = NLIST_SIZE / 4
const FILES_A_CHUNK = 64
const EXTERNALS_A_CHUNK = 0x4000

export interface RowJob {
  /** The loaded objects in order, then the linker's own, whose locals have names of their own. */
  files: Uint32Array
  step: number
  /** Chunks of files; one of private externals comes before, those of externals come behind. */
  fileChunks: number
  chunks: number
  padded: boolean
  locals: Uint32Array
  externals: Uint32Array
  byRow: Uint32Array
  externalNames: ExternalNames
  /** By file: bytes of its locals' names, then where they begin; null where they are written one behind the other, before. */
  names: Uint32Array | null
  /** The table, where locals and externals begin in it, the string table, and where the names of externals begin there. */
  words: Uint32Array
  localsAt: number
  /** Private externals, the word of their first row, and where their names begin; -1 where they have been written before. */
  hidden: Uint32Array
  hiddenAt: number
  hiddenNames: number
  externalsAt: number
  strings: Uint8Array
  externalStrings: number
}

export function createRowJob(link: Link): RowJob {
  const { locals, externals, byRow, externalNames, externalCount } = link.table
  const files = new Uint32Array(link.order.length + 1).fill(link.internal.file)
  files.set(link.order)
  const fileChunks = Math.ceil(files.length / FILES_A_CHUNK)
  return {
    files,
    step: FILES_A_CHUNK,
    fileChunks,
    chunks: 1 + fileChunks + Math.ceil(externalCount / EXTERNALS_A_CHUNK),
    padded: link.settings.layout === 'padded',
    locals,
    externals,
    byRow,
    externalNames,
    names: helpers(link.pool) === 0 ? null : new Uint32Array(memory(files.length * 4, link.arenas.shared)),
    words: new Uint32Array(0),
    localsAt: 0,
    hidden: new Uint32Array(0),
    hiddenAt: 0,
    hiddenNames: -1,
    externalsAt: 0,
    strings: new Uint8Array(0),
    externalStrings: 0,
  }
}

/** Fills `names` with sizes. Out of string tables names are copied to be measured: that costs little more, and needs no other loop. */
export function measureNameChunks(link: Link, job: RowJob, take: () => number): void {
  const { files, step } = job
  const scratch = new ByteSink(0)
  let words = new Uint32Array(0)
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * step, files.length)
    for (let i = chunk * step; i < end; i++) {
      const known = knownSize(link, files[i])
      const rows = link.files.Rows.locals[files[i]]
      if (known < 0 && words.length < rows * NLIST_WORDS) words = new Uint32Array(rows * NLIST_WORDS * 2)
      scratch.length = 0
      if (known < 0) nameFile(link, job, files[i], words, 0, scratch)
      job.names![i] = known < 0 ? scratch.length : known
    }
  }
}

/** Where the file's names lie side by side and all of them are listed; -1 elsewhere. */
function knownSize(link: Link, file: number): number {
  const { Ranges, Rows, Tables } = link.files
  if (tablesOf(link, file).words.length > 0 || Tables.localsSize[file] === LOCALS_LOST) return -1
  const { flags } = link.symbols.Definition
  const end = Ranges.symbol[file] + Ranges.symbols[file]
  let kept = 0
  for (let symbol = Ranges.symbol[file]; symbol < end; symbol++)
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_OMITTED | SYMBOL_EXTERNAL)) === SYMBOL_DEFINED) kept++
  return kept === Rows.locals[file] ? Tables.localsSize[file] : -1
}

/** Adds the names of a file's locals; `at` is the word of its first row. */
export function nameFile(
  link: Link,
  { files, locals, padded }: RowJob,
  file: number,
  words: Uint32Array,
  at: number,
  strings: ByteSink,
): void {
  const from = link.files.Rows.local[file]
  const to = from + link.files.Rows.locals[file]
  if (padded || file === files[files.length - 1]) nameLocals(link, locals, words, at, strings, from, to)
  else if (to > from) addOwnNames(link, locals, words, at, strings, file, from, to)
}

export function rowChunks(link: Link, job: RowJob, take: () => number): void {
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    if (chunk > job.fileChunks) writeExternals(link, job, (chunk - 1 - job.fileChunks) * EXTERNALS_A_CHUNK)
    else if (chunk > 0) writeFiles(link, job, (chunk - 1) * job.step)
    else if (job.hiddenNames >= 0) writeHidden(link, job, job.words, stringsAt(job, job.hiddenNames))
  }
}

function stringsAt({ strings }: RowJob, length: number): ByteSink {
  const sink = new ByteSink(0)
  sink.bytes = strings
  sink.length = length
  return sink
}

export function writeHidden(link: Link, { hidden, hiddenAt }: RowJob, words: Uint32Array, strings: ByteSink): void {
  nameLocals(link, hidden, words, hiddenAt, strings, 0, hidden.length)
  defineLocals(link, words, hiddenAt, hidden, hidden.length)
}

function writeFiles(link: Link, job: RowJob, first: number): void {
  const { files, names, words, locals } = job
  const { Rows } = link.files
  const strings = stringsAt(job, 0)
  const end = Math.min(first + job.step, files.length)
  for (let i = first; i < end; i++) {
    const from = Rows.local[files[i]]
    const at = job.localsAt + from * NLIST_WORDS
    if (names !== null) {
      strings.length = names[i]
      nameFile(link, job, files[i], words, at, strings)
    }
    const count = Rows.locals[files[i]]
    defineLocals(link, words, at, locals.subarray(from, from + count), count)
  }
  if (strings.bytes !== job.strings) throw new Error('writeSymtab: names take more than was measured')
}

/** The names are gathered already and go into the string table as they are. */
function writeExternals(link: Link, job: RowJob, from: number): void {
  const { words, externalsAt, externals, byRow, externalNames, strings, externalStrings } = job
  const { bytes, offset } = externalNames
  const end = Math.min(from + EXTERNALS_A_CHUNK, externals.length)
  const to = end < externals.length ? offset[end] : bytes.length
  strings.set(bytes.subarray(from === 0 ? 0 : offset[from], to), externalStrings + (from === 0 ? 0 : offset[from]))
  nameExternals(words, externalsAt, externalStrings, offset, from, end)
  defineExternals(link, words, externalsAt, externals, byRow, from, end)
}
