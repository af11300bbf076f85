// External names in the order in which they are first met, which is that of ld64.lld's symbol table: names that options want;
// then file by file what is in no section, what is in sections by place, what is undefined; then what the linker adds.
import { FILE_EXPLICIT } from '../../components/files.ts'
import { knownName } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_COMMON,
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_WEAK_DEF,
} from '../../components/symbols.ts'

interface Mentions {
  names: Uint32Array
  count: number
  seen: Uint8Array
  /** N_INDR records, which come after all files. */
  indirect: ReadonlySet<number> | null
  /** Of one file: how many of its symbols begin in each block, then where the next one goes. */
  starts: Uint32Array
  inSections: Uint32Array
  placed: Uint32Array
  placedCount: number
  undefineds: Uint32Array
  undefinedCount: number
}

/** Rows of all external names that loaded files mention, once each. Cost: the external symbols, and the blocks of files with some. */
export function mentionOrder(link: Link): Uint32Array {
  const { files, names, symbols } = link
  let [mostSymbols, mostBlocks] = [0, 0]
  for (const file of link.order) {
    mostSymbols = Math.max(mostSymbols, files.Ranges.symbols[file])
    mostBlocks = Math.max(mostBlocks, files.Ranges.blocks[file])
  }
  const mentions: Mentions = {
    names: new Uint32Array(names.count),
    count: 0,
    seen: new Uint8Array(names.count + 1),
    indirect: link.indirects.length === 0 ? null : new Set(link.indirects.filter((_, i) => i % 2 === 1)),
    starts: new Uint32Array(mostBlocks + 1),
    inSections: new Uint32Array(mostSymbols),
    placed: new Uint32Array(mostSymbols),
    placedCount: 0,
    undefineds: new Uint32Array(mostSymbols),
    undefinedCount: 0,
  }
  mentions.seen[0] = 1
  mentionWanted(link, mentions)
  const header = knownName(link, '__mh_execute_header')
  for (const file of link.order) {
    if (!isNamed(link, file)) mention(mentions, header)
    mentionFile(link, mentions, file)
  }
  for (let i = 1; i < link.indirects.length; i += 2) mention(mentions, symbols.Definition.name[link.indirects[i]])
  const first = files.Ranges.symbol[link.internal.file]
  const end = first + files.Ranges.symbols[link.internal.file]
  for (let symbol = first; symbol < end; symbol++) mention(mentions, symbols.Definition.name[symbol])
  return mentions.names.subarray(0, mentions.count)
}

/** Libraries that objects ask for are read once the linker has defined its own symbols (ld64.lld). */
function isNamed(link: Link, file: number): boolean {
  const { Order, Source } = link.files
  return (Source.flags[Order.parent[file] || file] & FILE_EXPLICIT) !== 0
}

function mention(mentions: Mentions, name: number): void {
  if (mentions.seen[name] !== 0) return
  mentions.seen[name] = 1
  mentions.names[mentions.count++] = name
}

function mentionWanted(link: Link, mentions: Mentions): void {
  for (const text of link.settings.forceUndefined ?? []) mention(mentions, knownName(link, text))
  if (link.entry > 0) mention(mentions, link.entry)
  for (const text of link.settings.exportedSymbols ?? []) mention(mentions, knownName(link, text))
}

// Small functions with a loop each: V8 took 40 ms to compile all of them in one, most of what the whole takes.

function mentionFile(link: Link, mentions: Mentions, file: number): void {
  const { name, block } = link.symbols.Definition
  const firstBlock = link.files.Ranges.block[file]
  const blocks = link.files.Ranges.blocks[file]
  mentions.placedCount = 0
  mentions.undefinedCount = 0
  sortOut(link, mentions, file)
  const { starts, inSections, placedCount } = mentions
  if (placedCount > 0) {
    addUp(starts, blocks)
    placeSymbols(mentions, block, firstBlock, placedCount)
    sortTies(link, inSections, placedCount)
    mentions.count = mentionAll(mentions, name, inSections, placedCount)
    starts.fill(0, 0, blocks)
  }
  mentions.count = mentionAll(mentions, name, mentions.undefineds, mentions.undefinedCount)
}

/** Mentions what is in no section, lists what is, and what is undefined. */
function sortOut(link: Link, mentions: Mentions, file: number): void {
  const { flags, name, block } = link.symbols.Definition
  const { starts, indirect, placed, undefineds } = mentions
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  const firstBlock = link.files.Ranges.block[file]
  const blocks = link.files.Ranges.blocks[file]
  for (let symbol = first; symbol < end; symbol++) {
    const is = flags[symbol]
    if ((is & SYMBOL_EXTERNAL) === 0 || name[symbol] === 0 || (indirect !== null && isIndirect(mentions, symbol)))
      continue
    const at = block[symbol] - firstBlock
    const isOutside = at < 0 || at >= blocks
    if ((is & IN_NO_SECTION) !== 0 || ((is & SYMBOL_DEFINED) !== 0 && isOutside)) mention(mentions, name[symbol])
    else if (is & SYMBOL_DEFINED) {
      starts[at]++
      placed[mentions.placedCount++] = symbol
    } else undefineds[mentions.undefinedCount++] = symbol
  }
}

const IN_NO_SECTION = SYMBOL_ABSOLUTE | SYMBOL_COMMON

function isIndirect(mentions: Mentions, symbol: number): boolean {
  return mentions.indirect?.has(symbol) === true
}

/** From counts to starts. */
function addUp(starts: Uint32Array, count: number): void {
  let at = 0
  for (let i = 0; i < count; i++) {
    const here = starts[i]
    starts[i] = at
    at += here
  }
}

/** Returns how many names have been mentioned then. */
function mentionAll(mentions: Mentions, nameOf: Uint32Array, symbols: Uint32Array, count: number): number {
  const { names, seen } = mentions
  let to = mentions.count
  for (let i = 0; i < count; i++) {
    const name = nameOf[symbols[i]]
    if (seen[name] !== 0) continue
    seen[name] = 1
    names[to++] = name
  }
  return to
}

/** What began outside the file's own blocks (tentative definitions) has been mentioned already. */
function placeSymbols(mentions: Mentions, block: Uint32Array, firstBlock: number, count: number): void {
  const { starts, inSections, placed } = mentions
  for (let i = 0; i < count; i++) inSections[starts[block[placed[i]] - firstBlock]++] = placed[i]
}

/** Symbols of one block by offset, at one place the weak ones last; nearly every block has a single symbol. */
function sortTies(link: Link, symbols: Uint32Array, count: number): void {
  const { block, offset, flags } = link.symbols.Definition
  let from = 0
  for (let i = 1; i <= count; i++) {
    if (i < count && block[symbols[i]] === block[symbols[from]]) continue
    if (i - from > 1)
      symbols
        .subarray(from, i)
        .sort((a, b) => offset[a] - offset[b] || (flags[a] & SYMBOL_WEAK_DEF) - (flags[b] & SYMBOL_WEAK_DEF) || a - b)
    from = i
  }
}
