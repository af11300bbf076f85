// Names: one entity a distinct external name, and the resolver from name to {global, import, undefined, tentative}.
import { FormatError } from '../src/core/bytes.ts'
import { hashBytes, sameText } from '../src/core/hash.ts'
import { createKind, spawnRange } from '../src/ecs.ts'
import type { Arenas } from './arena.ts'
import { column, columns } from './columns.ts'
import type { NameId } from './ids.ts'
import { isWorthSeeking, type NameParts, seekInPart } from './nameParts.ts'

export const WHERE_UNKNOWN = 0
export const WHERE_UNDEFINED = 1
export const WHERE_GLOBAL = 2
export const WHERE_IMPORT = 3
export const WHERE_TENTATIVE = 4

/** Some loaded object refers to it without N_WEAK_REF. */
export const NAME_STRONG_REF = 1 << 0
export const NAME_WEAK_REF = 1 << 1
/** A root: -u, -e, -exported_symbol, the linker itself. */
export const NAME_WANTED = 1 << 2
/** In the export trie. */
export const NAME_EXPORTED = 1 << 3
/** A strong definition that overrides a weak one of a dylib. */
export const NAME_OVERRIDES_WEAK = 1 << 4
/** All weak definitions seen so far are private extern. */
export const NAME_PRIVATE = 1 << 5
export const NAME_AUTO_HIDE = 1 << 6
/** Every definition is SYMBOL_REFERENCED_DYNAMICALLY or N_NO_DEAD_STRIP, merged over the copies. */
export const NAME_REFERENCED_DYNAMICALLY = 1 << 9
export const NAME_NO_DEAD_STRIP = 1 << 10
/** Referred to from live blocks (with -dead_strip), else from anywhere. */
export const NAME_LIVE = 1 << 11
/** Reported already. */
export const NAME_REPORTED = 1 << 13

const SETTLED = { where: 'u8', flags: 'u16', symbol: 'u32' } as const

/** In Settled.where: what resolve left there is not what it would say now. */
export const WHERE_STALE = 0xff

/** `keeps`: what resolve has made of the rows stays beside what later systems make of them. */
export function createNames(rows: number, shared: boolean, keeps = false) {
  /** The bytes, where they lie in an arena. */
  const Text = columns(rows, { arena: 'u8', offset: 'u32', length: 'u32', hash: 'u32' }, shared)
  /** `symbol` wins the name; `import` stands for it outside. */
  const Resolution = columns(rows, { where: 'u8', flags: 'u16', symbol: 'u32', import: 'u32' }, shared)
  /** Who could define it: `member`, an unloaded object; `dylib`, an index into link.dylibs plus 1, with the export's flags. */
  const Offer = columns(rows, { member: 'u32', dylib: 'u32', exportFlags: 'u8' }, shared)
  /** Resolution as resolve left it; empty where it is not kept. */
  const Settled = columns(keeps ? rows : 0, SETTLED, shared)
  const components = { Text, Resolution, Offer, Settled }
  // About one name in four rows is distinct where objects share names; the index doubles from there.
  let mask = 1023
  while (mask < rows / 4 && mask < MAX_MASK) mask = mask * 2 + 1
  return {
    world: createKind(components, { reserve: rows }),
    count: 0,
    /** Entries of the index looked at past the first of each search. */
    probes: 0,
    index: column('u32', (mask + 1) * ENTRY - 1, shared),
    mask,
    used: column('u32', REGIONS - 1, shared),
    /** Instead of the index, which is empty then. */
    parts: null as NameParts | null,
    /** What reading ahead has summed up, so that it is not left out. */
    touched: 0,
    shared,
    pool: -1,
    ...components,
  }
}

export type Names = ReturnType<typeof createNames>

/*
 * The hash index is no column: it is rebuilt at twice the size when three quarters full. An entry is 4 words:
 *   name (0: empty), hash, offset, length | arena << 24
 * The last two are the name's Text again: a lookup touches one cache line of the index and the name's bytes, no column.
 * Its place follows from the upper bits of the hash. It has REGIONS equal parts, which probing never leaves: threads fill
 * different regions at once. `used` counts the entries of each.
 */
const ENTRY = 4
export const REGION_BITS = 4
export const REGIONS = 1 << REGION_BITS
/** Hashes have so many bits. */
export const HASH_BITS = 31
export const LENGTH_MASK = 0xffffff
/** How many lookups read ahead together: their entries and names fit the L1 and L2 caches. */
const AHEAD = 512
const MAX_MASK = 0x1ffffff
/** An index that is emptier than this part although a region is full: names made to collide. */
const EMPTIEST = 8

/** Names are at most this long; the loader refuses longer ones. */
export const MAX_NAME_LENGTH = LENGTH_MASK

/*
 * Mentions of external names, one entry each: `row`, the symbol that is to get the name; where its bytes lie: `start`, and
 * `place`: length | arena << 24; `hash`.
 */
export interface Mentions {
  row: Uint32Array
  start: Uint32Array
  place: Uint32Array
  hash: Uint32Array
}

export function createMentions(size: number, shared: boolean): Mentions {
  return columns(size - 1, { row: 'u32', start: 'u32', place: 'u32', hash: 'u32' }, shared)
}

/** Finds the name bytes[offset .. offset + length) or makes a row for it. */
export function internName(
  names: Names,
  arenas: Arenas,
  arena: number,
  offset: number,
  length: number,
  hash: number,
): NameId {
  return intern(names, arenas, offset, length | (arena << 24), hash)
}

function intern(names: Names, arenas: Arenas, start: number, place: number, hash: number): NameId {
  if (isSought(names)) return seek(names, arenas, start, place, hash) || addName(names, arenas, 0, hash, start, place)
  const at = placeFor(names, arenas, start, place, hash)
  if (names.index[at] !== 0) return names.index[at]
  const name = addName(names, arenas, at, hash, start, place)
  if (names.count * 4 > names.mask * 3) growIndex(names)
  return name
}

/** The row of a name of other `names` whose bytes lie in the same arenas; a new one refers to them where they are. */
export function adoptName(names: Names, arenas: Arenas, others: Names, other: NameId): NameId {
  const { arena, offset, length, hash } = others.Text
  const at = placeFor(names, arenas, offset[other], length[other] | (arena[other] << 24), hash[other])
  if (names.index[at] !== 0) return names.index[at]
  const name = addRow(names, at, hash[other], arena[other], offset[other], length[other])
  if (names.count * 4 > names.mask * 3) growIndex(names)
  return name
}

/**
 * A row for a name of other `names` that these do not have, whose bytes lie in the same arenas. The index does not know it before
 * `indexNames`.
 */
export function appendName(names: Names, others: Names, other: NameId): NameId {
  const { arena, offset, length, hash } = others.Text
  const { Text } = names
  const name = ++names.count
  Text.arena[name] = arena[other]
  Text.offset[name] = offset[other]
  Text.length[name] = length[other]
  Text.hash[name] = hash[other]
  return name
}

/** A name's bytes lie at another place of the same arena. */
export function moveName(names: Names, name: NameId, offset: number): void {
  const { index, mask } = names
  const { hash, offset: offsets } = names.Text
  offsets[name] = offset
  if (index.length === 0) return
  const inRegion = (mask >>> REGION_BITS) * ENTRY
  let at = (hash[name] >>> (Math.clz32(mask) - 1)) * ENTRY
  while (index[at] !== name) at = (at & ~inRegion) | ((at + ENTRY) & inRegion)
  index[at + 2] = offset
}

/** The names of a link that is finished, all of them, open again. */
export function takeNames(names: Names, old: Names): void {
  Object.assign(names.Text, old.Text)
  Object.assign(names.Settled, old.Settled)
  Object.assign(names, { count: old.count, index: old.index, mask: old.mask, used: old.used })
}

/** The row of a mention in other `names`, whose arenas are `own`; 0: they have none. */
export function findMention(names: Names, own: Arenas, arenas: Arenas, mentions: Mentions, at: number): NameId {
  restoreIndex(names)
  const { start, place, hash } = mentions
  const { view } = arenas.list[place[at] >>> 24]
  return names.index[probe(names, own, view, start[at], place[at] & LENGTH_MASK, hash[at])]
}

/** Enters all names into the index. @throws FormatError as internName does */
export function indexNames(names: Names): void {
  while (names.count * 4 > names.mask * 3) names.mask = names.mask * 2 + 1
  if (!fillIndex(names)) growIndex(names)
}

/** Place of the entry of a name, or of the empty one where it goes, for which its region has room. */
function placeFor(names: Names, arenas: Arenas, start: number, place: number, hash: number): number {
  if (names.used[hash >>> (HASH_BITS - REGION_BITS)] + 1 >= regionSize(names)) growIndex(names)
  return probe(names, arenas, arenas.list[place >>> 24].view, start, place & LENGTH_MASK, hash)
}

/** Makes the row of a new name, its bytes in the pool, and its entry at `at`. */
function addName(names: Names, arenas: Arenas, at: number, hash: number, start: number, place: number): NameId {
  const length = place & LENGTH_MASK
  const pooled = poolName(names, arenas, arenas.list[place >>> 24].view, start, length)
  if (pooled < 0) return addRow(names, at, hash, place >>> 24, start, length)
  return addRow(names, at, hash, names.pool, pooled, length)
}

function addRow(names: Names, at: number, hash: number, arena: number, offset: number, length: number): NameId {
  const { Text, index } = names
  const name = ++names.count
  Text.arena[name] = arena
  Text.offset[name] = offset
  Text.length[name] = length
  Text.hash[name] = hash
  if (index.length === 0) return name
  names.used[hash >>> (HASH_BITS - REGION_BITS)]++
  index[at] = name
  index[at + 1] = hash
  index[at + 2] = offset
  index[at + 3] = length | (arena << 24)
  return name
}

/**
 * Copies a new name to the pool of names (an arena), so that comparing, sorting and writing names stays within the few
 * megabytes of distinct ones: across 81 MB of inputs nearly each comparison missed the caches. -1 when the pool is full.
 */
function poolName(names: Names, arenas: Arenas, view: DataView, from: number, length: number): number {
  if (names.pool < 0) return -1
  const pool = arenas.list[names.pool]
  const start = pool.used
  if (start + length > pool.bytes.length) return -1
  const target = pool.view
  let i = 0
  for (; i + 4 <= length; i += 4) target.setInt32(start + i, view.getInt32(from + i, true), true)
  for (; i < length; i++) target.setUint8(start + i, view.getUint8(from + i))
  pool.used = start + length
  return start
}

/** Looks up mentions from .. to - 1 in turn and gives their symbols the names. */
export function internMentions(
  names: Names,
  arenas: Arenas,
  mentions: Mentions,
  from: number,
  to: number,
  nameOf: Uint32Array,
): void {
  const { row, start, place, hash } = mentions
  for (let at = from; at < to; ) {
    const end = Math.min(at + AHEAD, to)
    names.touched = touch(names, arenas, hash, at, end)
    for (; at < end; at++) nameOf[row[at]] = intern(names, arenas, start[at], place[at], hash[at])
  }
}

/**
 * As internMentions, for the few mentions of one object in names whose index has been freed: those that are among `likely` cost nothing, each
 * other one a look at all hashes. The index is made anew where that is less.
 */
export function internFew(
  names: Names,
  arenas: Arenas,
  mentions: Mentions,
  count: number,
  nameOf: Uint32Array,
  likely: Uint32Array,
): void {
  const { row, start, place, hash } = mentions
  const rows = new Map(Array.from(likely, (name) => [names.Text.hash[name], name]))
  const others: number[] = []
  for (let at = 0; at < count; at++) {
    const name = rows.get(hash[at]) ?? 0
    if (
      name !== 0 &&
      isText(names, arenas, name, arenas.list[place[at] >>> 24].view, start[at], place[at] & LENGTH_MASK)
    )
      nameOf[row[at]] = name
    else others.push(at)
  }
  if (others.length > MOST_SOUGHT) restoreIndex(names)
  for (const at of others) {
    const isFree = names.index.length === 0
    const known = isFree ? seek(names, arenas, start[at], place[at], hash[at]) : 0
    const made = isFree && known === 0 ? addName(names, arenas, 0, hash[at], start[at], place[at]) : known
    nameOf[row[at]] = made || intern(names, arenas, start[at], place[at], hash[at])
  }
}

/** A look at a million hashes takes half a millisecond, an index of them 100. */
const MOST_SOUGHT = 32

/** Whether this lookup goes without the index, which is made if not. */
function isSought(names: Names): boolean {
  if (names.parts === null) return false
  if (isWorthSeeking(names.parts, names.count)) return true
  restoreIndex(names)
  return false
}

/** The row of a name without the index, or 0. */
function seek(names: Names, arenas: Arenas, start: number, place: number, hash: number): NameId {
  return seekText(names, arenas, arenas.list[place >>> 24].view, start, place & LENGTH_MASK, hash)
}

function seekText(names: Names, arenas: Arenas, view: DataView, from: number, length: number, hash: number): NameId {
  const { parts } = names
  const isIt = (name: NameId): boolean => isText(names, arenas, name, view, from, length)
  const found = parts === null ? 0 : seekInPart(parts, hash, HASH_BITS, isIt)
  if (found !== 0) return found
  const hashes = names.Text.hash.subarray(0, names.count + 1)
  let name = hashes.indexOf(hash, (parts?.covered ?? 0) + 1)
  while (name > 0 && !isIt(name)) name = hashes.indexOf(hash, name + 1)
  return Math.max(name, 0)
}

function isText(
  { Text }: Names,
  { list }: Arenas,
  name: NameId,
  view: DataView,
  from: number,
  length: number,
): boolean {
  if (Text.length[name] !== length) return false
  return sameText(list[Text.arena[name]].view, Text.offset[name], view, from, length)
}

/**
 * Reads the index entries of the mentions, then the first bytes of the names found there. The reads do not depend on one
 * another, so their cache and TLB misses overlap, where those of one lookup after another do not. Returns a sum that no one needs.
 */
function touch(names: Names, arenas: Arenas, hash: Uint32Array, from: number, to: number): number {
  const { index, mask, pool } = names
  const shift = Math.clz32(mask) - 1
  let sum = 0
  for (let i = from; i < to; i++) sum += index[(hash[i] >>> shift) * ENTRY]
  if (pool < 0) return sum
  const { bytes } = arenas.list[pool]
  for (let i = from; i < to; i++) {
    const at = (hash[i] >>> shift) * ENTRY
    if (index[at + 1] === hash[i] && index[at + 3] >>> 24 === pool) sum += bytes[index[at + 2]]
  }
  return sum
}

/** The row of a name given as bytes, or 0. */
export function findName(names: Names, arenas: Arenas, bytes: Uint8Array, from: number, length: number): NameId {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hash = hashBytes(bytes, from, from + length)
  if (isSought(names)) return seekText(names, arenas, view, from, length, hash)
  restoreIndex(names)
  return names.index[probe(names, arenas, view, from, length, hash)]
}

/** Place of the entry of a name, or of the empty one where it would go. */
function probe(names: Names, arenas: Arenas, view: DataView, from: number, length: number, hash: number): number {
  const { index, mask } = names
  const { list } = arenas
  const inRegion = (mask >>> REGION_BITS) * ENTRY
  let at = (hash >>> (Math.clz32(mask) - 1)) * ENTRY
  while (index[at] !== 0) {
    if (index[at + 1] === hash) {
      const place = index[at + 3]
      if ((place & LENGTH_MASK) === length && sameText(list[place >>> 24].view, index[at + 2], view, from, length))
        return at
    }
    at = (at & ~inRegion) | ((at + ENTRY) & inRegion)
    names.probes++
  }
  return at
}

function regionSize(names: Names): number {
  return (names.mask + 1) >>> REGION_BITS
}

/** Doubles the index, and again while a region is full. */
function growIndex(names: Names): void {
  do {
    names.mask = names.mask * 2 + 1
    if (isTooLarge(names.mask, names.count)) throw collision(names.count)
  } while (!fillIndex(names))
}

function isTooLarge(mask: number, count: number): boolean {
  return mask > MAX_MASK || mask > Math.max(count, 1024) * EMPTIEST
}

export function collision(count: number): FormatError {
  return new FormatError('colliding-names', `of ${count} external names too many have the same hash`, 0)
}

/** Frees the index, which is larger than any column of the names. It is made anew when a name is looked up. */
export function releaseIndex(names: Names): void {
  names.index = column('u32', -1, names.shared)
  names.parts = null
}

/** Frees what only a link that takes these names over looks at; a patch makes the index anew when it has many names to look up. */
export function releaseLookups(names: Names): void {
  releaseIndex(names)
  Object.assign(names.Settled, columns(0, SETTLED, names.shared))
}

/** Makes the index after it has been freed, for whoever looks up names again. */
export function restoreIndex(names: Names): void {
  if (names.index.length === 0 && !fillIndex(names)) growIndex(names)
}

function fillIndex(names: Names): boolean {
  const { used } = names
  const { hash } = names.Text
  names.index = column('u32', (names.mask + 1) * ENTRY - 1, names.shared)
  names.parts = null
  used.fill(0)
  for (let name = 1; name <= names.count; name++) {
    if (++used[hash[name] >>> (HASH_BITS - REGION_BITS)] >= regionSize(names)) return false
    addToIndex(names, name)
  }
  return true
}

/** Puts a name that the index does not have into it; its region must have room. */
export function addToIndex(names: Names, name: NameId): void {
  const { arena, offset, length, hash } = names.Text
  addEntry(names, name, hash[name], offset[name], length[name] | (arena[name] << 24))
}

/** The same, for who has the name's hash and `place`, length | arena << 24, at hand. */
export function addEntry({ index, mask }: Names, name: NameId, hash: number, offset: number, place: number): void {
  const inRegion = (mask >>> REGION_BITS) * ENTRY
  let at = (hash >>> (Math.clz32(mask) - 1)) * ENTRY
  while (index[at] !== 0) at = (at & ~inRegion) | ((at + ENTRY) & inRegion)
  index[at] = name
  index[at + 1] = hash
  index[at + 2] = offset
  index[at + 3] = place
}

/**
 * Makes an empty index with room for `count` names, `used` by region; addEntry fills it.
 * @throws FormatError when no index of a size that is worth it has room in each region; the one there is stays
 */
export function reserveIndex(names: Names, count: number, used: Uint32Array): void {
  let mask = 1023
  const most = Math.max(...used)
  while (mask * 3 < count * 4 || most >= (mask + 1) >>> REGION_BITS) {
    mask = mask * 2 + 1
    if (isTooLarge(mask, count)) throw collision(count)
  }
  names.mask = mask
  names.used.set(used)
  names.parts = null
  names.index = column('u32', (mask + 1) * ENTRY - 1, names.shared)
}

/** Makes entities of the rows that internName has filled. */
export function spawnNames(names: Names): void {
  spawnRange(names.world, names.count, [names.Text, names.Resolution, names.Offer])
}
