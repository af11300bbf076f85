// What a new link takes over of a finished one: bytes, rows and names of the inputs that are as they were.
import { FILE_ARCHIVE, FILE_BROKEN, FILE_OBJECT } from './files.ts'
import type { Link } from './link.ts'
import { putSpare } from './spare.ts'

export interface Kept {
  /** Finished, or as far as a patch of it came. Nothing of it is written but for what its arenas have room for. */
  link: Link
  /** What is not as it was, by the name that options give it. */
  changed: ReadonlySet<string>
  /** Image and tail are what was written last: no patch has begun to change them. */
  isWritten: boolean
  /** Names of the files that were taken over so far. */
  taken: string[]
  /** Its objects and archives by path; 0 for a path that stands for several. */
  files: Map<string, number>
  /** By file of the new link: the file of the kept one whose rows it takes; 0: it is loaded. */
  from: Uint32Array
  /** Rows of files and names keep their numbers: columns that only load writes to are taken as they are. */
  inPlace: boolean
  /** New ids by kept ones, 0 until the first mention: names, and names of sections. */
  names: Uint32Array
  /** All names so far are kept ones, or known to be none: they get rows without a look into the index, which is made afterwards. */
  isAppending: boolean
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
    taken: [],
    files,
    from: new Uint32Array(0),
    inPlace: false,
    names: new Uint32Array(link.names.count + 1),
    isAppending: false,
    sectionNames: new Uint32Array(link.sectionNames.count + 1),
  }
}

/** Where things were in the kept link, whose image is what was written, and who stood for what. */
export interface Past {
  /** Its files, sections, table entries, outputs, thunks; of blocks and symbols where they are and what they mean. */
  link: Link
  /** By file but the linker's own: the one of the kept link whose rows it has taken; 0: none. */
  from: Uint32Array
  /** Rows of files and blocks are those of the kept link. */
  inPlace: boolean
}

/**
 * Lets go of the kept link's columns, tables and image once all inputs are taken over: its arenas are the new link's. What tells where
 * things were stays until relocate has looked, if the image is what was written and blocks stand in the order of the inputs. What
 * links after this one may use goes to `now.spare`.
 */
export function releaseKept(now: Link, { link, from, isWritten, inPlace }: Kept): Past | null {
  const { files, sections, blocks, symbols, names, unwinds, gots, tlvs, stubs, imports, fixups, table } = link
  const stays = isWritten && link.priorities.length === 0
  if (stays) spareTables(now, link)
  for (const kind of [names, unwinds, fixups, table]) emptyColumns(kind as unknown as Record<string, unknown>)
  if (stays) emptyComponents([symbols.Definition, symbols.Loaded, blocks.Relocations, blocks.Links, blocks.Loaded])
  else
    for (const kind of [files, sections, blocks, symbols, gots, tlvs, stubs, imports])
      emptyColumns(kind as unknown as Record<string, unknown>)
  link.unwind = null
  link.priorities = new Uint32Array(0)
  link.image = link.tail = new Uint8Array(0)
  link.linkedit = {}
  link.digests = null
  return stays ? { link, from, inPlace } : null
}

function spareTables({ spare, names, unwinds, blocks }: Link, old: Link): void {
  if (spare === null) return
  putSpare(spare, 'names.Resolution', old.names.Resolution, names.Resolution, old.names.count)
  putSpare(spare, 'names.Offer', old.names.Offer, names.Offer, old.names.count)
  putSpare(spare, 'unwinds.Range', old.unwinds.Range, unwinds.Range, old.unwinds.count)
  putSpare(spare, 'unwinds.Entry', old.unwinds.Entry, unwinds.Entry, old.unwinds.count)
  putSpare(spare, 'blocks.Links', old.blocks.Links, blocks.Links, old.blocks.count)
}

/** What tells where things were, once relocate has looked. */
export function sparePlaces({ past, spare, blocks, symbols }: Link): void {
  if (past === null || spare === null) return
  const { blocks: oldBlocks, symbols: oldSymbols } = past.link
  putSpare(spare, 'blocks.Extent', oldBlocks.Extent, blocks.Extent, oldBlocks.count)
  putSpare(spare, 'blocks.Placement', oldBlocks.Placement, blocks.Placement, oldBlocks.count)
  putSpare(spare, 'symbols.Reference', oldSymbols.Reference, symbols.Reference, oldSymbols.count)
}

/** Of a kind: its columns, those of its components, and what stands beside them. */
function emptyColumns(kind: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(kind)) {
    if (value instanceof Uint32Array) kind[name] = new Uint32Array(0)
    else if (name !== 'world' && typeof value === 'object' && value !== null && hasColumns(value))
      emptyComponents([value])
  }
}

function emptyComponents(components: readonly object[]): void {
  for (const component of components as readonly Record<string, object>[])
    for (const column in component) {
      const Type = component[column].constructor as new (length: number) => object
      component[column] = new Type(0)
    }
}

function hasColumns(component: object): boolean {
  const columns = Object.values(component)
  return columns.length > 0 && columns.every((column) => ArrayBuffer.isView(column))
}
