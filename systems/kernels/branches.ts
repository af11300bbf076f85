// Branches of a block, and what an instruction reaches. Shared by layout and relocation.
import type { Link } from '../../components/link.ts'
import { R_ADDEND } from '../../src/arch/arch.ts'
import type { Site } from './references.ts'

/** The last word of a reach lies one instruction nearer ahead than behind. */
export function isInReach(reach: number, from: number, to: number): boolean {
  return to >= from - reach && to <= from + reach - 4
}

/** The addend of relocation `record` of the section at hand, from the ADDEND record before it at the same place. */
export function pairedAddend(link: Link, site: Site, record: number): number {
  if (record === 0) return 0
  const { words, records } = site
  const word = words[records + record * 2 - 1]
  const pairs =
    link.arch.attributes[word >>> 28] & R_ADDEND && words[records + record * 2 - 2] === words[records + record * 2]
  return pairs ? (word << 8) >> 8 : 0
}
