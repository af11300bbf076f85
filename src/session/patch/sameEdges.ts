// With -dead_strip what lives follows from what refers to what: every block must refer to what it referred to.
import type { Link } from '../../../components/link.ts'
import {
  createSite,
  enterSection,
  landInSection,
  type Landing,
  type Site,
} from '../../../systems/kernels/references.ts'

/** Whether the blocks of two versions of an object (as of `loadAlone`) refer to the same symbols and blocks. */
export function haveSameEdges(before: Link, after: Link): boolean {
  for (let section = 1; section <= before.files.Ranges.sections[1]; section++) {
    const first = before.sections.Blocks.first[section]
    const [old, now] = [createSite(), createSite()]
    enterSection(old, before, section)
    enterSection(now, after, section)
    for (let block = first; block < first + before.sections.Blocks.count[section]; block++)
      if (edgesOf(before, old, block) !== edgesOf(after, now, block)) return false
  }
  return true
}

const BLOCKS = 0x1000000

/** The targets, each once: symbols by their number, blocks by BLOCKS more than theirs. */
function edgesOf(link: Link, site: Site, block: number): string {
  const { first, count } = link.blocks.Relocations
  const landing: Landing = { block: 0, offset: 0 }
  const found = new Set<number>()
  for (let i = first[block]; i < first[block] + count[block]; i++) {
    const word = site.words[site.records + i * 2 + 1]
    if (word & 0x08000000) found.add(word & 0xffffff)
    else if (landInSection(link, site, word, site.words[site.records + i * 2], landing))
      found.add(BLOCKS + landing.block)
  }
  return [...found].sort((a, b) => a - b).join()
}
