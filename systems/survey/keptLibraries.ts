// Libraries that an earlier link has read, for callers who own a cache: neither read nor parsed again while the file is the same.
import type { DylibFile } from '../../src/formats/dylib.ts'
import type { TbdDocument } from '../../src/formats/tbd.ts'
import type { FileStat } from '../../src/host/host.ts'
import type { Place, Survey } from './survey.ts'

/** What stands in the file of a library: one dylib, or the documents of a stub. Nobody writes to it. */
export interface Library {
  dylib: DylibFile | null
  documents: TbdDocument[]
}

interface Kept {
  /** null for what is part of this program. */
  stat: FileStat | null
  library: Library
}

/** Looks in the cache for the library at `path`; what it returns stands for a place with bytes, which nobody looks at then. */
export function recallLibrary(found: Survey, path: string): Place | null {
  const { cache } = found.settings
  if (cache === undefined) return null
  const stat = found.stats.get(path) ?? found.host.stat(path)
  if (stat === null) return null
  found.stats.set(path, stat)
  const kept = cache.libraries.get(keyOf(found, path)) as Kept | undefined
  if (kept === undefined || !isSame(kept.stat, stat)) {
    found.recalled.set(path, null)
    return null
  }
  found.dependencies.read.push(path)
  found.recalled.set(path, kept.library)
  return { arena: 0, position: 0, size: stat.size, modified: stat.mtimeSeconds }
}

/** Keeps what was read from `path`, under what the file was before, if recallLibrary had looked for it. */
export function keepLibrary(found: Survey, path: string, library: Library): void {
  const stat = found.stats.get(path)
  if (stat !== undefined && found.recalled.get(path) === null)
    found.settings.cache?.libraries.set(keyOf(found, path), { stat, library })
}

/** A library without a file: made at its first use. */
export function keptStub(found: Survey, path: string, make: () => DylibFile): DylibFile {
  const libraries = found.settings.cache?.libraries
  const kept = libraries?.get(keyOf(found, path)) as Kept | undefined
  const dylib = kept?.library.dylib ?? make()
  if (kept === undefined) libraries?.set(keyOf(found, path), { stat: null, library: { dylib, documents: [] } })
  return dylib
}

/** A stub is read for one architecture (or its like) and platform, and a relative path means what it does where the host stands. */
function keyOf(found: Survey, path: string): string {
  const { settings } = found
  const like = settings.cpuSubtypesMustMatch === true ? 'only' : 'like'
  return `${like} ${found.arch.name} ${settings.platform.name} ${found.host.resolvePath(path)}`
}

function isSame(a: FileStat | null, b: FileStat): boolean {
  return (
    a !== null &&
    a.size === b.size &&
    a.mtimeSeconds === b.mtimeSeconds &&
    a.mtimeNanoseconds === b.mtimeNanoseconds &&
    a.inode === b.inode
  )
}
