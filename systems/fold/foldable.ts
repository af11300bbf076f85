// Which sections -icf folds: code, language-specific tables, and records that relocations describe (ld64.lld 22).
import type { Link } from '../../components/link.ts'
import { CONTENT_RECORDS, CONTENT_REGULAR } from '../../components/sections.ts'
import * as macho from '../../src/formats/macho/constants.ts'

export function isFoldableSection(link: Link, section: number): boolean {
  const { content, flags, name } = link.sections.Header
  if (content[section] === CONTENT_RECORDS) return true
  if (content[section] !== CONTENT_REGULAR || (flags[section] & macho.SECTION_TYPE) !== macho.S_REGULAR) return false
  if ((flags[section] & macho.SECTION_ATTRIBUTES_USR) >>> 0 === macho.S_ATTR_PURE_INSTRUCTIONS) return true
  if (link.sectionNames.segments[name[section]] !== '__TEXT') return false
  const text = link.sectionNames.sections[name[section]]
  return text === '__gcc_except_tab' || text === '__StaticInit' || text === '__textcoal_nt'
}
