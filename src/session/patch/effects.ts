// What the relocations and unwind entries of one object cause outside of it: table entries that no object before it has caused,
// in the order of first mention, and rows of the unwind table. Found by the systems that find them in a full link, with empty
// tables.
import type { Columns } from '../../../components/columns.ts'
import { createGots, findGot, type Gots } from '../../../components/gots.ts'
import { IMPORT_CALLED, IMPORT_DYNAMIC_LOOKUP, IMPORT_USED } from '../../../components/imports.ts'
import type { Link } from '../../../components/link.ts'
import { CONTENT_COMPACT_UNWIND } from '../../../components/sections.ts'
import { createUnwinds, type Unwinds } from '../../../components/unwinds.ts'
import { gatherFile } from '../../../systems/gatherUnwind.ts'
import { createSite } from '../../../systems/kernels/references.ts'
import { createScan, scanFile } from '../../../systems/scan.ts'
import { createFrame } from '../../formats/ehFrame.ts'
import { COMPACT_UNWIND_ENTRY_SIZE, COMPACT_UNWIND_PERSONALITY } from '../../formats/unwind/compactUnwind.ts'

type Column = Link['blocks']['Links']['unwind']

export interface Effects {
  /** New keys of GOT and thread-local pointers, imports that are called, in order; imports used that dyld looks up anywhere. */
  entries: string
  unwinds: Unwinds
}

/** `heads` is a column by block, all zero, and left so. Null where it cannot be told without a full link. */
export function effectsOf(link: Link, file: number, heads: Uint32Array): Effects | null {
  const entries = entriesOf(link, file)
  if (entries === null || hasUnnamedPersonality(link, file)) return null
  return { entries, unwinds: unwindsOf(link, file, heads) }
}

function entriesOf(link: Link, file: number): string | null {
  const { imports } = link
  const records = countRecords(link, file)
  const flags = imports.Library.flags.map((is) => is & ~(IMPORT_USED | IMPORT_CALLED))
  const [got, stub, symtab, chained] = [0, 0, 0, 0].map(() => new Uint32Array(imports.count + 1))
  const alone: Link = {
    ...link,
    gots: createGots(records + 1, false),
    tlvs: createGots(records + 1, false),
    imports: { ...imports, Library: { ...imports.Library, flags }, Use: { got, stub, symtab, chained } },
  }
  const state = createScan(alone)
  scanFile(alone, state, file)
  if (state.undefineds.size > 0) return null
  const calls: number[] = []
  const used: number[] = []
  for (let made = 1; made <= imports.count; made++) {
    if (stub[made] !== 0) calls[stub[made] - 1] = made
    if (flags[made] & IMPORT_USED && flags[made] & IMPORT_DYNAMIC_LOOKUP) used.push(made)
  }
  const { Before } = link.files
  const gots = newKeys(alone.gots, link.gots, Before.gots[file])
  const tlvs = newKeys(alone.tlvs, link.tlvs, Before.tlvs[file])
  const stubs = calls.filter((made) => isNew(imports.Use.stub[made], Before.stubs[file]))
  return [gots, tlvs, stubs.join(), used.join()].join(';')
}

function countRecords(link: Link, file: number): number {
  const { section, sections } = link.files.Ranges
  let records = 0
  for (let at = section[file]; at < section[file] + sections[file]; at++) records += link.sections.Relocations.count[at]
  return records
}

/** `known` are the entries of the whole link, the first `before` of them caused by the objects before this one. */
function newKeys({ Key, count }: Gots, known: Gots, before: number): string {
  const keys: number[] = []
  for (let got = 1; got <= count; got++)
    if (isNew(findGot(known, Key.kind[got], Key.index[got]), before)) keys.push(Key.index[got] * 4 + Key.kind[got])
  return keys.join()
}

/** 0 is one that the link has not. */
function isNew(entry: number, before: number): boolean {
  return entry === 0 || entry > before
}

/** A personality that is a place of a section would be given a symbol. */
function hasUnnamedPersonality(link: Link, file: number): boolean {
  const { section, sections } = link.files.Ranges
  const { words } = link.arenas.list[link.files.Source.arena[file]]
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

function unwindsOf(link: Link, file: number, heads: Uint32Array): Unwinds {
  const unwinds = createUnwinds(mostUnwinds(link, file), false)
  const blocks = { ...link.blocks, Links: { ...link.blocks.Links, unwind: heads as Column } }
  gatherFile({ ...link, unwinds, blocks }, file, createSite(), createFrame(), { symbols: [], targets: [] })
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
