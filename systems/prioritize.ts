// prioritize: which blocks come first in their output sections: those of -order_file, then those that call profiles put together.
// Reads: symbols and their names, folded blocks, profiles. Writes: link.priorities (empty when nothing asks for an order).
// After fold, whose leaders take over the priorities of what they stand for; before allocate. Cost: nothing without an order;
// with an order file a hash of each symbol's name.

import { column } from '../components/columns.ts'
import type { Link } from '../components/link.ts'
import { WHERE_GLOBAL } from '../components/names.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED } from '../components/symbols.ts'
import { toText } from '../src/core/bytes.ts'
import { error } from '../src/core/messages.ts'
import { HostError } from '../src/host/host.ts'
import { orderByCalls } from './prioritize/callGraph.ts'
import { type OrderList, orderOf, parseOrderFile } from './prioritize/orderFile.ts'
import { readProfiles } from './prioritize/profile.ts'
import { symbolText } from './kernels/places.ts'
import { tablesOf } from './kernels/symbolTables.ts'

const HIGHEST = 0xffffffff

export function prioritize(link: Link): void {
  const { orderFile, callGraphProfileSort = true } = link.settings
  const sorts = callGraphProfileSort && link.profiles.length > 0
  if (orderFile === undefined && !sorts) return
  link.priorities = column('u32', link.blocks.count)
  const list = orderFile === undefined ? null : readOrderFile(link, orderFile)
  if (list !== null) for (const file of link.order) prioritizeFile(link, list, file)
  if (sorts) sortByProfile(link, list?.left ?? HIGHEST)
}

function readOrderFile(link: Link, path: string): OrderList | null {
  const stat = link.host.stat(path)
  try {
    if (stat === null) throw new HostError('ENOENT', 'No such file or directory')
    const bytes = new Uint8Array(stat.size)
    const size = link.host.readInto(path, bytes, 0, stat.size, 0)
    link.visited.read += size
    link.dependencies.read.push(path)
    return parseOrderFile(toText(bytes, 0, size), link.arch.name)
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    link.dependencies.missing.push(path)
    error(link.messages, 'cannot-open', `cannot open ${path}: ${trouble.message}`, { file: path })
    return null
  }
}

/** A block takes the highest priority among the symbols that it defines. */
function prioritizeFile(link: Link, list: OrderList, file: number): void {
  const { files, symbols, names, blocks, priorities } = link
  const { flags, name, block } = symbols.Definition
  const { bytes, words } = tablesOf(link, file)
  const id = list.files.get(baseName(link, file)) ?? 0
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  const stringsEnd = files.Tables.strings[file] + files.Tables.stringsSize[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED) continue
    const external = name[symbol]
    if (
      external !== 0 &&
      (names.Resolution.where[external] !== WHERE_GLOBAL || names.Resolution.symbol[external] !== symbol)
    )
      continue
    const from = files.Tables.strings[file] + words[files.Tables.nlist[file] / 4 + (symbol - first) * 4]
    let to = from
    while (to < stringsEnd && bytes[to] !== 0) to++
    const priority = orderOf(list, bytes, from, to, id)
    const home = blocks.Placement.leader[block[symbol]] || block[symbol]
    if (priority > priorities[home]) priorities[home] = priority
  }
  link.visited.rows += end - first
}

/** `file.o`, or `archive.a(file.o)`, without directories: how order files name an object. */
function baseName(link: Link, file: number): string {
  const { path } = link.files.Source
  const parent = link.files.Order.parent[file]
  const last = (text: string): string => text.replace(/^.*[/\\]/, '')
  const own = last(link.paths[path[file]])
  return parent === 0 ? own : `${last(link.paths[path[parent]])}(${own})`
}

function sortByProfile(link: Link, highest: number): void {
  const graph = readProfiles(link, link.priorities)
  const ordered = orderByCalls(graph, link.blocks.Extent.size, link.settings.pageSize)
  for (let i = 0; i < ordered.length; i++) link.priorities[ordered[i]] = highest - i
  if (link.settings.printSymbolOrder !== undefined) link.reports.print_symbol_order = orderText(link, ordered)
}

/** Every symbol of every ordered block, a line each. */
function orderText(link: Link, ordered: Uint32Array): string {
  const { flags, block } = link.symbols.Definition
  const lines: string[] = []
  for (const home of ordered) {
    const file = link.sections.Header.file[link.blocks.Extent.section[home]]
    const first = link.files.Ranges.symbol[file]
    for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++)
      if (flags[symbol] & SYMBOL_DEFINED && block[symbol] === home) lines.push(`${symbolText(link, file, symbol)}\n`)
  }
  return lines.join('')
}
