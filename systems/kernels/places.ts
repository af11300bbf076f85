// How messages name what they are about: a place in an input section, a symbol, the source line behind it.
import { nameText } from '../../components/internal.ts'
import { fileText, type Link } from '../../components/link.ts'
import { SYMBOL_DEFINED } from '../../components/symbols.ts'
import { toText } from '../../src/core/bytes.ts'
import { demangle } from '../../src/core/demangle.ts'
import { sourceText } from './sources.ts'
import { lateName, tablesOf } from './symbolTables.ts'

/** A name as messages show it: demangled under -demangle. */
export function shownText(link: Link, text: string): string {
  return link.settings.demangle === true ? demangle(text) : text
}

export function shownName(link: Link, name: number): string {
  return shownText(link, nameText(link, name))
}

/** The last symbol of the block at or before `offset`, 0 where there is none; of several at one address the last in the file, as in ld64.lld. */
export function nearestSymbol(link: Link, block: number, offset: number): number {
  const { Definition } = link.symbols
  const file = link.sections.Header.file[link.blocks.Extent.section[block]]
  const first = link.files.Ranges.symbol[file]
  let best = 0
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
    if (
      Definition.block[symbol] !== block ||
      (Definition.flags[symbol] & SYMBOL_DEFINED) === 0 ||
      Definition.offset[symbol] > offset
    )
      continue
    if (best === 0 || Definition.offset[symbol] >= Definition.offset[best]) best = symbol
  }
  return best
}

/** `file.o:(symbol _main+0x4)`, as ld64.lld names a place. */
export function placeText(link: Link, block: number, offset: number): string {
  const { Extent } = link.blocks
  const file = link.sections.Header.file[Extent.section[block]]
  const best = nearestSymbol(link, block, offset)
  if (best === 0) {
    const section = link.sectionNames.sections[link.sections.Header.name[Extent.section[block]]]
    return `${fileText(link, file)}:(${section}+0x${(Extent.offset[block] + offset).toString(16)})`
  }
  const name = shownText(link, symbolText(link, file, best))
  return `${fileText(link, file)}:(symbol ${name}+0x${(offset - link.symbols.Definition.offset[best]).toString(16)})`
}

/** The source line in front where the object has one; the place then stands below it. */
export function placeLines(link: Link, block: number, offset: number, indent: string): string {
  const place = placeText(link, block, offset)
  const source = sourceText(link, block, offset)
  return source === '' ? place : `${source}\n>>>${indent}${place}`
}

/** Name of a symbol row of an object, external or local. */
export function symbolText(link: Link, file: number, symbol: number): string {
  const name = link.symbols.Definition.name[symbol]
  if (name !== 0) return nameText(link, name)
  const { files } = link
  const { bytes, words } = tablesOf(link, file)
  if (words.length === 0) return lateName(link, file, symbol - files.Ranges.symbol[file])
  const strx = words[files.Tables.nlist[file] / 4 + (symbol - files.Ranges.symbol[file]) * 4]
  const start = files.Tables.strings[file] + strx
  let end = start
  while (end < files.Tables.strings[file] + files.Tables.stringsSize[file] && bytes[end] !== 0) end++
  return toText(bytes, start, end)
}

/** The relocation's name without the architecture's prefix, as ld64.lld prints it. */
export function relocationName(link: Link, type: number): string {
  return link.arch.relocationNames[type]?.replace(/^(X86_64|ARM64)_RELOC_/, '') ?? `type ${type}`
}
