// The blocks of an object that refer to some of its symbols, or to blocks that follow others.
import { BLOCK_FOLDED, BLOCK_FRAME, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { CONTENT_EH_FRAME } from '../../../components/sections.ts'
import { R_ADDEND } from '../../arch/arch.ts'
import {
  createSite,
  enterSection,
  type Landing,
  landInSection,
  type Site,
} from '../../../systems/kernels/references.ts'
import { contentSections } from './relocateFile.ts'

/** Rows of its symbols, and blocks of its own. */
export interface Referred {
  rows: readonly number[]
  followers: readonly number[]
}

/** The bit of a record that names a symbol: type:4, extern:1, length:2, pcrel:1, symbol:24. */
const EXTERN = 0x08000000

/** Live blocks with contents of which a relocation names one of the rows, or lands in one of the followers. */
export function referringBlocks(link: Link, file: number, { rows, followers }: Referred): Set<number> {
  const first = link.files.Ranges.symbol[file]
  const marks = new Uint8Array(link.files.Ranges.symbols[file])
  for (const row of rows) marks[row - first] = 1
  const led = new Set(followers)
  const landing: Landing = { block: 0, offset: 0 }
  const site = createSite()
  const refers = (offset: number, word: number): boolean => {
    if (word & EXTERN) return marks[word & 0xffffff] === 1
    if (led.size === 0 || link.arch.attributes[word >>> 28] & R_ADDEND) return false
    return landInSection(link, site, word, offset, landing) && led.has(landing.block)
  }
  const found = new Set<number>()
  for (const section of contentSections(link, file)) {
    if (link.sections.Relocations.count[section] === 0) continue
    enterSection(site, link, section)
    addReferring(link, site, section, refers, found)
  }
  return found
}

function addReferring(
  link: Link,
  { words, records }: Site,
  section: number,
  refers: (offset: number, word: number) => boolean,
  found: Set<number>,
): void {
  const { flags } = link.blocks.Extent
  const { first: firstRecord, count } = link.blocks.Relocations
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  for (let block = first; block < end; block++) {
    if (count[block] === 0 || (flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    const last = records + (firstRecord[block] + count[block]) * 2
    for (let at = records + firstRecord[block] * 2; at < last; at += 2) {
      if (!refers(words[at], words[at + 1])) continue
      found.add(block)
      break
    }
  }
}

/** Whether frames of the object are in the image: those refer to blocks without relocations. */
export function hasFrames(link: Link, file: number): boolean {
  const { section, sections } = link.files.Ranges
  const { first, count } = link.sections.Blocks
  for (let at = section[file]; at < section[file] + sections[file]; at++) {
    if (link.sections.Header.content[at] !== CONTENT_EH_FRAME) continue
    for (let block = first[at]; block < first[at] + count[at]; block++)
      if (link.blocks.Extent.flags[block] & BLOCK_FRAME) return true
  }
  return false
}
