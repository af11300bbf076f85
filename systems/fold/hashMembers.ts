// Hashes of the foldable blocks, into their class column: bytes first, then twice what they refer to, so that groups are small.
import { CONTENT_RECORDS } from '../../components/sections.ts'
import { hashBytes } from '../../src/core/hash.ts'
import { mix } from '../../src/core/words.ts'
import { enterSection } from '../kernels/references.ts'
import type { Comparing } from './compare.ts'
import { REFERENT_BLOCK, readReferent } from './referent.ts'

/** No hash is 0, which marks blocks that are not foldable. */
const MARK = 0x80000000

export function hashMembers(comparing: Comparing): void {
  const { members, classes, scratch } = comparing
  for (let i = 0; i < members.length; i++) classes[members[i]] = hashContents(comparing, members[i])
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < members.length; i++) scratch[i] = hashReferences(comparing, members[i])
    for (let i = 0; i < members.length; i++) classes[members[i]] = scratch[i]
  }
}

function hashContents(comparing: Comparing, block: number): number {
  const { link, siteA } = comparing
  const { section, offset, size } = link.blocks.Extent
  enterSection(siteA, link, section[block])
  link.visited.hashed += size[block]
  if (link.sections.Header.content[section[block]] === CONTENT_RECORDS) return (mix(size[block]) | MARK) >>> 0
  const from = siteA.contents + offset[block]
  return (hashBytes(siteA.bytes, from, from + size[block]) | MARK) >>> 0
}

function hashReferences(comparing: Comparing, block: number): number {
  const { link, siteA, landing, classes, a } = comparing
  const { first, count } = link.blocks.Relocations
  let hash = classes[block]
  if (count[block] > 0) enterSection(siteA, link, link.blocks.Extent.section[block])
  const records = link.sections.Header.content[link.blocks.Extent.section[block]] === CONTENT_RECORDS
  for (let i = 0; i < count[block]; i++) {
    readReferent(link, siteA, first[block] + i, records, landing, a)
    const to = a.kind === REFERENT_BLOCK ? classes[a.id] || a.id : a.id
    hash = mix(Math.imul(hash, 31) + to + Math.imul(a.offset, 7) + Math.imul(a.addend, 13))
  }
  return (hash | MARK) >>> 0
}
