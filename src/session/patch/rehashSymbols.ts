import type { Link } from '../../../components/link.ts'
import { contentParts } from '../../../systems/sign/contentDigest.ts'
import { NLIST_SIZE } from '../../formats/macho/constants.ts'
import type { DirtyPages } from './dirtyPages.ts'

/** What the UUID is made of begins at another row: its hash is due even where no byte in it has changed. */
export function rehashSymbols(link: Link, dirty: DirtyPages): void {
  const { digests, linkedit, image, table } = link
  if (digests === null || digests.parts.length === 0) return
  digests.parts = contentParts(link)
  const at = linkedit.symbols!.offset - image.length + (table.room + table.stabs.count) * NLIST_SIZE
  dirty.tail.push(at, at + 1)
}
