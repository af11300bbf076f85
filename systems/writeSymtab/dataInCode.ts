// LC_DATA_IN_CODE: ranges of data among instructions, carried over from the objects to where their blocks went.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { readU16, readU32, writeU16, writeU32 } from '../../src/core/bytes.ts'
import { findBlock } from '../kernels/findBlock.ts'

/** struct data_in_code_entry: u32 offset, u16 length, u16 kind */
const ENTRY_SIZE = 8

interface Entry {
  offset: number
  length: number
  kind: number
}

export function dataInCode(link: Link): Uint8Array {
  const entries: Entry[] = []
  for (const file of link.order) if (link.files.Tables.dataInCodeSize[file] > 0) gather(link, file, entries)
  entries.sort((a, b) => a.offset - b.offset)
  const bytes = new Uint8Array(entries.length * ENTRY_SIZE)
  entries.forEach((entry, i) => {
    writeU32(bytes, i * ENTRY_SIZE, entry.offset)
    writeU16(bytes, i * ENTRY_SIZE + 4, entry.length)
    writeU16(bytes, i * ENTRY_SIZE + 6, entry.kind)
  })
  return bytes
}

function gather(link: Link, file: number, entries: Entry[]): void {
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  const start = link.files.Tables.dataInCode[file]
  const end = start + link.files.Tables.dataInCodeSize[file]
  for (let at = start; at + ENTRY_SIZE <= end; at += ENTRY_SIZE) {
    const block = blockAt(link, file, readU32(bytes, at))
    if (block.id === 0 || (link.blocks.Extent.flags[block.id] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    entries.push({
      offset: link.blocks.Placement.address[block.id] + block.offset - link.settings.imageBase,
      length: readU16(bytes, at + 4),
      kind: readU16(bytes, at + 6),
    })
  }
}

/** Entries of an object count from its first section's address. */
function blockAt(link: Link, file: number, address: number): { id: number; offset: number } {
  const { Header, Blocks } = link.sections
  const first = link.files.Ranges.section[file]
  for (let section = first; section < first + link.files.Ranges.sections[file]; section++) {
    const offset = address - Header.address[section]
    if (offset < 0 || offset >= Header.size[section] || Blocks.count[section] === 0) continue
    const id = findBlock(link.blocks.Extent.offset, Blocks.first[section], Blocks.count[section], offset)
    return { id, offset: offset - link.blocks.Extent.offset[id] }
  }
  return { id: 0, offset: 0 }
}
