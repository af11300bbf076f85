// Links that are not patched, whatever changes.
import type { Link } from '../../../components/link.ts'
import { S_ATTR_PURE_INSTRUCTIONS, S_ATTR_SOME_INSTRUCTIONS } from '../../formats/macho/constants.ts'

/** Why every rebuild of this link must be a full one, in words; empty when it need not. */
export function whyNever(link: Link): string {
  const { settings } = link
  if (!link.keeps || link.digests === null) return 'the link was not kept'
  if ((settings.icf ?? 'none') !== 'none') return 'identical code is folded'
  if (link.priorities.length > 0) return 'the order of the code may change'
  if (link.thunks.count > 0 || codeSpan(link) >= link.arch.branchReach - 4) return 'branches go through thunks'
  if (settings.deadStripDuplicates) return 'duplicates of dead code are allowed'
  if (settings.uuid === 'random') return 'the UUID is random'
  if (link.uuidAt + 16 > 2 ** link.digests.shift) return 'the UUID is not on the first page'
  if (settings.map || settings.metafile || settings.stats || settings.timeTrace || Object.keys(link.reports).length > 0)
    return 'a report of the whole link is wanted'
  return ''
}

/** From the first section with instructions to the last. */
function codeSpan(link: Link): number {
  const { Section, Extent } = link.outputs
  let [start, end] = [Number.POSITIVE_INFINITY, 0]
  for (let output = 1; output <= link.outputs.count; output++) {
    if ((Section.flags[output] & (S_ATTR_PURE_INSTRUCTIONS | S_ATTR_SOME_INSTRUCTIONS)) === 0) continue
    start = Math.min(start, Extent.address[output])
    end = Math.max(end, Extent.address[output] + Extent.size[output])
  }
  return end - start
}
