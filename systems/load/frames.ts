// The blocks of one `__TEXT,__eh_frame` section: one for each record.
import type { Link } from '../../components/link.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { listPlainFrames, type PlainScratch } from '../../src/formats/ehFramePlain.ts'
import { frameRecords, hasDifferences } from '../kernels/frameRecords.ts'
import { setBlock } from './setBlock.ts'

/** Frame records are not aligned one by one: each must begin where the one before ends. Returns how many there are. */
export function splitFrames(link: Link, section: number, block: number, scratch: PlainScratch): number {
  try {
    const plain = hasDifferences(link, section) ? -1 : listPlain(link, section, block, scratch)
    const count = plain < 0 ? listAny(link, section, block) : plain
    const { offset } = link.blocks.Extent
    for (let i = block; i < block + count; i++) setBlock(link, i, section, offset[i], 0)
    return count
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    const start = link.files.Source.position[link.sections.Header.file[section]]
    throw new FormatError(trouble.id, `__eh_frame: ${trouble.message}`, trouble.offset - start)
  }
}

function listPlain(link: Link, section: number, block: number, scratch: PlainScratch): number {
  const { sections, files, blocks } = link
  const { bytes, view } = link.arenas.list[files.Source.arena[sections.Header.file[section]]]
  const from = sections.Bytes.position[section]
  const to = from + sections.Header.size[section]
  return listPlainFrames(bytes, view, from, to, blocks.Extent.offset, blocks.Extent.size, block, scratch)
}

function listAny(link: Link, section: number, block: number): number {
  const { count, at, size } = frameRecords(link, section)
  for (let i = 0; i < count; i++) {
    link.blocks.Extent.offset[block + i] = at[i]
    link.blocks.Extent.size[block + i] = size[i]
  }
  return count
}
