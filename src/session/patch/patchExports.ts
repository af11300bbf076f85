// The export trie after exports of one object have come, gone or moved.
import type { Link } from '../../../components/link.ts'
import { SYMBOL_ABSOLUTE } from '../../../components/symbols.ts'
import { encodeExports } from '../../../systems/beginExports.ts'
import { exportFlags } from '../../../systems/beginExports/exportChunks.ts'
import { createExportOrder, sortExports } from '../../../systems/listSymbols/exportOrder.ts'
import { orderByRow } from '../../../systems/listSymbols/byRow.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'
import { ByteSink } from '../../core/bytes.ts'
import { appendUleb64 } from '../../formats/dyld/cursor.ts'
import { editExportTrie } from '../../formats/dyld/editExportTrie.ts'
import { moveExport } from '../../formats/dyld/moveExport.ts'
import { type DirtyPages, markDirty } from './dirtyPages.ts'
import { replaceTable } from './patchTables.ts'

/** Exports of an object: by name where it is, and the symbol's flags. */
export type Exported = Map<number, { address: number; flags: number }>

export function exportedOf(link: Link, file: number): Exported {
  const { external, externals } = link.files.Rows
  const { name, flags } = link.symbols.Definition
  const made: Exported = new Map()
  for (let i = external[file]; i < external[file] + externals[file]; i++) {
    const symbol = link.table.externals[i]
    made.set(name[symbol], { address: link.symbols.Reference.address[symbol], flags: exportFlags(flags[symbol]) })
  }
  return made
}

export function areSameNames(a: Exported, b: Exported): boolean {
  return a.size === b.size && [...a.keys()].every((name) => b.has(name))
}

/** More names than this that come or go are not entered one by one. */
const MOST_EDITS = 100

/** False when the trie leaves its room. */
export function patchExports(link: Link, old: Exported, now: Exported, dirty: DirtyPages): boolean {
  if (link.linkedit.exports === undefined) return true
  const edits = [...old.keys()].filter((name) => !now.has(name))
  for (const [name, { address, flags }] of now) {
    const before = old.get(name)
    if (before?.flags === flags && (before.address === address || moved(link, name, address, flags, dirty))) continue
    edits.push(name)
  }
  return editExports(link, edits, now, dirty)
}

/** Of symbols that have moved. False when the trie leaves its room. */
export function moveExports(link: Link, symbols: readonly number[], dirty: DirtyPages): boolean {
  if (link.linkedit.exports === undefined) return true
  const { name } = link.symbols.Definition
  const files = new Set(symbols.map((symbol) => fileOfRow(link, symbol)))
  const exported: Exported = new Map(Array.from(files).flatMap((file) => [...exportedOf(link, file)]))
  const isLonger = (symbol: number) => {
    const now = exported.get(name[symbol])
    return now !== undefined && !moved(link, name[symbol], now.address, now.flags, dirty)
  }
  const edits = symbols.filter(isLonger).map((symbol) => name[symbol])
  return editExports(link, edits, exported, dirty)
}

/** Enters names anew, or takes those out that are not in `now`. False when the trie leaves its room. */
function editExports(link: Link, edits: readonly number[], now: Exported, dirty: DirtyPages): boolean {
  if (edits.length <= MOST_EDITS && edits.every((name) => edited(link, name, now, dirty))) return true
  orderByRow(link, link.symtab.locals)
  const order = createExportOrder(link)
  sortExports(order)
  return replaceTable(link, dirty, 'exports', encodeExports(link, order))
}

function trieOf({ tail, image, linkedit }: Link): Uint8Array {
  const { offset, bytes } = linkedit.exports!
  return tail.subarray(offset - image.length, offset - image.length + bytes.length)
}

/** False when the address takes another number of bytes. */
function moved(link: Link, name: number, address: number, flags: number, dirty: DirtyPages): boolean {
  const { arena, offset, length } = link.names.Text
  const base = flags & exportFlags(SYMBOL_ABSOLUTE) ? 0 : link.settings.imageBase
  const { bytes } = link.arenas.list[arena[name]]
  const place = moveExport(trieOf(link), bytes, offset[name], length[name], address - base)
  if (place < 0) return false
  const start = link.linkedit.exports!.offset + place
  markDirty(link, dirty, start, start + 10)
  return true
}

function edited(link: Link, name: number, now: Exported, dirty: DirtyPages): boolean {
  const { arena, offset, length } = link.names.Text
  const text = link.arenas.list[arena[name]].bytes.subarray(offset[name], offset[name] + length[name])
  const range = editExportTrie(trieOf(link), text, terminalOf(link, now.get(name)))
  if (range === null) return false
  const start = link.linkedit.exports!.offset
  markDirty(link, dirty, start + range[0], start + range[1])
  return true
}

function terminalOf(link: Link, exported: { address: number; flags: number } | undefined): Uint8Array | null {
  if (exported === undefined) return null
  const sink = new ByteSink(16)
  sink.uleb(exported.flags)
  const base = exported.flags & exportFlags(SYMBOL_ABSOLUTE) ? 0 : link.settings.imageBase
  appendUleb64(sink, exported.address - base)
  return sink.finish()
}
