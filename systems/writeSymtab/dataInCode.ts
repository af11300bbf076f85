// LC_DATA_IN_CODE: ranges of data among instructions, carried over from the objects to where their blocks went.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import { readU16, readU32, writeU16, writeU32 } from '../../src/core/bytes.ts'
import { wholeOf } from '../../src/core/pages.ts'
import { error } from '../../src/core/messages.ts'
import { S_ATTR_PURE_INSTRUCTIONS, S_ATTR_SOME_INSTRUCTIONS } from '../../src/formats/macho/constants.ts'
import { findBlock } from '../kernels/findBlock.ts'

/** struct data_in_code_entry: u32 offset, u16 length, u16 kind */
const ENTRY_SIZE = 8
/** DICE_KIND_DATA to DICE_KIND_ABS_JUMP_TABLE32 (<mach-o/loader.h>) */
const FIRST_KIND = 1
const LAST_KIND = 5

interface Entry {
  file: number
  at: number
  offset: number
  length: number
  kind: number
}

export function dataInCode(link: Link): Uint8Array {
  const entries: Entry[] = []
  const size = wholeOf(link.files.Tables.dataInCodeSize)
  for (const file of link.order) if (size[file] > 0) gather(link, file, entries)
  entries.sort((a, b) => a.offset - b.offset)
  for (let i = 1; i < entries.length; i++) {
    const { offset, file, at } = entries[i]
    if (offset < entries[i - 1].offset + entries[i - 1].length) badEntry(link, file, at, 'overlaps another one')
  }
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
    const [length, kind] = [readU16(bytes, at + 4), readU16(bytes, at + 6)]
    if (block.room < length || kind < FIRST_KIND || kind > LAST_KIND) {
      badEntry(link, file, at, `of kind ${kind} and ${length} bytes does not lie in code`)
      continue
    }
    if (block.id === 0 || (link.blocks.Extent.flags[block.id] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    entries.push({
      file,
      at,
      offset: link.blocks.Placement.address[block.id] + block.offset - link.settings.imageBase,
      length,
      kind,
    })
  }
}

function badEntry(link: Link, file: number, at: number, what: string): void {
  const offset = at - link.files.Source.position[file]
  error(
    link.messages,
    'bad-data-in-code',
    `${fileText(link, file)}: data-in-code entry ${what}`,
    locate(link, file, { offset }),
  )
}

/** Entries of an object count from its first section's address. */
function blockAt(link: Link, file: number, address: number): { id: number; offset: number; room: number } {
  const { Header, Blocks } = link.sections
  const first = link.files.Ranges.section[file]
  for (let section = first; section < first + link.files.Ranges.sections[file]; section++) {
    const offset = address - Header.address[section]
    if (offset < 0 || offset >= Header.size[section] || Blocks.count[section] === 0) continue
    const id = findBlock(link.blocks.Extent.offset, Blocks.first[section], Blocks.count[section], offset)
    const isCode = (Header.flags[section] & (S_ATTR_PURE_INSTRUCTIONS | S_ATTR_SOME_INSTRUCTIONS)) !== 0
    return { id, offset: offset - link.blocks.Extent.offset[id], room: isCode ? Header.size[section] - offset : -1 }
  }
  return { id: 0, offset: 0, room: -1 }
}
