// Copies and relocates the blocks of an object that is there already, and brings its fixups up to date.
import type { Fixups } from '../../../components/fixups.ts'
import type { Link } from '../../../components/link.ts'
import { numbersAtOnce } from '../../../systems/kernels/fixups.ts'
import type { DirtyPages } from './dirtyPages.ts'
import { clearExtents, keepChains, markExtents, saveExtents } from './extents.ts'
import { patchStabs } from './patchTables.ts'
import { replaceFixups } from './pointers.ts'
import { bindSame } from './rechain.ts'
import { restoreThunks } from './thunksAgain.ts'
import { areSameFixups, chainFile, fixupOffsets, relaxFile, relocateFile } from './relocateFile.ts'

/** `fixups` are those that the object has had. Returns how many blocks have changed, or why it cannot. */
export function relocateAgain(
  link: Link,
  file: number,
  extents: ReturnType<typeof saveExtents>,
  fixups: Fixups | null,
  dirty: DirtyPages,
): number | string {
  clearExtents(link, extents)
  const fixed = relocateFile(link, file)
  if (fixups === null || fixed === null) return 'has a relocation that does not fit'
  const same = areSameFixups(fixups, fixed)
  if (!same && numbersAtOnce(link) && !bindSame(fixups, fixed)) return 'binds to other imports, or in another order'
  if (link.settings.fixupChains && (same || numbersAtOnce(link))) chainFile(link, fixed)
  if (!same) replaceFixups(link, dirty.pointers, fixups, fixed)
  else if (link.settings.fixupChains) keepChains(link, extents, fixupOffsets(link, fixed))
  if (link.thunks.count > 0) for (const { from, before } of extents) restoreThunks(link, from, from + before.length)
  if (!relaxFile(link, file)) return 'has a bad optimization hint'
  return markExtents(link, extents, dirty)
}

/** More objects than this are relocated by a full link, on all threads. */
export const MOST_OTHERS = 200

/** Relocates unchanged objects again; returns how many of their blocks have changed. */
export function relocateOthers(link: Link, files: ReadonlySet<number>, dirty: DirtyPages): number | string {
  let count = 0
  for (const other of files) {
    const extents = saveExtents(link, other, null, null)
    const changed = relocateAgain(link, other, extents, relocateFile(link, other), dirty)
    if (typeof changed === 'string')
      return `is referred to by ${link.paths[link.files.Source.path[other]]}, which ${changed}`
    patchStabs(link, other, dirty)
    count += changed
  }
  return count
}
