// Messages about relocations that cannot be linked, in ld64.lld's words; each with file, section, offset and symbol.
import { nameText } from '../../components/internal.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { R_BYTE4, R_BYTE8, R_KNOWN, R_LOCAL, R_ADDEND, R_TLV } from '../../src/arch/arch.ts'
import { error } from '../../src/core/messages.ts'
import { placeText, relocationName, shownText, symbolText } from '../kernels/places.ts'
import { type Site, wantsDistance } from '../kernels/references.ts'

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
  const length = (word >>> 25) & 3
  if (pcrel !== wantsDistance(is, length))
    badRelocation(link, site, record, `must ${pcrel ? 'not ' : ''}be PC-relative`)
  const allowed = (is & R_BYTE4 ? 1 : 0) | (is & R_BYTE8 ? 2 : 0)
  if (length < 2 || (allowed & (length - 1)) === 0)
    badRelocation(link, site, record, `has width ${1 << length} bytes, but must be ${WIDTHS[allowed]} bytes`)
}

/** A thread-local variable is reached through TLV relocations, and nothing else is. */
export function badThreadLocal(link: Link, site: Site, record: number, block: number): void {
  const word = site.words[site.records + record * 2 + 1]
  const wants = (link.arch.attributes[word >>> 28] & R_TLV) !== 0
  const symbol = symbolText(link, site.file, site.firstSymbol + (word & 0xffffff))
  const section = link.sections.Header.name[site.section]
  const place = locate(link, site.file, {
    section: link.sectionNames.sections[section],
    symbol,
    offset: recordOffset(link, site, record),
  })
  const where = placeText(link, block, site.words[site.records + record * 2] - link.blocks.Extent.offset[block])
  const what = `requires that symbol ${shownText(link, symbol)} ${wants ? '' : 'not '}be thread-local`
  error(link.messages, 'bad-thread-local', `${where}: ${relocationName(link, word >>> 28)} relocation ${what}`, place)
}

/** -init_offsets leaves no pointers in __mod_init_func that code could refer to. */
export function badInitializer(link: Link, site: Site, record: number, block: number, symbol: number): void {
  const name = symbolText(link, site.file, symbol)
  const where = placeText(link, block, site.words[site.records + record * 2] - link.blocks.Extent.offset[block])
  const text = `${where}: cannot reference ${shownText(link, name)} defined in __mod_init_func when -init_offsets is used`
  error(
    link.messages,
    'initializer-reference',
    text,
    locate(link, site.file, { symbol: name, offset: recordOffset(link, site, record) }),
  )
}

/** struct tlv_descriptor: thunk (always _tlv_bootstrap) at 0, key (dyld's, 0 in the file) at 8, place in the template at 16. */
const DESCRIPTOR_SIZE = 24
const DESCRIPTOR_THUNK = 0
const DESCRIPTOR_PLACE = 16

export function checkDescriptor(link: Link, site: Site, block: number, record: number): void {
  const at = site.words[site.records + record * 2]
  const word = site.words[site.records + record * 2 + 1]
  const field = at % DESCRIPTOR_SIZE
  const whole =
    link.blocks.Extent.offset[block] % DESCRIPTOR_SIZE === 0 && link.blocks.Extent.size[block] % DESCRIPTOR_SIZE === 0
  if (
    !whole ||
    (field !== DESCRIPTOR_THUNK && field !== DESCRIPTOR_PLACE) ||
    word >>> 28 !== 0 ||
    ((word >>> 25) & 3) !== 3
  )
    return badRelocation(link, site, record, 'is not that of a thread-local descriptor')
  const number = word & 0xffffff
  if (field === DESCRIPTOR_PLACE) {
    const external = (word & 0x08000000) !== 0 && number < site.symbolCount
    if (external && link.symbols.Reference.target[site.firstSymbol + number] & TARGET_IMPORT)
      badRelocation(link, site, record, 'puts a thread-local variable into another image')
    return
  }
  const name =
    word & 0x08000000 && number < site.symbolCount ? link.symbols.Definition.name[site.firstSymbol + number] : 0
  if (name === 0 || nameText(link, name) !== '__tlv_bootstrap')
    badRelocation(link, site, record, 'makes a thread-local descriptor without __tlv_bootstrap')
  if (
    site.view.getUint32(site.contents + at + 8, true) !== 0 ||
    site.view.getUint32(site.contents + at + 12, true) !== 0
  )
    badRelocation(link, site, record, 'belongs to a thread-local descriptor whose key is not 0')
}
