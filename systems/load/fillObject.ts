// The rows of one object: symbols, blocks, relocation runs.
import type { Link } from '../../components/link.ts'
import { createMentions, type Mentions } from '../../components/names.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'
import { createSplitScratch, loadBlocks, type SplitScratch } from './blocks.ts'
import { keepLocals } from './keepLocals.ts'
import { breakFile, reading } from './openObject.ts'
import { loadRelocations } from './relocations.ts'
import { loadSymbols } from './symbols.ts'

/** Room for the largest object so far; made once. */
export interface LoadScratch extends SplitScratch {
  mentions: Mentions
}

export function createLoadScratch(): LoadScratch {
  // Not spread: each spread may have a hidden class of its own, for which what is compiled is thrown away.
  const { starts, order, keys, frames, names } = createSplitScratch()
  return { starts, order, keys, frames, names, mentions: createMentions(1024, false) }
}

export function reserveMentions(scratch: LoadScratch, count: number): void {
  if (count > scratch.mentions.row.length) scratch.mentions = createMentions(count * 2, false)
}

/**
 * Fills the rows of a file that has been opened, but for the names of its externals: those it mentions, from `base` on. Only
 * the file's own ranges are written.
 * @returns the number of mentions, or -1 after an error (reported); the file defines and refers to nothing then
 */
export function fillObject(
  link: Link,
  file: number,
  header: ObjectHeader,
  mentions: Mentions,
  base: number,
  scratch: SplitScratch,
): number {
  const count = reading(link, file, () => {
    const found = loadSymbols(link, file, header, mentions, base)
    if (found < 0 || !loadBlocks(link, file, scratch)) return -1
    loadRelocations(link, file)
    scratch.names = keepLocals(link, file, scratch.names)
    return found
  })
  if (count !== null && count >= 0) return count
  breakFile(link, file)
  return -1
}
