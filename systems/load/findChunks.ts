// Which mentions are of one name: a chunk is a part of the hashes, with a table of its own that lives in the L2 cache.
import type { Link } from '../../components/link.ts'
import { eachChunk, MENTION_WORDS, type MentionParts } from '../../components/mentionParts.ts'

/** Set in the number of a mention that is the first of a name without a row. */
export const FIRST_MENTION = 0x80000000

export interface FindJob {
  parts: MentionParts
  /** By list: the entry before its first. The names of a part are numbered from its first list's on. */
  base: Uint32Array
  /** By part: how many names it has; COLLIDING when too many have the same hash. */
  names: Uint32Array
  /** By entry: the number of its name. */
  numbers: Uint32Array
  /** By number: the row of a name that has one, and its hash. */
  ids: Uint32Array
  hashes: Uint32Array
}

export const COLLIDING = 0xffffffff

/** Entries looked at past the first, by mention: 0.2 in a table that is three quarters full. */
const MOST_PROBES = 64

/*
 * An entry of `table`: number within the part (0: empty), hash, its first word in `texts`, bytes.
 * By number, from 1: the hash, the least key, and which entry of the part that is.
 */
interface PartTable {
  table: Uint32Array
  mask: number
  texts: Uint32Array
  used: number
  least: Uint32Array
  first: Uint32Array
  hash: Uint32Array
  count: number
  probes: number
}

const ENTRY = 4
/** Names that a table has room for at first: it grows, and stays for the next part. */
const FIRST_MASK = 4095

/** Numbers the names of a part, and says of each mention the number of its name. */
export function findChunks(link: Link, job: FindJob, take: () => number): void {
  const table: PartTable = {
    table: new Uint32Array((FIRST_MASK + 1) * ENTRY),
    mask: FIRST_MASK,
    texts: new Uint32Array(FIRST_MASK * 16),
    used: 0,
    least: new Uint32Array(FIRST_MASK + 1),
    first: new Uint32Array(FIRST_MASK + 1),
    hash: new Uint32Array(FIRST_MASK + 1),
    count: 0,
    probes: 0,
  }
  for (let part = take(); part >= 0; part = take()) {
    job.names[part] = findPart(job, part, table)
    link.names.probes += table.probes
    if (job.names[part] !== COLLIDING) markFirst(job, job.base[part], table)
  }
}

/** Returns how many names the part has, or COLLIDING. */
function findPart({ parts, base, numbers }: FindJob, part: number, table: PartTable): number {
  table.table.fill(0)
  table.used = 0
  table.count = 0
  table.probes = 0
  let entry = base[part]
  for (let list = part; list < parts.head.length; list += 1 << parts.bits)
    eachChunk(parts, list, (from, to) => {
      if (!isColliding(table, entry - base[part])) entry = findRun(parts, from, to, numbers, entry, base[part], table)
    })
  return isColliding(table, entry - base[part]) ? COLLIDING : table.count
}

function isColliding({ probes }: PartTable, seen: number): boolean {
  return probes > (seen + FIRST_MASK) * MOST_PROBES
}

/** Returns the entry behind the last. */
function findRun(
  { words }: MentionParts,
  from: number,
  to: number,
  numbers: Uint32Array,
  entry: number,
  base: number,
  table: PartTable,
): number {
  for (let at = from; at < to; entry++) {
    const length = words[at + 2]
    const number = numberOf(table, words, at, length)
    const key = words[at + 1]
    if (key < table.least[number]) {
      table.least[number] = key
      table.first[number] = entry
    }
    numbers[entry] = base + number
    at += MENTION_WORDS + ((length + 3) >>> 2)
  }
  return entry
}

function numberOf(table: PartTable, words: Uint32Array, mention: number, length: number): number {
  const { table: entries, mask, texts } = table
  const hash = words[mention]
  let at = (hash & mask) * ENTRY
  for (; entries[at] !== 0; at = (at + ENTRY) & (mask * ENTRY)) {
    if (entries[at + 1] === hash && entries[at + 3] === length) {
      const text = entries[at + 2]
      const size = (length + 3) >>> 2
      let i = 0
      while (i < size && texts[text + i] === words[mention + MENTION_WORDS + i]) i++
      if (i === size) return entries[at]
    }
    table.probes++
  }
  return addName(table, words, mention, length)
}

function addName(table: PartTable, words: Uint32Array, mention: number, length: number): number {
  const size = (length + 3) >>> 2
  if ((table.count + 1) * 4 > table.mask * 3) growTable(table)
  if (table.used + size > table.texts.length) growTexts(table, size)
  const { table: entries, texts, used } = table
  const hash = words[mention]
  const at = emptyFor(table, hash)
  const number = ++table.count
  entries[at] = number
  entries[at + 1] = hash
  entries[at + 2] = used
  entries[at + 3] = length
  for (let i = 0; i < size; i++) texts[used + i] = words[mention + MENTION_WORDS + i]
  table.used = used + size
  table.least[number] = 0xffffffff
  table.hash[number] = hash
  return number
}

function emptyFor({ table, mask }: PartTable, hash: number): number {
  let at = (hash & mask) * ENTRY
  while (table[at] !== 0) at = (at + ENTRY) & (mask * ENTRY)
  return at
}

function growTable(table: PartTable): void {
  const old = table.table
  table.mask = table.mask * 2 + 1
  table.table = new Uint32Array(old.length * 2)
  for (const name of ['least', 'first', 'hash'] as const) {
    const grown = new Uint32Array(table.mask + 1)
    grown.set(table[name])
    table[name] = grown
  }
  for (let from = 0; from < old.length; from += ENTRY)
    if (old[from] !== 0) table.table.set(old.subarray(from, from + ENTRY), emptyFor(table, old[from + 1]))
}

function growTexts(table: PartTable, size: number): void {
  const grown = new Uint32Array(table.texts.length * 2 + size)
  grown.set(table.texts)
  table.texts = grown
}

function markFirst({ parts, numbers, ids, hashes }: FindJob, base: number, table: PartTable): void {
  const { least, first, count, hash } = table
  for (let number = 1; number <= count; number++) {
    hashes[base + number] = hash[number]
    if (least[number] <= parts.known) ids[base + number] = least[number]
    else numbers[first[number]] = (FIRST_MENTION | (base + number)) >>> 0
  }
}
