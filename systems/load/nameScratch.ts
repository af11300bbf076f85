import { createMentions, type Mentions } from '../../components/names.ts'

/** How many lookups read ahead together: their entries and names fit the L1 and L2 caches. */
const AHEAD = 512

/** Room for the external names of one object; made once, grown to the largest object. */
export interface NameScratch {
  count: number
  mentions: Mentions
  picked: Uint32Array
}

export function createNameScratch(): NameScratch {
  return { count: 0, mentions: createMentions(1024, false), picked: new Uint32Array(AHEAD + 1) }
}

export function reserveNames(scratch: NameScratch, count: number): void {
  if (count > scratch.mentions.row.length) scratch.mentions = createMentions(count * 2, false)
}
