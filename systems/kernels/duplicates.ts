// Strong definitions that collide, told with the files they are in.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import { FILE_INTERNAL } from '../../components/files.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { NAME_LIVE } from '../../components/names.ts'
import { error } from '../../src/core/messages.ts'
import { shownName } from './places.ts'
import { fileOfRow, fileOfSymbol } from './ranks.ts'
import { sourceText } from './sources.ts'

/** With `liveOnly` (--dead-strip-duplicates, after strip) those are forgiven whose winner is dead. */
export function reportDuplicates(link: Link, liveOnly = false): void {
  const { duplicates } = link
  for (let i = 0; i < duplicates.length; i += 3) {
    if (liveOnly && !isLive(link, duplicates[i])) continue
    const places = [duplicates[i + 1], duplicates[i + 2]].map((symbol) => `defined in ${definition(link, symbol)}`)
    const symbol = shownName(link, duplicates[i])
    const place = locate(link, definer(link, duplicates[i + 2]), { symbol })
    error(link.messages, 'duplicate-symbol', `duplicate symbol: ${symbol}`, place, places)
  }
}

/** The file, below the source line where the object has one. */
function definition(link: Link, symbol: number): string {
  const { block, offset } = link.symbols.Definition
  const file = fileText(link, definer(link, symbol))
  const source = block[symbol] === 0 ? '' : sourceText(link, block[symbol], offset[symbol])
  return source === '' ? file : `${source}\n>>>${' '.repeat(12)}${file}`
}

function definer(link: Link, symbol: number): number {
  const file = fileOfRow(link, symbol)
  return link.files.Source.kind[file] === FILE_INTERNAL ? fileOfSymbol(link, symbol) : file
}

function isLive(link: Link, name: number): boolean {
  const { symbol, flags } = link.names.Resolution
  const block = link.symbols.Definition.block[symbol[name]]
  return block === 0 ? (flags[name] & NAME_LIVE) !== 0 : (link.blocks.Extent.flags[block] & BLOCK_LIVE) !== 0
}
