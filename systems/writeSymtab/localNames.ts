// Names of local symbols lie in their object's string table; locals are written file by file, so the file is looked up once.
import type { Link } from '../../components/link.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_OMITTED } from '../../components/symbols.ts'
import type { ByteSink } from '../../src/core/bytes.ts'
import { NLIST_SIZE } from '../../src/formats/macho/constants.ts'
import { fileOfRow } from '../kernels/ranks.ts'
import { tablesOf } from '../kernels/symbolTables.ts'

const NLIST_WORDS = NLIST_SIZE / 4

/**
 * Adds the names of locals[from, end) to the strings as far as they are of one object, and their places to the rows from word `at`
 * on. Returns the index of the first local of another object, or with a name of its own.
 */
export function addLocalNames(
  link: Link,
  locals: Uint32Array,
  words: Uint32Array,
  at: number,
  strings: ByteSink,
  from: number,
  end: number,
): number {
  const { symbol, symbols } = link.files.Ranges
  const { name } = link.symbols.Definition
  const file = fileOfRow(link, locals[from])
  const first = symbol[file]
  const last = first + symbols[file]
  let to = from + 1
  while (to < end && locals[to] >= first && locals[to] < last && name[locals[to]] === 0) to++
  addOwnNames(link, locals, words, at, strings, file, from, to)
  return to
}

/** The same of locals[from, to), all of which are the file's and have no names of their own. */
export function addOwnNames(
  link: Link,
  locals: Uint32Array,
  words: Uint32Array,
  at: number,
  strings: ByteSink,
  file: number,
  from: number,
  to: number,
): void {
  const { Ranges, Tables } = link.files
  const arena = tablesOf(link, file)
  if (arena.words.length === 0) return copyKept(link, locals, file, from, to, strings, words, at)
  const start = Tables.strings[file]
  const end = start + Tables.stringsSize[file]
  const texts = { bytes: arena.bytes, view: arena.view, words: arena.words, start, end }
  const nlist = Tables.nlist[file] / 4 - Ranges.symbol[file] * NLIST_WORDS
  copyNames(texts, nlist, locals, from, to, strings, words, at)
}

/** A string table: bytes[start, end), and the words in which the nlist records lie. */
interface Texts {
  bytes: Uint8Array
  view: DataView
  words: Uint32Array
  start: number
  end: number
}

function copyNames(
  texts: Texts,
  nlist: number,
  locals: Uint32Array,
  from: number,
  to: number,
  strings: ByteSink,
  words: Uint32Array,
  at: number,
): void {
  const { bytes, view, words: records, start, end } = texts
  let target = strings.bytes
  let room = viewOf(target)
  let place = strings.length
  for (let i = from; i < to; i++, at += NLIST_WORDS) {
    words[at] = place
    const source = start + records[nlist + locals[i] * NLIST_WORDS]
    // Symbols may share their names, or have a part of another one.
    if (place + end - source >= target.length) {
      target = grow(strings, place, end - source + 1)
      room = viewOf(target)
    }
    place = copyString(bytes, view, source, end, target, room, place)
    target[place++] = 0
  }
  strings.length = place
}

/** Four bytes at a time as long as none of them is NUL; returns the place behind the copy. */
function copyString(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
  target: Uint8Array,
  room: DataView,
  to: number,
): number {
  for (; from + 4 <= end; from += 4, to += 4) {
    const four = view.getInt32(from, true)
    if (((four - 0x01010101) & ~four & 0x80808080) !== 0) break
    room.setInt32(to, four, true)
  }
  for (; from < end && bytes[from] !== 0; from++) target[to++] = bytes[from]
  return to
}

/** Out of the names of all locals of the file, in the order of its symbols: those that are not in the output are passed over. */
function copyKept(
  link: Link,
  locals: Uint32Array,
  file: number,
  from: number,
  to: number,
  strings: ByteSink,
  words: Uint32Array,
  at: number,
): void {
  const { flags } = link.symbols.Definition
  const { bytes, view } = link.arenas.list[link.arenas.locals]
  const size = link.files.Tables.localsSize[file]
  const end = link.files.Tables.locals[file] + size
  strings.reserve(size)
  const target = strings.bytes
  const room = viewOf(target)
  let symbol = link.files.Ranges.symbol[file]
  let source = link.files.Tables.locals[file]
  let place = strings.length
  for (let i = from; i < to; i++, at += NLIST_WORDS) {
    for (; symbol < locals[i]; symbol++)
      if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_OMITTED | SYMBOL_EXTERNAL)) === SYMBOL_DEFINED)
        source = bytes.indexOf(0, source) + 1
    words[at] = place
    const next = copyString(bytes, view, source, end, target, room, place)
    source += next - place + 1
    place = next
    target[place++] = 0
    symbol++
  }
  strings.length = place
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function grow(strings: ByteSink, place: number, room: number): Uint8Array {
  strings.length = place
  strings.reserve(room)
  return strings.bytes
}
