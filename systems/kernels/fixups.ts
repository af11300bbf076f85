// Recording fixups, and writing pointers that dyld will change, in either form.
import { IMPORT_OWN, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import { SEGMENT_STRIDE } from '../../components/fixups.ts'
import type { Link } from '../../components/link.ts'
import { wholeOf } from '../../src/core/pages.ts'
import { writeChainedBind, writeChainedRebase } from '../../src/formats/dyld/chainedFixups.ts'
import { DYLD_CHAINED_PTR_64 } from '../../src/formats/macho/constants.ts'

export const POINTER_FORMAT = DYLD_CHAINED_PTR_64

/** Addends up to this stand in the bind itself; larger ones in the import. */
const MAX_INLINE_ADDEND = 255

export function writePointer(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true)
  view.setInt32(at + 4, Math.floor(value / 4294967296), true)
}

/** A pointer into this image at segment offset `offset`, `tag` in its top byte. Returns false when the chained form cannot hold it. */
export function writeRebase(
  link: Link,
  view: DataView,
  at: number,
  segment: number,
  offset: number,
  target: number,
  tag = 0,
): boolean {
  const { pie, fixupChains, imageBase } = link.settings
  // Who is refused may come again: only what is written has a row.
  if (fixupChains && !writeChainedRebase(view, at, target, tag, POINTER_FORMAT, imageBase)) return false
  if (pie) link.fixups.Rebase.location[++link.fixups.rebases] = segment * SEGMENT_STRIDE + offset
  if (fixupChains) return true
  writePointer(view, at, target)
  if (tag !== 0) view.setUint8(at + 7, tag)
  return true
}

/** A pointer to an import, recorded and written. Returns false when the chained form cannot hold it. */
export function writeBind(
  link: Link,
  view: DataView,
  at: number,
  segment: number,
  offset: number,
  made: number,
  addend: number,
): boolean {
  if (!recordBind(link, view, at, segment, offset, made, addend)) return false
  return !numbersAtOnce(link) || chainBind(link, view, at, made, addend)
}

/**
 * Records a pointer to an import. A chained one is left to chainBinds; of the others an own definition is written, so that it
 * holds when dyld finds no other. Returns false for an addend that is not exact.
 */
export function recordBind(
  link: Link,
  view: DataView,
  at: number,
  segment: number,
  offset: number,
  made: number,
  addend: number,
): boolean {
  const { fixups, imports } = link
  const row = ++fixups.binds
  fixups.Bind.location[row] = segment * SEGMENT_STRIDE + offset
  fixups.Bind.import[row] = made
  fixups.Bind.addend[row] = addend
  if (!Number.isSafeInteger(addend)) return false
  if (link.settings.fixupChains) return true
  const own = imports.Library.symbol[made]
  if (imports.Library.flags[made] & IMPORT_OWN) {
    // The bind of a weak definition may find no other; one that may be interposed is always bound over the pointer.
    if (link.settings.pie && imports.Library.flags[made] & IMPORT_WEAK_DEF)
      fixups.Rebase.location[++fixups.rebases] = fixups.Bind.location[row]
    writePointer(view, at, link.symbols.Reference.address[own] + addend)
  } else writePointer(view, at, 0)
  return true
}

/** Whether rows of the chained import table are numbered by first use; with room, once all binds are known. */
export function numbersAtOnce(link: Link): boolean {
  return link.settings.fixupChains && link.settings.layout !== 'padded'
}

/** Writes the pointers of binds first .. last; their imports get rows of the table in this order. */
export function chainBinds(link: Link, view: DataView, first: number, last: number): void {
  const { location, import: made, addend } = link.fixups.Bind
  const { fileOffset } = link.segments.Extent
  for (let row = first; row <= last; row++) {
    if (!Number.isSafeInteger(addend[row])) continue
    const segment = Math.floor(location[row] / SEGMENT_STRIDE)
    chainBind(link, view, fileOffset[segment] + location[row] - segment * SEGMENT_STRIDE, made[row], addend[row])
  }
}

function chainBind(link: Link, view: DataView, at: number, made: number, addend: number): boolean {
  const own = importAddend(addend)
  return writeChainedBind(view, at, chainedImport(link, made, own), addend - own)
}

/** The first word of a chained bind to an import that has its row. */
export function chainedBind(link: Link, made: number, addend: number): number {
  const own = importAddend(addend)
  return (chainedImport(link, made, own) | ((addend - own) << 24)) >>> 0
}

/** What of a bind's addend stands in its import: all or nothing. */
export function importAddend(addend: number): number {
  return addend >= 0 && addend <= MAX_INLINE_ADDEND ? 0 : addend
}

/** Row of the chained import table for an import with an addend of its own. */
function chainedImport(link: Link, made: number, addend: number): number {
  const { chained } = link
  if (addend === 0) {
    if (link.imports.Use.chained[made] === 0) link.imports.Use.chained[made] = pushChained(link, made, 0)
    return link.imports.Use.chained[made] - 1
  }
  const key = `${made}:${addend}`
  const known = chained.withAddend.get(key)
  if (known !== undefined) return known - 1
  const row = pushChained(link, made, addend)
  chained.withAddend.set(key, row)
  return row - 1
}

function pushChained(link: Link, made: number, addend: number): number {
  link.chained.imports.push(made)
  return link.chained.addends.push(addend)
}

/** Needs a weak-bind record besides: dyld coalesces it over all images. */
export function isWeakDefinition(link: Link, made: number): boolean {
  return (link.imports.Library.flags[made] & IMPORT_WEAK_DEF) !== 0
}

/** Whether a pointer is bound to a weak definition, of which the header tells dyld. */
export function bindsToWeak({ fixups, imports }: Link): boolean {
  const flags = wholeOf(imports.Library.flags)
  let all = 0
  for (let made = 1; made <= imports.count; made++) all |= flags[made]
  if ((all & IMPORT_WEAK_DEF) === 0) return false
  const bound = wholeOf(fixups.Bind.import)
  for (let row = 1; row <= fixups.binds; row++) if (flags[bound[row]] & IMPORT_WEAK_DEF) return true
  return false
}
