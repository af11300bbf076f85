// Copies and relocates the blocks of an object that is there already, and brings its fixups up to date.
import { BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Fixups } from '../../../components/fixups.ts'
import type { Link } from '../../../components/link.ts'
import { numbersAtOnce } from '../../../systems/kernels/fixups.ts'
import type { Relocating } from '../../../systems/relocate/apply.ts'
import { createRelocating } from '../../../systems/relocate/createRelocating.ts'
import type { DirtyPages } from './dirtyPages.ts'
import { clearExtents, keepChains, markExtents, saveBlocks, saveExtents } from './extents.ts'
import { patchStabs } from './patchTables.ts'
import { replaceFixups } from './pointers.ts'
import { bindSame } from './rechain.ts'
import { restoreThunks } from './thunksAgain.ts'
import { hasFrames, type Referred, referringBlocks } from './referringBlocks.ts'
import { areSameFixups, chainFile, fixupOffsets, joinFixups, relaxFile, relocateFile } from './relocateFile.ts'
import type { Touched } from './touched.ts'

/** An object as it was: where its blocks were and will be, and its fixups; null when a relocation does not fit. */
export interface Relocated {
  file: number
  extents: ReturnType<typeof saveExtents>
  fixups: Fixups | null
}

/** Returns how many blocks have changed, or why it cannot. Each may lie now where another did. */
export function relocateAgain(link: Link, objects: readonly Relocated[], dirty: DirtyPages): number | string {
  const extents = objects.flatMap((object) => object.extents)
  clearExtents(link, extents)
  const old = joinFixups(objects.map(({ fixups }) => fixups))
  const made = objects.map(({ file }) => relocateFile(link, file))
  const fixed = joinFixups(made)
  if (old === null || fixed === null) return 'has a relocation that does not fit'
  const same = areSameFixups(old, fixed)
  if (!same && numbersAtOnce(link) && !bindSame(old, fixed)) return 'binds to other imports, or in another order'
  if (link.settings.fixupChains && (same || numbersAtOnce(link))) chainFile(link, fixed)
  if (!same) replaceFixups(link, dirty.pointers, old, fixed)
  else if (link.settings.fixupChains) keepChains(link, extents, fixupOffsets(link, fixed))
  if (link.thunks.count > 0) for (const { from, before } of extents) restoreThunks(link, from, from + before.length)
  if (!objects.every(({ file }) => relaxFile(link, file))) return 'has a bad optimization hint'
  return markExtents(link, extents, dirty)
}

/** More objects than this are relocated by a full link, on all threads. */
export const MOST_OTHERS = 200

/** Relocates blocks of unchanged objects again that refer to what has moved; returns how many have changed. */
export function relocateOthers(link: Link, touched: Touched, dirty: DirtyPages): number | string {
  if (touched.size === 0) return 0
  let count = 0
  const at = createRelocating(link)
  for (const [other, what] of touched) {
    const isWhole = what === null || (what.followers.length > 0 && hasFrames(link, other))
    const changed = isWhole ? relocateWhole(link, other, dirty) : relocateSome(link, other, what, at, dirty)
    if (typeof changed === 'string')
      return `is referred to by ${link.paths[link.files.Source.path[other]]}, which ${changed}`
    count += changed
    if (isWhole || what.followers.length > 0) patchStabs(link, other, dirty)
  }
  return count
}

function relocateWhole(link: Link, file: number, dirty: DirtyPages): number | string {
  const extents = saveExtents(link, file, null, null)
  return relocateAgain(link, [{ file, extents, fixups: relocateFile(link, file) }], dirty)
}

/** The blocks that refer to what has moved; the others are dead for as long. */
function relocateSome(link: Link, file: number, what: Referred, at: Relocating, dirty: DirtyPages): number | string {
  const { flags } = link.blocks.Extent
  const { block, blocks } = link.files.Ranges
  const [first, end] = [block[file], block[file] + blocks[file]]
  const before = flags.slice(first, end)
  const chosen = referringBlocks(link, file, what)
  for (let at = first; at < end; at++) if (!chosen.has(at)) flags[at] &= ~BLOCK_LIVE
  const extents = saveBlocks(link, chosen)
  const fixups = relocateFile(link, file, at)
  if (fixups !== null && link.settings.fixupChains) {
    chainFile(link, fixups)
    keepChains(link, extents, fixupOffsets(link, fixups))
  }
  const isRelaxed = relaxFile(link, file)
  flags.set(before, first)
  if (fixups === null) return 'has a relocation that does not fit'
  if (!isRelaxed) return 'has a bad optimization hint'
  return markExtents(link, extents, dirty)
}
