// Links that are not patched, whatever changes.
import type { Link } from '../../../components/link.ts'

/** Why every rebuild of this link must be a full one, in words; empty when it need not. */
export function whyNever(link: Link): string {
  const { settings } = link
  if (!link.keeps || link.digests === null) return 'the link was not kept'
  if ((settings.icf ?? 'none') !== 'none') return 'identical code is folded'
  if (link.priorities.length > 0) return 'the order of the code may change'
  if (settings.deduplicateSymbolStrings !== undefined) return 'names in the symbol table are shared, or never'
  if (settings.tailMergeStrings) return 'strings are merged with the ends of others'
  if (settings.deadStripDuplicates) return 'duplicates of dead code are allowed'
  if (settings.uuid === 'random') return 'the UUID is random'
  if (link.uuidAt + 16 > 2 ** link.digests.shift) return 'the UUID is not on the first page'
  if (settings.map || settings.metafile || settings.stats || settings.timeTrace || Object.keys(link.reports).length > 0)
    return 'a report of the whole link is wanted'
  return ''
}
