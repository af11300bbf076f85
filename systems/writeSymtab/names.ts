// Names of rows of the symbol table, added to its strings.
import type { Link } from '../../components/link.ts'
import type { ByteSink } from '../../src/core/bytes.ts'
import { NLIST_SIZE } from '../../src/formats/macho/constants.ts'
import { addLocalNames } from './localNames.ts'

const NLIST_WORDS = NLIST_SIZE / 4

/** Names locals[from, to), as link.table has them: of their rows, from word `at` on, only the names are written. */
export function nameLocals(
  link: Link,
  locals: Uint32Array,
  words: Uint32Array,
  at: number,
  strings: ByteSink,
  from: number,
  to: number,
): void {
  const { name } = link.symbols.Definition
  for (let i = from; i < to; ) {
    const row = at + (i - from) * NLIST_WORDS
    if (name[locals[i]] === 0) i = addLocalNames(link, locals, words, row, strings, i, to)
    else words[row] = addName(link, strings, name[locals[i++]])
  }
}

/** Bytes of the names of rows that have one, each with a NUL. */
export function measureNames({ names, symbols }: Link, rows: Uint32Array): number {
  const { length } = names.Text
  const { name } = symbols.Definition
  let size = rows.length
  for (let i = 0; i < rows.length; i++) size += length[name[rows[i]]]
  return size
}

/** Copies a name's bytes and a NUL; returns where it starts. */
export function addString(strings: ByteSink, bytes: Uint8Array, from: number, to: number): number {
  const start = strings.length
  strings.reserve(to - from + 1)
  const target = strings.bytes
  let at = start
  for (let i = from; i < to; i++) target[at++] = bytes[i]
  target[at++] = 0
  strings.length = at
  return start
}

export function addName(link: Link, strings: ByteSink, name: number): number {
  const { arena, offset, length } = link.names.Text
  return addString(strings, link.arenas.list[arena[name]].bytes, offset[name], offset[name] + length[name])
}
