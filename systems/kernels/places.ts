// How messages name what they are about: a place in an input section, a symbol, a relocation.
import { nameText } from '../../components/internal.ts'
import { fileText, type Link } from '../../components/link.ts'
import { SYMBOL_DEFINED, SYMBOL_OMITTED } from '../../components/symbols.ts'
import { toText } from '../../src/core/bytes.ts'

/** `file.o:(symbol _main+0x4)`, as ld64.lld names a place. */
export function placeText(link: Link, block: number, offset: number): string {
  const { Extent } = link.blocks
  const { Definition } = link.symbols
  const file = link.sections.Header.file[Extent.section[block]]
  const first = link.files.Ranges.symbol[file]
  let best = 0
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
    if (
      Definition.block[symbol] !== block ||
      (Definition.flags[symbol] & SYMBOL_DEFINED) === 0 ||
      Definition.offset[symbol] > offset
    )
      continue
    const better = best === 0 || Definition.offset[symbol] > Definition.offset[best]
    if (better || (Definition.offset[symbol] === Definition.offset[best] && Definition.flags[best] & SYMBOL_OMITTED))
      best = symbol
  }
  if (best === 0) {
    const section = link.sectionNames.sections[link.sections.Header.name[Extent.section[block]]]
    return `${fileText(link, file)}:(${section}+0x${(Extent.offset[block] + offset).toString(16)})`
  }
  return `${fileText(link, file)}:(symbol ${symbolText(link, file, best)}+0x${(offset - Definition.offset[best]).toString(16)})`
}

/** Name of a symbol row of an object, external or local. */
export function symbolText(link: Link, file: number, symbol: number): string {
  const name = link.symbols.Definition.name[symbol]
  if (name !== 0) return nameText(link, name)
  const { files } = link
  const { bytes, words } = link.arenas.list[files.Source.arena[file]]
  const strx = words[files.Tables.nlist[file] / 4 + (symbol - files.Ranges.symbol[file]) * 4]
  const start = files.Tables.strings[file] + strx
  let end = start
  while (end < files.Tables.strings[file] + files.Tables.stringsSize[file] && bytes[end] !== 0) end++
  return toText(bytes, start, end)
}

export function relocationName(link: Link, type: number): string {
  return link.arch.relocationNames[type] ?? `relocation type ${type}`
}
