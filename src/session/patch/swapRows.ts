// Puts the rows of a new version of an object, which has the same shape, in the place of the old one's.
import type { Link } from '../../../components/link.ts'

/** `after` as of `loadAlone`; `modified` in seconds. What systems after load have decided of the rows stays. */
export function swapRows(link: Link, file: number, after: Link, modified: number): void {
  swapFile(link, file, after, modified)
  const block = link.files.Ranges.block[file]
  const blocks = link.files.Ranges.blocks[file]
  copy(link.blocks.Extent.offset, after.blocks.Extent.offset, block, blocks)
  copy(link.blocks.Extent.size, after.blocks.Extent.size, block, blocks)
  copyAlignments(link, file, after)
  copy(link.blocks.Relocations.first, after.blocks.Relocations.first, block, blocks)
  copy(link.blocks.Relocations.count, after.blocks.Relocations.count, block, blocks)
}

/** Where the object lies, and its sections, of which there are as many. */
export function swapFile(link: Link, file: number, after: Link, modified: number): void {
  const { Source, Tables, Ranges } = link.files
  const new1 = after.files
  Source.arena[file] = new1.Source.arena[1]
  Source.position[file] = new1.Source.position[1]
  Source.size[file] = new1.Source.size[1]
  Source.modified[file] = modified
  for (const name in Tables) Tables[name as keyof typeof Tables][file] = new1.Tables[name as keyof typeof Tables][1]
  const section = Ranges.section[file]
  const sections = Ranges.sections[file]
  copy(link.sections.Header.address, after.sections.Header.address, section, sections)
  copy(link.sections.Header.size, after.sections.Header.size, section, sections)
  copy(link.sections.Bytes.position, after.sections.Bytes.position, section, sections)
  copy(link.sections.Relocations.position, after.sections.Relocations.position, section, sections)
  copy(link.sections.Relocations.count, after.sections.Relocations.count, section, sections)
  copy(link.sections.Relocations.order, after.sections.Relocations.order, section, sections)
}

/** Where blocks have room, alignments may differ; elsewhere that of a literal may be a copy's. */
function copyAlignments(link: Link, file: number, after: Link): void {
  const { alignPow2, section } = link.blocks.Extent
  const first = link.files.Ranges.block[file]
  for (let i = 0; i < link.files.Ranges.blocks[file]; i++)
    if (link.outputs.Section.room[link.sections.Blocks.output[section[first + i]]] !== 0)
      alignPow2[first + i] = after.blocks.Extent.alignPow2[i + 1]
}

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array

/** Rows 1 .. count of an object alone to those from `first` on. */
export function copy<C extends Column>(to: C, from: C, first: number, count: number): void {
  to.set(from.subarray(1, 1 + count), first)
}
