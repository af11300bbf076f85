// Which strings share a section.
import type { Link } from '../../components/link.ts'
import { CONTENT_CSTRING } from '../../components/sections.ts'

/** Strings of all sections stand in __cstring, but for selectors, and unless sections are to stay separate (ld64.lld). */
export function isCommonString(link: Link, section: number): boolean {
  const { content, name } = link.sections.Header
  if (content[section] !== CONTENT_CSTRING || link.settings.separateCstringLiterals) return false
  return link.sectionNames.sections[name[section]] !== '__objc_methname'
}
