// Names of local symbols lie in their object's string table; locals are written file by file, so the file is looked up once.
import type { Link } from '../../components/link.ts'
import { fileOfRow } from '../kernels/ranks.ts'

export interface LocalNames {
  /** Symbols first .. end belong to the file that is looked up. */
  first: number
  end: number
  file: number
  bytes: Uint8Array
  words: Uint32Array
  from: number
  to: number
}

export function localNames(link: Link): LocalNames {
  const { bytes, words } = link.arenas.list[0] ?? { bytes: new Uint8Array(0), words: new Uint32Array(0) }
  return { first: 0, end: 0, file: 0, bytes, words, from: 0, to: 0 }
}

/** Sets bytes[from, to) to the name of a local symbol. */
export function nextLocalName(link: Link, names: LocalNames, symbol: number): void {
  const { files } = link
  if (symbol < names.first || symbol >= names.end) {
    names.file = fileOfRow(link, symbol)
    names.first = files.Ranges.symbol[names.file]
    names.end = names.first + files.Ranges.symbols[names.file]
    const arena = link.arenas.list[files.Source.arena[names.file]]
    names.bytes = arena.bytes
    names.words = arena.words
  }
  const strings = files.Tables.strings[names.file]
  const end = strings + files.Tables.stringsSize[names.file]
  names.from = strings + names.words[files.Tables.nlist[names.file] / 4 + (symbol - names.first) * 4]
  names.to = names.from
  while (names.to < end && names.bytes[names.to] !== 0) names.to++
}
