// Messages about relocations that cannot be linked, in ld64.lld's words; each with file, section, offset and symbol.
import { nameText } from '../../components/internal.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { R_BYTE4, R_BYTE8, R_KNOWN, R_LOCAL, R_ADDEND, R_PCREL, R_TLV } from '../../src/arch/arch.ts'
import { error } from '../../src/core/messages.ts'
import { relocationName } from '../kernels/places.ts'
import type { Site } from '../kernels/references.ts'

/** `SEG,SECT in FILE` */
function sectionText(link: Link, site: Site): string {
  const name = link.sections.Header.name[site.section]
  return `${link.sectionNames.segments[name]},${link.sectionNames.sections[name]} in ${fileText(link, site.file)}`
}

function recordOffset(link: Link, site: Site, record: number): number {
  return (site.records + record * 2) * 4 - link.files.Source.position[site.file]
}

export function badRelocation(link: Link, site: Site, record: number, what: string, symbol?: string): void {
  const type = site.words[site.records + record * 2 + 1] >>> 28
  const at = site.words[site.records + record * 2]
  const name = link.sections.Header.name[site.section]
  const place = locate(link, site.file, {
    section: `${link.sectionNames.segments[name]},${link.sectionNames.sections[name]}`,
    offset: recordOffset(link, site, record),
  })
  if (symbol !== undefined) place.symbol = symbol
  error(
    link.messages,
    'bad-relocation',
    `${relocationName(link, type)} relocation ${what} at offset ${at} of ${sectionText(link, site)}`,
    place,
  )
}

const WIDTHS = ['0', '4', '8', '4 or 8']

/** Says what is wrong with the form of a record that relocationForms refuses. */
export function badForm(link: Link, site: Site, record: number): void {
  const word = site.words[site.records + record * 2 + 1]
  const is = link.arch.attributes[word >>> 28]
  if ((is & R_KNOWN) === 0) return badRelocation(link, site, record, 'is not a relocation of this architecture')
  if ((word & 0x08000000) === 0 && (is & (R_LOCAL | R_ADDEND)) === 0)
    badRelocation(link, site, record, 'must be extern')
  const pcrel = (word & 0x01000000) !== 0
  if (pcrel !== ((is & R_PCREL) !== 0)) badRelocation(link, site, record, `must ${pcrel ? 'not ' : ''}be PC-relative`)
  const length = (word >>> 25) & 3
  const allowed = (is & R_BYTE4 ? 1 : 0) | (is & R_BYTE8 ? 2 : 0)
  if (length < 2 || (allowed & (length - 1)) === 0)
    badRelocation(link, site, record, `has width ${1 << length} bytes, but must be ${WIDTHS[allowed]} bytes`)
}

/** A thread-local variable is reached through TLV relocations, and nothing else is. */
export function badThreadLocal(link: Link, site: Site, record: number, name: number): void {
  const type = site.words[site.records + record * 2 + 1] >>> 28
  const wants = (link.arch.attributes[type] & R_TLV) !== 0
  const text = `${relocationName(link, type)} relocation requires that symbol ${nameText(link, name)} ${wants ? '' : 'not '}be thread-local`
  const section = link.sections.Header.name[site.section]
  const place = locate(link, site.file, {
    section: link.sectionNames.sections[section],
    symbol: nameText(link, name),
    offset: recordOffset(link, site, record),
  })
  error(
    link.messages,
    'bad-thread-local',
    `${text} at offset ${site.words[site.records + record * 2]} of ${sectionText(link, site)}`,
    place,
  )
}
