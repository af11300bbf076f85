// Which input sections Objective-C is about, decided once for each distinct section name.
import type { Link } from '../../components/link.ts'
import { CONTENT_ZEROFILL } from '../../components/sections.ts'

export const KIND_OTHER = 0
export const KIND_SELECTOR_REFERENCES = 1
export const KIND_METHOD_NAMES = 2
export const KIND_CATEGORY_LIST = 3
export const KIND_IMAGE_INFO = 4
/** `__objc_const` and whatever else may hold method lists. */
export const KIND_DATA = 5

/** Kinds by section name id; null when no input has an Objective-C section. */
export function sectionKinds(link: Link): Uint8Array | null {
  const { sections, segments, count } = link.sectionNames
  const kinds = new Uint8Array(count + 1)
  let any = false
  for (let name = 1; name <= count; name++) {
    kinds[name] = kindOf(segments[name], sections[name])
    if (kinds[name] !== KIND_OTHER) any = true
  }
  return any ? kinds : null
}

function kindOf(segment: string, section: string): number {
  if (!section.startsWith('__objc_') || section === '__objc_stubs') return KIND_OTHER
  if (section === '__objc_methname') return segment === '__TEXT' ? KIND_METHOD_NAMES : KIND_OTHER
  if (section === '__objc_imageinfo') return segment === '__DATA' ? KIND_IMAGE_INFO : KIND_OTHER
  if (section === '__objc_selrefs') return KIND_SELECTOR_REFERENCES
  if (section === '__objc_catlist') return KIND_CATEGORY_LIST
  return segment === '__TEXT' ? KIND_OTHER : KIND_DATA
}

/** Calls `visit` with each section of loaded objects whose name is of `kind`, in command-line order. */
export function eachSection(
  link: Link,
  kinds: Uint8Array,
  kind: number,
  visit: (section: number, file: number) => void,
): void {
  const { files, sections } = link
  for (const file of link.order) {
    const first = files.Ranges.section[file]
    for (let section = first; section < first + files.Ranges.sections[file]; section++)
      if (kinds[sections.Header.name[section]] === kind && sections.Header.content[section] !== CONTENT_ZEROFILL)
        visit(section, file)
  }
}
