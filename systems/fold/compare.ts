// Comparison of two blocks: the part that no folding changes, and the part that follows the classes of referents.
import type { Link } from '../../components/link.ts'
import { CONTENT_RECORDS } from '../../components/sections.ts'
import { UNWIND_ABSOLUTE } from '../../components/unwinds.ts'
import { sameBytes } from '../../src/core/hash.ts'
import { createSite, enterSection, type Landing, type Site } from '../kernels/references.ts'
import { createReferent, REFERENT_BLOCK, readReferent, readTarget, type Referent } from './referent.ts'

/** The partition, and room for two blocks that are compared. */
export interface Comparing {
  link: Link
  members: Uint32Array
  classes: Uint32Array
  scratch: Uint32Array
  /** By name of an input section, the name under which it goes into the output. */
  homes: Uint32Array
  siteA: Site
  siteB: Site
  landing: Landing
  a: Referent
  b: Referent
}

export function createComparing(link: Link, members: Uint32Array): Comparing {
  return {
    link,
    members,
    classes: new Uint32Array(link.blocks.count + 1),
    scratch: new Uint32Array(members.length),
    homes: sectionHomes(link),
    siteA: createSite(),
    siteB: createSite(),
    landing: { block: 0, offset: 0 },
    a: createReferent(),
    b: createReferent(),
  }
}

/** __TEXT,__StaticInit becomes part of __text (ld64.lld); sections that options rename are folded among themselves. */
function sectionHomes(link: Link): Uint32Array {
  const { sections, segments, count } = link.sectionNames
  const homes = new Uint32Array(count + 1)
  const isText = (name: number, section: string): boolean => segments[name] === '__TEXT' && sections[name] === section
  let text = 0
  for (let name = 1; name <= count; name++) {
    homes[name] = name
    if (isText(name, '__text')) text = name
  }
  for (let name = 1; name <= count; name++) if (text !== 0 && isText(name, '__StaticInit')) homes[name] = text
  return homes
}

function enter(comparing: Comparing, a: number, b: number): void {
  const { section } = comparing.link.blocks.Extent
  enterSection(comparing.siteA, comparing.link, section[a])
  enterSection(comparing.siteB, comparing.link, section[b])
}

/** Section, size, relocation fields and bytes, and of references all but the block that they lead to. */
export function sameContents(comparing: Comparing, a: number, b: number): boolean {
  const { link, siteA, siteB, homes } = comparing
  const { Extent, Relocations } = link.blocks
  const { name, content } = link.sections.Header
  if (homes[name[Extent.section[a]]] !== homes[name[Extent.section[b]]] || Extent.size[a] !== Extent.size[b])
    return false
  if (Relocations.count[a] !== Relocations.count[b]) return false
  enter(comparing, a, b)
  const records = content[siteA.section] === CONTENT_RECORDS
  if (!sameFields(comparing, a, b)) return false
  if (records) return sameRecords(comparing, a, b)
  return sameBytes(
    siteA.bytes,
    siteA.contents + Extent.offset[a],
    siteB.bytes,
    siteB.contents + Extent.offset[b],
    Extent.size[a],
  )
}

/** The same kinds of relocations at the same places, with referents of the same kind. */
function sameFields(comparing: Comparing, a: number, b: number): boolean {
  const { link, siteA, siteB } = comparing
  const { Extent, Relocations } = link.blocks
  for (let i = 0; i < Relocations.count[a]; i++) {
    const atA = siteA.records + (Relocations.first[a] + i) * 2
    const atB = siteB.records + (Relocations.first[b] + i) * 2
    if (siteA.words[atA] - Extent.offset[a] !== siteB.words[atB] - Extent.offset[b]) return false
    if (siteA.words[atA + 1] >>> 24 !== siteB.words[atB + 1] >>> 24) return false
    readPair(comparing, a, b, i)
    if (!isSameButBlock(comparing.a, comparing.b)) return false
  }
  return true
}

function readPair(comparing: Comparing, a: number, b: number, i: number): void {
  const { link, siteA, siteB, landing } = comparing
  const { first } = link.blocks.Relocations
  const records = link.sections.Header.content[siteA.section] === CONTENT_RECORDS
  readReferent(link, siteA, first[a] + i, records, landing, comparing.a)
  readReferent(link, siteB, first[b] + i, records, landing, comparing.b)
}

function isSameButBlock(a: Referent, b: Referent): boolean {
  return (
    a.kind === b.kind &&
    a.offset === b.offset &&
    a.addend === b.addend &&
    (a.kind === REFERENT_BLOCK ? (a.id === 0) === (b.id === 0) : a.id === b.id)
  )
}

/** Bytes that no relocation covers. Records have at most 32 bytes: a bit each. */
function sameRecords(comparing: Comparing, a: number, b: number): boolean {
  const { link, siteA, siteB } = comparing
  const { Extent, Relocations } = link.blocks
  let covered = 0
  for (let i = 0; i < Relocations.count[a]; i++) {
    const at = siteA.records + (Relocations.first[a] + i) * 2
    const wide = ((siteA.words[at + 1] >>> 25) & 3) === 3
    covered |= (wide ? 0xff : 0xf) << (siteA.words[at] - Extent.offset[a])
  }
  for (let i = 0; i < Extent.size[a]; i++) {
    if ((covered >>> i) & 1) continue
    if (siteA.bytes[siteA.contents + Extent.offset[a] + i] !== siteB.bytes[siteB.contents + Extent.offset[b] + i])
      return false
  }
  return true
}

/** Blocks that referents lead to are in one class each, and so is what unwinding needs. */
export function sameReferences(comparing: Comparing, a: number, b: number): boolean {
  const count = comparing.link.blocks.Relocations.count[a]
  if (count > 0) enter(comparing, a, b)
  for (let i = 0; i < count; i++) {
    readPair(comparing, a, b, i)
    if (!isSameBlock(comparing)) return false
  }
  return sameUnwind(comparing, a, b)
}

function isSameBlock(comparing: Comparing): boolean {
  const { a, b, classes } = comparing
  if (a.kind !== REFERENT_BLOCK || a.id === b.id) return true
  return classes[a.id] !== 0 && classes[a.id] === classes[b.id]
}

/** None on either side, or one compact row each that says the same of the whole block. */
function sameUnwind(comparing: Comparing, a: number, b: number): boolean {
  const { link } = comparing
  const { Range, Entry } = link.unwinds
  const rowA = link.blocks.Links.unwind[a]
  const rowB = link.blocks.Links.unwind[b]
  if (rowA === 0 || rowB === 0) return rowA === rowB
  if (Range.next[rowA] !== 0 || Range.next[rowB] !== 0 || Range.offset[rowA] !== 0 || Range.offset[rowB] !== 0)
    return false
  if (Entry.fde[rowA] !== 0 || Entry.fde[rowB] !== 0) return false
  if ((Range.flags[rowA] | Range.flags[rowB]) & UNWIND_ABSOLUTE) return false
  if (Range.length[rowA] !== Range.length[rowB] || Entry.encoding[rowA] !== Entry.encoding[rowB]) return false
  return samePersonality(comparing, rowA, rowB) && sameTable(comparing, rowA, rowB)
}

function samePersonality(comparing: Comparing, rowA: number, rowB: number): boolean {
  const { link, a, b } = comparing
  const { personality } = link.unwinds.Entry
  if (personality[rowA] === personality[rowB]) return true
  if (personality[rowA] === 0 || personality[rowB] === 0) return false
  for (const referent of [a, b]) referent.offset = referent.addend = 0
  readTarget(link, personality[rowA], 0, a)
  readTarget(link, personality[rowB], 0, b)
  return isSameButBlock(a, b) && isSameBlock(comparing)
}

/** Language-specific data, of which only the canonical copy is looked at. */
function sameTable(comparing: Comparing, rowA: number, rowB: number): boolean {
  const { link, classes } = comparing
  const { lsda, lsdaOffset } = link.unwinds.Entry
  if (lsdaOffset[rowA] !== lsdaOffset[rowB]) return false
  const tableA = link.blocks.Placement.leader[lsda[rowA]] || lsda[rowA]
  const tableB = link.blocks.Placement.leader[lsda[rowB]] || lsda[rowB]
  return tableA === tableB || (classes[tableA] !== 0 && classes[tableA] === classes[tableB])
}
