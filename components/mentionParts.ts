// Mentions of names by parts of their hashes, each with its text: what a part looks up lies side by side and fits the caches. Lists
// in shared memory, one for each part and area; a thread fills an area of its own. They live as long as a load runs.
import type { Arenas } from './arena.ts'
import { column } from './columns.ts'
import { HASH_BITS, LENGTH_MASK, type Mentions } from './names.ts'

/*
 * A list is a chain of chunks of entries, which do not cross from one into the next (a long entry has a chunk of several pages):
 *   hash, key, length, then the text in words, the last one filled with zeros
 * The key of a name that has a row is its id, that of a mention its symbol plus `known`, the number of such names: the least key
 * of a name says where it comes first. Such names have the last area to themselves.
 * By list (area << bits | part): the first pages of its first chunk, `head` (0: none), and of its last, `tail`; `cursor`, the word
 * behind its last entry, and `limit`, the word behind its last chunk; `count` of entries. By first page of a chunk: `next`; `end`, the
 * word behind its last entry, but for the tail. Page 0 is not used; `taken` counts the pages.
 */
export interface MentionParts {
  shared: boolean
  bits: number
  areas: number
  known: number
  words: Uint32Array
  next: Uint32Array
  end: Uint32Array
  head: Uint32Array
  tail: Uint32Array
  cursor: Uint32Array
  limit: Uint32Array
  count: Uint32Array
  taken: Uint32Array
}

/** Words of an entry before its text. */
export const MENTION_WORDS = 3
const PAGE_SHIFT = 10
const PAGE_WORDS = 1 << PAGE_SHIFT

/** Mentions a part: what is looked up there fits into the L2 cache. */
const MENTIONS_A_PART = 1 << 14
const LEAST_BITS = 4
const MOST_BITS = 9

/** Words of entries that a thread may put into lists at once; more is left to the caller, who can make room. */
const MOST_AT_ONCE = 1 << 22
/** Of a page, entries fill at least so many eighths, unless they are long. */
const FILLED = 7
const LONG = PAGE_WORDS / 8

/** Room for about `bytes` of entries of `count` mentions, in lists of `threads`. Pages that are not written cost nothing. */
export function createMentionParts(
  count: number,
  bytes: number,
  threads: number,
  known: number,
  shared: boolean,
): MentionParts {
  let bits = LEAST_BITS
  while (bits < MOST_BITS && count >>> bits > MENTIONS_A_PART) bits++
  const lists = (threads + 1) << bits
  const pages = pagesFor(bytes / 4, 0, lists) + threads * pagesFor(MOST_AT_ONCE, 0, 1 << bits)
  const make = (length: number) => column('u32', length - 1, shared)
  return {
    shared,
    bits,
    areas: threads + 1,
    known,
    words: make(pages << PAGE_SHIFT),
    next: make(pages),
    end: make(pages),
    head: make(lists),
    tail: make(lists),
    cursor: make(lists),
    limit: make(lists),
    count: make(lists),
    taken: make(1),
  }
}

/** Pages for entries of so many words, when each of the lists may begin a new one. */
function pagesFor(words: number, long: number, lists: number): number {
  return 1 + lists + long + Math.ceil((words * 8) / FILLED / PAGE_WORDS)
}

/** Pages that mentions 0 .. count - 1 may take. */
function pagesOf({ bits }: MentionParts, { place }: Mentions, count: number): number {
  let words = 0
  let long = 0
  for (let i = 0; i < count; i++) {
    const size = entryWords(place[i] & LENGTH_MASK)
    if (size > LONG) long += 1 + (size >>> PAGE_SHIFT)
    else words += size
  }
  return pagesFor(words, long, 1 << bits)
}

function entryWords(length: number): number {
  return MENTION_WORDS + ((length + 3) >>> 2)
}

/**
 * Puts mentions 0 .. count - 1 into the lists of `area`, which no other thread uses meanwhile, and gives their symbols the number of
 * the part, plus 1, for a name. Returns false, with nothing done, where there may be no room while other threads take theirs.
 */
export function sortMentions(
  parts: MentionParts,
  arenas: Arenas,
  area: number,
  mentions: Mentions,
  count: number,
  nameOf: Uint32Array,
): boolean {
  const most = pagesFor(MOST_AT_ONCE, 0, 1 << parts.bits)
  const free = parts.next.length - Atomics.load(parts.taken, 0)
  if (free < most * (parts.areas - 1) || pagesOf(parts, mentions, count) > most) return false
  putMentions(parts, arenas, area, mentions, count, nameOf)
  return true
}

/** The same, while no other thread does so; makes room where there is none. */
export function sortMentionsAlone(
  parts: MentionParts,
  arenas: Arenas,
  area: number,
  mentions: Mentions,
  count: number,
  nameOf: Uint32Array | null,
): void {
  const { shared } = parts
  const pages = parts.taken[0] + 1 + pagesOf(parts, mentions, count)
  if (pages > parts.next.length)
    for (const name of ['words', 'next', 'end'] as const) {
      const old = parts[name]
      parts[name] = column('u32', ((pages * 2) << (name === 'words' ? PAGE_SHIFT : 0)) - 1, shared)
      parts[name].set(old)
    }
  putMentions(parts, arenas, area, mentions, count, nameOf)
}

function putMentions(
  parts: MentionParts,
  arenas: Arenas,
  area: number,
  { row, start, place, hash }: Mentions,
  count: number,
  nameOf: Uint32Array | null,
): void {
  const { words, cursor, limit, known, count: counts } = parts
  const shift = HASH_BITS - parts.bits
  const first = area << parts.bits
  for (let i = 0; i < count; i++) {
    const part = hash[i] >>> shift
    const list = first + part
    const length = place[i] & LENGTH_MASK
    const { view, bytes } = arenas.list[place[i] >>> 24]
    let at = cursor[list]
    if (at + MENTION_WORDS + ((length + 3) >>> 2) > limit[list]) at = addChunk(parts, list, entryWords(length))
    words[at] = hash[i]
    words[at + 1] = row[i] + known
    words[at + 2] = length
    at += MENTION_WORDS
    let from = start[i]
    const end = from + length
    for (; from + 4 <= end; from += 4) words[at++] = view.getInt32(from, true)
    if (from < end) words[at++] = lastWord(view, bytes.length, from, end)
    cursor[list] = at
    counts[list]++
    if (nameOf !== null) nameOf[row[i]] = part + 1
  }
}

/** `size` is that of the arena: a view has to be asked for it by a call. */
function lastWord(view: DataView, size: number, from: number, end: number): number {
  if (from + 4 <= size) return view.getInt32(from, true) & ((1 << ((end - from) << 3)) - 1)
  let word = 0
  for (let shift = 0; from < end; from++, shift += 8) word |= view.getUint8(from) << shift
  return word
}

/** Returns where the first entry goes, which is of `size` words. */
function addChunk(parts: MentionParts, list: number, size: number): number {
  const { head, tail, cursor, limit, next, end, taken } = parts
  const pages = Math.ceil(size / PAGE_WORDS)
  const page = Atomics.add(taken, 0, pages) + 1
  if (head[list] === 0) head[list] = page
  else {
    next[tail[list]] = page
    end[tail[list]] = cursor[list]
  }
  tail[list] = page
  limit[list] = (page + pages) << PAGE_SHIFT
  return page << PAGE_SHIFT
}

/** Once the mentions have been looked up; what the lists count stays. */
export function releaseMentions(parts: MentionParts): void {
  parts.words = parts.next = parts.end = new Uint32Array(0)
}

/** By list, how many entries stand before its first, part by part. Returns how many there are in all. */
export function sumEntries({ bits, count }: MentionParts, base: Uint32Array): number {
  let entries = 0
  for (let part = 0; part < 1 << bits; part++)
    for (let list = part; list < base.length; list += 1 << bits) {
      base[list] = entries
      entries += count[list]
    }
  return entries
}

/** Calls `visit` with the words from .. to - 1 of each chunk of a list. */
export function eachChunk(parts: MentionParts, list: number, visit: (from: number, to: number) => void): void {
  const { head, tail, next, end, cursor } = parts
  for (let page = head[list]; page !== 0; page = next[page])
    visit(page << PAGE_SHIFT, page === tail[list] ? cursor[list] : end[page])
}
