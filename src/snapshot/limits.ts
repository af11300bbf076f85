// Which column holds ids of what: those that come from a file are looked at before they are used, so that none of them leads out
// of its table.
import type { Link } from '../../components/link.ts'
import { guardLate, lateSource } from './graph.ts'
import { damaged } from './format.ts'

/**
 * Paths of columns, and of a column or list of what they are ids of: every value is below its length. With a third path, values with the high bit
 * are ids of that.
 */
export const LIMITS: readonly (readonly [string, string, string?])[] = [
  ['files.Source.path', 'paths'],
  ['files.Source.arena', 'arenas.list'],
  ['files.Order.parent', 'files.Source.kind'],
  ['files.Ranges.section', 'sections.Header.file'],
  ['files.Ranges.sections', 'sections.Header.file'],
  ['files.Ranges.symbol', 'symbols.Definition.flags'],
  ['files.Ranges.symbols', 'symbols.Definition.flags'],
  ['files.Ranges.block', 'blocks.Extent.flags'],
  ['files.Ranges.blocks', 'blocks.Extent.flags'],
  ['sections.Header.file', 'files.Source.kind'],
  ['sections.Header.name', 'sectionNames.sections'],
  ['sections.Blocks.first', 'blocks.Extent.flags'],
  ['sections.Blocks.count', 'blocks.Extent.flags'],
  ['sections.Blocks.output', 'outputs.Section.flags'],
  ['blocks.Extent.section', 'sections.Header.file'],
  ['blocks.Placement.leader', 'blocks.Extent.flags'],
  ['symbols.Definition.block', 'blocks.Extent.flags'],
  ['symbols.Definition.name', 'names.Text.hash'],
  ['symbols.Reference.target', 'symbols.Definition.flags', 'imports.Library.flags'],
  ['names.Text.arena', 'arenas.list'],
  ['names.Resolution.symbol', 'symbols.Definition.flags'],
  ['names.Resolution.import', 'imports.Library.flags'],
  ['imports.Library.name', 'names.Text.hash'],
  ['imports.Library.symbol', 'symbols.Definition.flags'],
  ['gots.index', 'gots.Key.kind'],
  ['tlvs.index', 'tlvs.Key.kind'],
  ['stubs.Stub.import', 'imports.Library.flags'],
  ['unwinds.Range.block', 'blocks.Extent.flags'],
  ['unwinds.Range.next', 'unwinds.Range.block'],
  ['unwinds.Entry.lsda', 'blocks.Extent.flags'],
  ['unwinds.Entry.fde', 'blocks.Extent.flags'],
  ['unwinds.Entry.cie', 'blocks.Extent.flags'],
  ['unwind.block', 'blocks.Extent.flags'],
  ['unwind.row', 'unwinds.Range.block'],
  ['outputs.Section.segment', 'segments.Segment.index'],
  ['table.locals', 'symbols.Definition.flags'],
  ['table.externals', 'symbols.Definition.flags'],
  ['order', 'files.Source.kind'],
]

/** Has the columns checked when they are read; `found` is told, in words, and the reader gets a FormatError. */
export function guardIds(link: Link, found: (text: string) => void): void {
  for (const [path, target, other] of LIMITS) {
    const place = placeOf(link, path)
    if (place === null) continue
    const limit = lengthOf(link, target)
    const most = other === undefined ? 0 : lengthOf(link, other)
    guardLate(place.object, place.key, (column, from, to) => {
      const row = strayRow(column as Uint32Array, from, to, limit, most)
      if (row < 0) return
      const text = `has id ${(column as Uint32Array)[row]} in ${path}, of ${limit}`
      found(text)
      throw damaged(text, row)
    })
  }
}

/** The first row of from .. to - 1 with an id that is none; -1 for none. */
function strayRow(column: ArrayLike<number>, from: number, to: number, limit: number, other: number): number {
  if (column instanceof Uint32Array && !hasAbove(column, from, to, limit)) return -1
  for (let row = from; row < to; row++) {
    const id = column[row]
    if (id >= limit && (id < 0x80000000 || id - 0x80000000 >= other)) return row
  }
  return -1
}

/** Columns of one type keep the loop fast: most are whole. */
function hasAbove(column: Uint32Array, from: number, to: number, limit: number): boolean {
  for (let row = from; row < to; row++) if (column[row] >= limit) return true
  return false
}

/** The object that has the column; null where the link has no such part. */
export function placeOf(link: Link, path: string): { object: object; key: string } | null {
  const names = path.split('.')
  const key = names.pop()!
  let object: unknown = link
  for (const name of names) {
    object = (object as Record<string, unknown>)[name]
    if (typeof object !== 'object' || object === null) return null
  }
  return key in (object as object) ? { object: object as object, key } : null
}

function lengthOf(link: Link, path: string): number {
  const place = placeOf(link, path)
  if (place === null) return 0
  const source = lateSource(place.object, place.key)
  if (Array.isArray(source)) return source[3]
  return (place.object as Record<string, { length: number }>)[place.key].length
}
