// Messages about relocations that do not fit, in ld64.lld's words.
import { type Link, locate } from '../../components/link.ts'
import {
  APPLY_BAD_INSTRUCTION,
  APPLY_MISALIGNED,
  APPLY_OUT_OF_RANGE,
  R_PAGE,
  R_PCREL,
  R_TLV,
} from '../../src/arch/arch.ts'
import { accessPow2 } from '../../src/arch/arm64.ts'
import { error } from '../../src/core/messages.ts'
import { placeText, relocationName, shownText, symbolText } from '../kernels/places.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'

/** Relocations that failed, five numbers each: index in `sections`, record, value, result, P; each thread's in order. */
export function reportFailures(link: Link, sections: Uint32Array, failures: readonly number[]): void {
  const rows = Array.from({ length: failures.length / 5 }, (_, row) => row * 5)
  rows.sort((a, b) => failures[a] - failures[b] || a - b)
  const site = createSite()
  for (const row of rows) {
    enterSection(site, link, sections[failures[row]])
    reportFailure(link, site, failures[row + 1], failures[row + 2], failures[row + 3], failures[row + 4])
  }
}

function reportFailure(link: Link, site: Site, i: number, value: number, result: number, P: number): void {
  const word = site.words[site.records + i * 2 + 1]
  const type = word >>> 28
  const symbol = word & 0x08000000 ? symbolText(link, site.file, site.firstSymbol + (word & 0xffffff)) : ''
  const section = link.sections.Header.name[site.section]
  const place = locate(link, site.file, {
    section: `${link.sectionNames.segments[section]},${link.sectionNames.sections[section]}`,
    offset: (site.records + i * 2) * 4 - link.files.Source.position[site.file],
  })
  if (symbol !== '') place.symbol = symbol
  const where = wherePlaced(link, site, i)
  const what =
    result === APPLY_MISALIGNED ? misaligned(link, site, i, value, symbol) : whatFailed(link, type, value, result, P)
  const target = symbol === '' || result === APPLY_MISALIGNED ? '' : `; references ${shownText(link, symbol)}`
  const text = result === APPLY_BAD_INSTRUCTION ? `${what} at ${where}${target}` : `${where}: ${what}${target}`
  error(link.messages, 'relocation-failed', text, place)
}

function wherePlaced(link: Link, site: Site, i: number): string {
  const offset = site.words[site.records + i * 2]
  const first = link.sections.Blocks.first[site.section]
  let block = first
  for (let b = first; b < first + link.sections.Blocks.count[site.section]; b++)
    if (link.blocks.Extent.offset[b] <= offset) block = b
  return placeText(link, block, offset - link.blocks.Extent.offset[block])
}

/** Of arm64's loads and stores, whose relocations all name a symbol. */
function misaligned(link: Link, site: Site, i: number, value: number, symbol: string): string {
  const bytes = 1 << accessPow2(site.view.getUint32(site.contents + site.words[site.records + i * 2], true))
  const address = `0x${value.toString(16).toUpperCase()}`
  return `${bytes * 8}-bit LDR/STR to ${address} (${shownText(link, symbol)}) is not ${bytes}-byte aligned`
}

function whatFailed(link: Link, type: number, value: number, result: number, P: number): string {
  const name = relocationName(link, type)
  if (result === APPLY_BAD_INSTRUCTION)
    return `${link.arch.attributes[type] & R_TLV ? 'TLV' : name} reloc requires MOVQ instruction`
  if (result !== APPLY_OUT_OF_RANGE) return `${name} relocation does not fit a chained fixup: 0x${value.toString(16)}`
  const is = link.arch.attributes[type]
  const distance =
    is & R_PAGE
      ? (Math.floor(value / 4096) - Math.floor(P / 4096)) * 4096
      : is & R_PCREL
        ? value - P - (link.arch.name === 'x86_64' ? 4 + link.arch.pcOffsets[type] : 0)
        : value
  const { low, high } = link.arch.range(type)
  return `relocation ${name} is out of range: ${distance} is not in [${low}, ${high}]`
}
