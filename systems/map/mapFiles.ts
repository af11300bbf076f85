// The numbered files of the map: objects that define something and libraries that something is bound to, by command line.
import { fileText, type Link } from '../../components/link.ts'
import { CONTENT_CSTRING } from '../../components/sections.ts'
import type { MapSymbols } from './mapSymbols.ts'
import { prevails } from './mapSymbols.ts'

/** Numbers from 1, by file id and by index of dylib; 0 is the linker itself. */
export interface MapFiles {
  texts: string[]
  files: Map<number, number>
  dylibs: Map<number, number>
}

export function numberFiles(link: Link, symbols: MapSymbols): MapFiles {
  const numbered: MapFiles = { texts: ['linker synthesized'], files: new Map(), dylibs: new Map() }
  const { rank } = link.files.Order
  const places: { rank: number; file: number; dylib: number }[] = []
  const tentative = new Set(symbols.file)
  for (const file of link.order)
    if (tentative.has(file) || isReferenced(link, file)) places.push({ rank: rank[file], file, dylib: -1 })
  link.dylibs.forEach((dylib, index) => {
    if (dylib.referenced > 0) places.push({ rank: dylib.rank, file: 0, dylib: index })
  })
  places.sort((a, b) => a.rank - b.rank)
  for (const { file, dylib } of places) {
    const text = dylib < 0 ? fileText(link, file) : link.dylibs[dylib].path
    const number = numbered.texts.push(text) - 1
    if (dylib < 0) numbered.files.set(file, number)
    else numbered.dylibs.set(dylib, number)
  }
  return numbered
}

function isReferenced(link: Link, file: number): boolean {
  const { Ranges } = link.files
  const { Header, Blocks } = link.sections
  for (let section = Ranges.section[file]; section < Ranges.section[file] + Ranges.sections[file]; section++)
    if (Header.content[section] === CONTENT_CSTRING && Blocks.count[section] > 0) return true
  for (let symbol = Ranges.symbol[file]; symbol < Ranges.symbol[file] + Ranges.symbols[file]; symbol++)
    if (prevails(link, symbol)) return true
  return false
}
