// The columns of a kept link, whose files have the rows that they had, as those of the new one: nothing is copied but what later systems
// write to and what tells where things were. What is loaded anew finds its rows empty.
import type { Blocks } from '../../components/blocks.ts'
import { FILE_LOADED, FILE_OBJECT } from '../../components/files.ts'
import { internalBytes } from '../../components/internal.ts'
import type { Kept } from '../../components/kept.ts'
import type { Link } from '../../components/link.ts'
import { createSpare, takeSpare } from '../../components/spare.ts'
import { moveName, restoreIndex, takeNames } from '../../components/names.ts'
import { unsettleNames } from '../kernels/settled.ts'
import type { Symbols } from '../../components/symbols.ts'

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array

/** Rows that load makes: those of the link's own, and of what it has written there, are made anew. */
export function takeRows(link: Link, { link: old, from }: Kept): void {
  takeSpareColumns(link, old)
  takeSymbols(link.symbols, old.symbols)
  takeBlocks(link.blocks, old.blocks)
  takeNames(link.names, old.names)
  restoreIndex(link.names)
  moveOwnNames(link, old)
  const { internal } = link
  clear(loadedSymbols(link.symbols), internal.symbol, old.symbols.count + 1)
  clear(loadedBlocks(link.blocks), internal.block, old.blocks.count + 1)
  for (let file = 1; file < internal.file; file++) {
    if (from[file] !== 0) continue
    unsettleNames(old, file)
    clearRows(link, file)
  }
}

/** Objects that the new link does not load after all, members of archives, have no rows. */
export function dropRows(link: Link, { from, inPlace }: Kept): void {
  if (!inPlace) return
  const { kind, flags } = link.files.Source
  for (let file = 1; file < from.length; file++)
    if (kind[file] === FILE_OBJECT && from[file] !== 0 && (flags[file] & FILE_LOADED) === 0) clearRows(link, file)
}

/** Of the links before the kept one. */
function takeSpareColumns(link: Link, old: Link): void {
  const spare = old.spare ?? createSpare()
  const { blocks, symbols, names, unwinds } = link
  // Those of blocks and symbols have no rows yet.
  const blockRows = old.blocks.Extent.section.length - 1
  const { size, flags } = blocks.Extent
  const extent = { size, flags }
  takeSpare(spare, 'blocks.Extent', extent, blockRows)
  Object.assign(blocks.Extent, extent)
  takeSpare(spare, 'blocks.Placement', blocks.Placement, blockRows)
  takeSpare(spare, 'blocks.Links', blocks.Links, blockRows)
  takeSpare(spare, 'symbols.Reference', symbols.Reference, old.symbols.Definition.block.length - 1)
  takeSpare(spare, 'names.Resolution', names.Resolution, names.Resolution.symbol.length - 1)
  takeSpare(spare, 'names.Offer', names.Offer, names.Offer.member.length - 1)
  takeSpare(spare, 'unwinds.Range', unwinds.Range, unwinds.Range.block.length - 1)
  takeSpare(spare, 'unwinds.Entry', unwinds.Entry, unwinds.Entry.encoding.length - 1)
  link.spare = spare
  old.spare = null
}

function clearRows(link: Link, file: number): void {
  const { symbol, block } = link.files.Ranges
  clear(loadedSymbols(link.symbols), symbol[file], symbol[file + 1])
  clear(loadedBlocks(link.blocks), block[file], block[file + 1])
}

function clear(columns: readonly Column[], from: number, to: number): void {
  for (const column of columns) column.fill(0, from, to)
}

function takeSymbols(symbols: Symbols, old: Symbols): void {
  Object.assign(symbols.Definition, old.Definition)
  Object.assign(symbols.Loaded, old.Loaded)
  symbols.Definition.flags.set(old.Loaded.flags)
}

function loadedSymbols({ Definition, Loaded }: Symbols): Column[] {
  return [...Object.values(Definition), ...Object.values(Loaded)]
}

/** Flags and sizes tell where things were. */
function takeBlocks(blocks: Blocks, old: Blocks): void {
  const { section, offset, size, alignPow2 } = old.Extent
  Object.assign(blocks.Extent, { section, offset, alignPow2 })
  Object.assign(blocks.Relocations, old.Relocations)
  Object.assign(blocks.Loaded, old.Loaded)
  blocks.Extent.size.set(size)
  alignPow2.set(old.Loaded.alignPow2)
}

function loadedBlocks({ Extent, Relocations, Loaded }: Blocks): Column[] {
  return [...Object.values(Extent), ...Object.values(Relocations), ...Object.values(Loaded)]
}

/** Of the kept link's arenas the internal one goes. */
function moveOwnNames(link: Link, old: Link): void {
  const { names, internal, arenas } = link
  const { bytes } = old.arenas.list[internal.arena]
  const { arena, offset, length } = names.Text
  for (let name = arena.indexOf(internal.arena, 1); name > 0 && name <= names.count; ) {
    const position = internalBytes(link, length[name] + 1)
    arenas.list[internal.arena].bytes.set(bytes.subarray(offset[name], offset[name] + length[name]), position)
    moveName(names, name, position)
    name = arena.indexOf(internal.arena, name + 1)
  }
}
