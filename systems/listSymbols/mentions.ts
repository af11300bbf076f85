// External names in the order in which they are first met, which is that of ld64.lld's symbol table: names that options want;
// then file by file what is in no section, what is in sections by place, what is undefined; then what the linker adds.
import { memory } from '../../components/columns.ts'
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

/** Room for what a file mentions, as large as the largest file. */
export interface MentionScratch {
  /** By block: how many of the file's symbols begin in it, then where the next one goes. */
  starts: Uint32Array
  inSections: Uint32Array
  placed: Uint32Array
  placedCount: number
  /** Names. */
  undefineds: Uint32Array
  undefinedCount: number
}

export function createMentionScratch(mostSymbols: number, mostBlocks: number): MentionScratch {
  return {
    starts: new Uint32Array(mostBlocks + 1),
    inSections: new Uint32Array(mostSymbols),
    placed: new Uint32Array(mostSymbols),
    placedCount: 0,
    undefineds: new Uint32Array(mostSymbols),
    undefinedCount: 0,
  }
}

/** Names in the order of first mention. */
interface Mentions {
  names: Uint32Array
  count: number
  seen: Uint8Array
}

/** What `listMentions` found of the files of link.order: of file i, so many names from `starts` on. */
export interface MentionLists {
  names: Uint32Array
  starts: Uint32Array
  counts: Uint32Array
}

/** Rows of all external names that loaded files mention, once each. Cost: a byte a mention; the lists are made before. */
export function mentionOrder(link: Link, lists: MentionLists): Uint32Array {
  const { files, names, symbols, order } = link
  const mentions: Mentions = {
    names: new Uint32Array(memory(names.count * 4, link.arenas.shared)),
    count: 0,
    seen: new Uint8Array(names.count + 1),
  }
  mentions.seen[0] = 1
  for (const name of wantedNames(link)) mention(mentions, name)
  const header = knownName(link, '__mh_execute_header')
  for (let i = 0; i < order.length; i++) {
    if (!isNamed(link, order[i])) mention(mentions, header)
    mentions.count = mentionAll(mentions, lists.names, lists.starts[i], lists.counts[i])
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

/** Rows of the names that options mention, before any file does. */
export function wantedNames(link: Link): number[] {
  const { settings, entry } = link
  const rowOf = (text: string) => knownName(link, text)
  return [
    ...(settings.forceUndefined ?? []).map(rowOf),
    ...(entry > 0 ? [entry] : []),
    ...(settings.exportedSymbols ?? []).map(rowOf),
  ]
}

// Small functions with a loop each: V8 took 40 ms to compile all of them in one, most of what the whole takes.

/**
 * Writes the external names that a file mentions to names[at ..], in order, some more than once; returns the place behind the last.
 * `indirect`: N_INDR records, which come after all files.
 */
export function listMentions(
  link: Link,
  scratch: MentionScratch,
  file: number,
  indirect: ReadonlySet<number> | null,
  names: Uint32Array,
  at: number,
): number {
  const { name, block } = link.symbols.Definition
  const firstBlock = link.files.Ranges.block[file]
  const blocks = link.files.Ranges.blocks[file]
  let to = sortOut(link, scratch, file, indirect, names, at)
  const { starts, inSections, placedCount, undefineds, undefinedCount } = scratch
  if (placedCount > 0) {
    addUp(starts, blocks)
    placeSymbols(scratch, block, firstBlock, placedCount)
    sortTies(link, inSections, placedCount)
    for (let i = 0; i < placedCount; i++) names[to++] = name[inSections[i]]
    starts.fill(0, 0, blocks)
  }
  for (let i = 0; i < undefinedCount; i++) names[to++] = undefineds[i]
  return to
}

/** Writes the names of what is in no section, and lists what is in one, and what is undefined. */
function sortOut(
  link: Link,
  scratch: MentionScratch,
  file: number,
  indirect: ReadonlySet<number> | null,
  names: Uint32Array,
  to: number,
): number {
  const { flags, name, block } = link.symbols.Definition
  const { starts, placed, undefineds } = scratch
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  const firstBlock = link.files.Ranges.block[file]
  const blocks = link.files.Ranges.blocks[file]
  let [placedCount, undefinedCount] = [0, 0]
  for (let symbol = first; symbol < end; symbol++) {
    const is = flags[symbol]
    if ((is & SYMBOL_EXTERNAL) === 0 || name[symbol] === 0 || indirect?.has(symbol) === true) continue
    if ((is & (SYMBOL_DEFINED | IN_NO_SECTION)) === SYMBOL_DEFINED) {
      const at = block[symbol] - firstBlock
      if (at < 0 || at >= blocks) names[to++] = name[symbol]
      else {
        starts[at]++
        placed[placedCount++] = symbol
      }
    } else if ((is & IN_NO_SECTION) !== 0) names[to++] = name[symbol]
    else undefineds[undefinedCount++] = name[symbol]
  }
  scratch.placedCount = placedCount
  scratch.undefinedCount = undefinedCount
  return to
}

const IN_NO_SECTION = SYMBOL_ABSOLUTE | SYMBOL_COMMON

/** From counts to starts. */
function addUp(starts: Uint32Array, count: number): void {
  let at = 0
  for (let i = 0; i < count; i++) {
    const here = starts[i]
    starts[i] = at
    at += here
  }
}

/** Mentions names[from, from + count); returns how many names have been mentioned then. */
function mentionAll(mentions: Mentions, list: Uint32Array, from: number, count: number): number {
  const { names, seen } = mentions
  let to = mentions.count
  for (let i = from; i < from + count; i++) {
    const name = list[i]
    if (seen[name] !== 0) continue
    seen[name] = 1
    names[to++] = name
  }
  return to
}

/** What began outside the file's own blocks (tentative definitions) has been mentioned already. */
function placeSymbols(scratch: MentionScratch, block: Uint32Array, firstBlock: number, count: number): void {
  const { starts, inSections, placed } = scratch
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
