// How often something leads to a block of a file with categories: what it is merged into must be what it was for all of it.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_EXTERNAL, TARGET_IMPORT } from '../../components/symbols.ts'
import { R_ADDEND } from '../../src/arch/arch.ts'
import { eachSection, KIND_CATEGORY_LIST } from '../kernels/objectiveCKinds.ts'
import { createSite, enterSection, isInside, type Landing, landInSection, type Site } from '../kernels/references.ts'

const SEVERAL = 2

/** By block: records of live blocks that lead to it, counted up to 2; other files may refer to what an external symbol names: 2. */
export function countReferences(link: Link, kinds: Uint8Array): Uint8Array {
  const references = new Uint8Array(link.blocks.count + 1)
  let last = 0
  eachSection(link, kinds, KIND_CATEGORY_LIST, (_, file) => {
    if (file === last) return
    last = file
    countRecords(link, file, references)
    countExternals(link, file, references)
  })
  return references
}

function countRecords(link: Link, file: number, references: Uint8Array): void {
  const { Extent, Relocations } = link.blocks
  const { block: starts, blocks } = link.files.Ranges
  const site = createSite()
  const landing: Landing = { block: 0, offset: 0 }
  for (let block = starts[file]; block < starts[file] + blocks[file]; block++) {
    if (!(Extent.flags[block] & BLOCK_LIVE) || Relocations.count[block] === 0) continue
    enterSection(site, link, Extent.section[block])
    for (let i = Relocations.first[block]; i < Relocations.first[block] + Relocations.count[block]; i++) {
      const target = targetBlock(link, site, i, landing)
      if (references[target] < SEVERAL) references[target]++
    }
  }
}

/** The block in this image that a record leads to, or 0. */
function targetBlock(link: Link, site: Site, record: number, landing: Landing): number {
  const word = site.words[site.records + record * 2 + 1]
  const number = word & 0xffffff
  if (link.arch.attributes[word >>> 28] & R_ADDEND) return 0
  if (word & 0x08000000) {
    const target = number < site.symbolCount ? link.symbols.Reference.target[site.firstSymbol + number] : 0
    return target & TARGET_IMPORT ? 0 : link.symbols.Definition.block[target]
  }
  if (number === 0 || number > site.sectionCount || !isInside(site, link, word, record)) return 0
  return landInSection(link, site, word, site.words[site.records + record * 2], landing) ? landing.block : 0
}

function countExternals(link: Link, file: number, references: Uint8Array): void {
  const { block, flags } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++)
    if (flags[symbol] & SYMBOL_EXTERNAL) references[block[symbol]] = SEVERAL
}
