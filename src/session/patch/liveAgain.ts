// What lives of an object's new version; nothing of others may come to life or die.
import { BLOCK_COALESCED, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { NAME_OVERRIDES_WEAK } from '../../../components/names.ts'
import { isKeptWhole } from '../../../systems/strip.ts'
import { type Liveness, livenessOf } from './liveness.ts'

/** Without -dead_strip: what no weak definition of another object stands for. */
export function keepAgain(link: Link, file: number): void {
  const { section, sections } = link.files.Ranges
  const { flags } = link.blocks.Extent
  for (let at = section[file]; at < section[file] + sections[file]; at++) {
    if (!isKeptWhole(link.sections.Header.content[at])) continue
    const { first, count } = link.sections.Blocks
    for (let block = first[at]; block < first[at] + count[at]; block++)
      if ((flags[block] & BLOCK_COALESCED) === 0) flags[block] |= BLOCK_LIVE
  }
}

/** With it: `before` is of the old version. Returns what lives now, null if that changes elsewhere; imports live or die by name. */
export function stripAgain(link: Link, file: number, before: Liveness): Liveness | null {
  const now = livenessOf(link)
  const from = link.files.Ranges.block[file]
  const to = link.files.Ranges.block[file + 1]
  const { flags } = link.blocks.Extent
  const { flags: nameFlags, import: imported } = link.names.Resolution
  for (let name = 1; name <= link.names.count; name++)
    if (now.names[name] !== before.names[name] && (imported[name] !== 0 || now.names[name] & NAME_OVERRIDES_WEAK))
      return null
  for (let block = 1; block <= link.blocks.count; block++)
    if ((block < from || block >= to) && ((now.blocks[block] ^ before.blocks[block]) & BLOCK_LIVE) !== 0) return null
  flags.set(now.blocks.subarray(from, to), from)
  nameFlags.set(now.names)
  return now
}
