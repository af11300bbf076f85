// fold: blocks that say the same become one. Literals always; constant strings of Objective-C unless strings are not
// deduplicated; identical code with -icf. The leader is the first live one in command-line order.
// Reads: live blocks of foldable sections, their bytes, relocations, unwind rows. Writes: Placement.leader, BLOCK_FOLDED, the
// leader's alignment; BLOCK_ADDRESS_TAKEN with -icf safe; link.tails with --tail-merge-strings.
// After strip, so that a dead copy leads nothing; before scan, so that folded blocks cause no table entries. Literals before
// code, which refers to them. Cost: one pass over literal bytes; with -icf two or three over code and its relocations.

import type { Link } from '../components/link.ts'
import { CONTENT_RECORDS } from '../components/sections.ts'
import { markAddressTaken } from './fold/addressTaken.ts'
import { isFoldableSection } from './fold/foldable.ts'
import { foldIdentical } from './fold/identical.ts'
import { foldLiterals } from './fold/literals.ts'
import { mergeTails } from './fold/tails.ts'
import { followLeaders } from './kernels/followLeaders.ts'

export async function fold(link: Link): Promise<void> {
  const { icf = 'none' } = link.settings
  await foldLiterals(link)
  followLeaders(link)
  if (link.settings.tailMergeStrings) mergeTails(link)
  if (icf === 'safe') markAddressTaken(link)
  if (icf !== 'none') foldIdentical(link, (section) => isFoldableSection(link, section))
  else if (link.settings.deduplicateLiterals)
    foldIdentical(link, (section) => link.sections.Header.content[section] === CONTENT_RECORDS)
  followLeaders(link)
}
