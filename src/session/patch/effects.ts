// What the relocations and unwind entries of one object cause outside of it: table entries, and rows of the unwind table. Found by
// the systems that find them in a full link, with empty tables.
import type { Columns } from '../../../components/columns.ts'
import { findGot, type Gots } from '../../../components/gots.ts'
import { arenaOfFile, type Link } from '../../../components/link.ts'
import { CONTENT_COMPACT_UNWIND } from '../../../components/sections.ts'
import { createUnwinds, type Unwinds } from '../../../components/unwinds.ts'
import { gatherFile } from '../../../systems/gatherUnwind.ts'
import { createSite } from '../../../systems/kernels/references.ts'
import { createFrame } from '../../formats/ehFrame.ts'
import { COMPACT_UNWIND_ENTRY_SIZE, COMPACT_UNWIND_PERSONALITY } from '../../formats/unwind/compactUnwind.ts'
import { type Uses, usesOf } from './uses.ts'

type Column = Link['blocks']['Links']['unwind']

export interface Effects {
  uses: Uses
  unwinds: Unwinds
}

/** `heads` is a column by block, all zero, and left so. Null where it cannot be told without a full link. */
export function effectsOf(link: Link, file: number, heads: Uint32Array): Effects | null {
  if (hasUnnamedPersonality(link, file)) return null
  const unwinds = unwindsOf(link, file, heads)
  const uses = usesOf(link, file, unwinds)
  return uses === null ? null : { uses, unwinds }
}

/**
 * What decides over the order of entries in the tight layout: those that no object before this one has caused, in the order of
 * first mention.
 */
export function orderOf(link: Link, file: number, uses: Uses): string {
  const { Before } = link.files
  const gots = uses.gots.filter((key) => isNew(entryOf(link.gots, key), Before.gots[file]))
  const tlvs = uses.tlvs.filter((key) => isNew(entryOf(link.tlvs, key), Before.tlvs[file]))
  const stubs = uses.stubs.filter((made) => isNew(link.imports.Use.stub[made], Before.stubs[file]))
  return [gots.join(), tlvs.join(), stubs.join()].join(';')
}

/** The entry of a key (as of `keyOf`), 0 for none. */
export function entryOf(gots: Gots, key: number): number {
  return findGot(gots, key & 3, key >>> 2)
}

/** 0 is one that the link has not. */
function isNew(entry: number, before: number): boolean {
  return entry === 0 || entry > before
}

/** A personality that is a place of a section would be given a symbol. */
function hasUnnamedPersonality(link: Link, file: number): boolean {
  const { section, sections } = link.files.Ranges
  const { words } = arenaOfFile(link, file)
  for (let at = section[file]; at < section[file] + sections[file]; at++) {
    if (link.sections.Header.content[at] !== CONTENT_COMPACT_UNWIND) continue
    const records = link.sections.Relocations.position[at] / 4
    for (let i = 0; i < link.sections.Relocations.count[at]; i++)
      if (
        words[records + i * 2] % COMPACT_UNWIND_ENTRY_SIZE === COMPACT_UNWIND_PERSONALITY &&
        (words[records + i * 2 + 1] & 0x08000000) === 0
      )
        return true
  }
  return false
}

/** `see` is shown the first row of each block, by block, while `heads` has them. */
export function unwindsOf(
  link: Link,
  file: number,
  heads: Uint32Array,
  see: (heads: Uint32Array) => void = () => undefined,
): Unwinds {
  const unwinds = createUnwinds(mostUnwinds(link, file), false)
  const blocks = { ...link.blocks, Links: { ...link.blocks.Links, unwind: heads as Column } }
  gatherFile({ ...link, unwinds, blocks }, file, createSite(), createFrame(), { symbols: [], targets: [] })
  see(heads)
  for (let row = 1; row <= unwinds.count; row++) heads[unwinds.Range.block[row]] = 0
  return unwinds
}

/** An entry takes 32 bytes in __compact_unwind and at least 12 in __eh_frame. */
function mostUnwinds(link: Link, file: number): number {
  const { section, sections } = link.files.Ranges
  let bytes = 0
  for (let at = section[file]; at < section[file] + sections[file]; at++) bytes += link.sections.Header.size[at]
  return Math.ceil(bytes / 12)
}

/** Whether both are the same but for encodings and lengths. */
export function haveSameFunctions(before: Unwinds, after: Unwinds): boolean {
  if (before.count !== after.count) return false
  return (
    areSame(before.Range, after.Range, ['block', 'offset', 'flags'], before.count) &&
    areSame(before.Entry, after.Entry, ['personality', 'lsda', 'lsdaOffset', 'fde', 'cie'], before.count)
  )
}

function areSame<C extends Columns<Record<string, 'u8' | 'u32'>>>(
  a: C,
  b: C,
  names: (keyof C)[],
  rows: number,
): boolean {
  for (const name of names) for (let row = 1; row <= rows; row++) if (a[name][row] !== b[name][row]) return false
  return true
}
