// Leaders of leaders.
import type { Link } from '../../components/link.ts'

/** A block whose leader has come to follow another follows that one too. */
export function followLeaders(link: Link): void {
  const { leader } = link.blocks.Placement
  const { block: starts, blocks: counts } = link.files.Ranges
  for (const file of link.order) {
    const end = starts[file] + counts[file]
    for (let block = starts[file]; block < end; block++) {
      const next = leader[block]
      if (next !== 0 && leader[next] !== 0) leader[block] = leader[next]
    }
  }
}
