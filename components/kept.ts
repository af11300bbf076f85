// What a new link takes over of a finished one: bytes, rows and names of the inputs that are as they were.
import { FILE_ARCHIVE, FILE_BROKEN, FILE_OBJECT } from './files.ts'
import type { Link } from './link.ts'

export interface Kept {
  /** Finished, or as far as a patch of it came. Nothing of it is written but for what its arenas have room for. */
  link: Link
  /** What is not as it was, by the name that options give it. */
  changed: ReadonlySet<string>
  /** Image and tail are what was written last: no patch has begun to change them. */
  isWritten: boolean
  /** Its objects and archives by path; 0 for a path that stands for several. */
  files: Map<string, number>
  /** By file of the new link: the file of the kept one whose rows it takes; 0: it is loaded. */
  from: Uint32Array
  /** New ids by kept ones, 0 until the first mention: names, and names of sections. */
  names: Uint32Array
  sectionNames: Uint32Array
}

export function createKept(link: Link, changed: ReadonlySet<string>, isWritten: boolean): Kept {
  const files = new Map<string, number>()
  const { kind, path, flags } = link.files.Source
  for (let file = 1; file <= link.files.count; file++) {
    if (kind[file] !== FILE_OBJECT && kind[file] !== FILE_ARCHIVE) continue
    if (link.files.Order.parent[file] !== 0 || flags[file] & FILE_BROKEN) continue
    const name = link.paths[path[file]]
    files.set(name, files.has(name) ? 0 : file)
  }
  return {
    link,
    changed,
    isWritten,
    files,
    from: new Uint32Array(0),
    names: new Uint32Array(link.names.count + 1),
    sectionNames: new Uint32Array(link.sectionNames.count + 1),
  }
}
