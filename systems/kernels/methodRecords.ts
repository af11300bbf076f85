// Relocation records of a method list in which every pointer has exactly one: found by place, not by search.
import type { Link } from '../../components/link.ts'
import type { Site } from './references.ts'

/** The record of pointer `slot` (three a method, from 0) of the entered section. Records are sorted by address, either way. */
export function methodRecord(link: Link, site: Site, block: number, slot: number): number {
  const first = link.blocks.Relocations.first[block]
  const last = first + link.blocks.Relocations.count[block] - 1
  const ascending = site.words[site.records + first * 2] < site.words[site.records + last * 2]
  return ascending ? first + slot : last - slot
}
