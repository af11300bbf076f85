// `__llvm_addrsig` lists, by its relocations, the symbols whose addresses a file compares: -icf safe leaves their blocks alone.
import { BLOCK_ADDRESS_TAKEN } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'

export function markAddressTaken(link: Link): void {
  const { files, sections, sectionNames } = link
  const site = createSite()
  for (const file of link.order) {
    const first = files.Ranges.section[file]
    for (let section = first; section < first + files.Ranges.sections[file]; section++)
      if (sectionNames.sections[sections.Header.name[section]] === '__llvm_addrsig') markSection(link, site, section)
  }
}

function markSection(link: Link, site: Site, section: number): void {
  const { block } = link.symbols.Definition
  const { flags } = link.blocks.Extent
  const { leader } = link.blocks.Placement
  enterSection(site, link, section)
  for (let i = 0; i < link.sections.Relocations.count[section]; i++) {
    const word = site.words[site.records + i * 2 + 1]
    const number = word & 0xffffff
    if ((word & 0x08000000) === 0 || number >= site.symbolCount) continue
    const target = link.symbols.Reference.target[site.firstSymbol + number]
    const symbol = target & TARGET_IMPORT ? link.imports.Library.symbol[target & 0x7fffffff] : target
    const home = leader[block[symbol]] || block[symbol]
    if (home !== 0) flags[home] |= BLOCK_ADDRESS_TAKEN
  }
}
