// Names: one entity a distinct external name, and the resolver from name to {global, import, undefined, tentative}.
import { FormatError } from '../src/core/bytes.ts'
import { hashBytes, sameText } from '../src/core/hash.ts'
import { createKind, spawnRange } from '../src/ecs.ts'
import type { Arenas } from './arena.ts'
import { column, columns } from './columns.ts'
import type { NameId } from './ids.ts'

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

export function createNames(rows: number, shared: boolean) {
  /** The bytes, where they lie in an arena. */
  const Text = columns(rows, { arena: 'u8', offset: 'u32', length: 'u32', hash: 'u32' }, shared)
  /** `symbol` wins the name; `import` stands for it outside. */
  const Resolution = columns(rows, { where: 'u8', flags: 'u16', symbol: 'u32', import: 'u32' }, shared)
  /** Who could define it: `member`, an unloaded object; `dylib`, an index into link.dylibs plus 1, with the export's flags. */
  const Offer = columns(rows, { member: 'u32', dylib: 'u32', exportFlags: 'u8' }, shared)
  const components = { Text, Resolution, Offer }
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
    shared,
    pool: -1,
    ...components,
  }
}

export type Names = ReturnType<typeof createNames>

/*
 * The hash index is no column: it is rebuilt at twice the size when three quarters full. An entry is 4 words, one cache line access:
 *   name (0: empty; PENDING | mention while a batch is looked up), hash, offset, length | arena << 24
 * It has REGIONS equal parts, which probing never leaves: threads look up names of different regions at once. `used` counts
 * the entries of each.
 */
const ENTRY = 4
const REGION_BITS = 4
export const REGIONS = 1 << REGION_BITS
const PENDING = 0x80000000
const LENGTH_MASK = 0xffffff
const MAX_MASK = 0x1ffffff
/** An index that is emptier than this part although a region is full: names made to collide. */
const EMPTIEST = 8

/** Names are at most this long; the loader refuses longer ones. */
export const MAX_NAME_LENGTH = LENGTH_MASK

/*
 * Mentions of external names, one entry each: `row`, the symbol that is to get the name; where its bytes lie: `start`, and
 * `place`: length | arena << 24; `hash`; `slot`, its entry in the index once it has been looked up.
 */
export interface Mentions {
  row: Uint32Array
  start: Uint32Array
  place: Uint32Array
  hash: Uint32Array
  slot: Uint32Array
}

export function createMentions(size: number, shared: boolean): Mentions {
  return columns(size - 1, { row: 'u32', start: 'u32', place: 'u32', hash: 'u32', slot: 'u32' }, shared)
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
  if (names.used[regionOf(names, hash)] + 1 >= regionSize(names)) growIndex(names)
  const at = probe(names, arenas, arenas.list[arena].view, offset, length, hash)
  if (names.index[at] !== 0) return names.index[at]
  names.used[regionOf(names, hash)]++
  const name = addName(names, arenas, at, hash, offset, length | (arena << 24))
  if (names.count * 4 > names.mask * 3) growIndex(names)
  return name
}

/** The row of a name of other `names` whose bytes lie in the same arenas; a new one refers to them where they are. */
export function adoptName(names: Names, arenas: Arenas, others: Names, other: NameId): NameId {
  const { arena, offset, length, hash } = others.Text
  if (names.used[regionOf(names, hash[other])] + 1 >= regionSize(names)) growIndex(names)
  const at = probe(names, arenas, arenas.list[arena[other]].view, offset[other], length[other], hash[other])
  if (names.index[at] !== 0) return names.index[at]
  names.used[regionOf(names, hash[other])]++
  const name = ++names.count
  names.Text.arena[name] = arena[other]
  names.Text.offset[name] = offset[other]
  names.Text.length[name] = length[other]
  names.Text.hash[name] = hash[other]
  setEntry(names, names.index, at, name)
  if (names.count * 4 > names.mask * 3) growIndex(names)
  return name
}

/** Makes the row of a new name, its bytes in the pool, and its entry at `at`. */
function addName(names: Names, arenas: Arenas, at: number, hash: number, start: number, place: number): NameId {
  const { Text, index } = names
  const name = ++names.count
  const length = place & LENGTH_MASK
  const pooled = poolName(names, arenas, arenas.list[place >>> 24].view, start, length)
  Text.arena[name] = pooled < 0 ? place >>> 24 : names.pool
  Text.offset[name] = pooled < 0 ? start : pooled
  Text.length[name] = length
  Text.hash[name] = hash
  setEntry(names, index, at, name)
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

/**
 * Looks up mentions from .. to - 1 that fall into `region`, or all of them with -1: sets their `slot`. A name that is new gets
 * an entry that names its first mention (PENDING | mention), which nameMentions makes a row of.
 * @returns `to`, or the mention for which the region has no room: the index must grow first.
 */
export function findMentions(
  names: Names,
  arenas: Arenas,
  mentions: Mentions,
  from: number,
  to: number,
  region: number,
  picked: Uint32Array,
): number {
  let at = from
  while (at < to) {
    let count = 0
    for (; at < to && count < picked.length - 1; at++)
      if (region < 0 || regionOf(names, mentions.hash[at]) === region) picked[count++] = at
    touch(names, arenas, mentions.hash, picked, count)
    const reached = findPicked(names, arenas, mentions, picked, count)
    if (reached < count) return picked[reached]
  }
  return to
}

/** Returns how many of the picked mentions have been looked up. */
function findPicked(names: Names, arenas: Arenas, mentions: Mentions, picked: Uint32Array, count: number): number {
  const { index, used } = names
  const { start, place, hash, slot } = mentions
  const size = regionSize(names)
  for (let i = 0; i < count; i++) {
    const mention = picked[i]
    const { view } = arenas.list[place[mention] >>> 24]
    const entry = probe(names, arenas, view, start[mention], place[mention] & LENGTH_MASK, hash[mention])
    slot[mention] = entry
    if (index[entry] !== 0) continue
    const region = regionOf(names, hash[mention])
    if (used[region] + 1 >= size) return i
    used[region]++
    index[entry] = (PENDING | mention) >>> 0
    index[entry + 1] = hash[mention]
    index[entry + 2] = start[mention]
    index[entry + 3] = place[mention]
  }
  return count
}

/**
 * Reads the index entries of the picked mentions, then the first bytes of the names found there. The reads do not depend on one
 * another, so their cache and TLB misses overlap, where those of one lookup after another do not. Leaves a sum that no one needs.
 */
function touch(names: Names, arenas: Arenas, hash: Uint32Array, picked: Uint32Array, count: number): void {
  const { index, mask } = names
  let sum = 0
  for (let i = 0; i < count; i++) sum += index[(hash[picked[i]] & mask) * ENTRY]
  if (names.pool >= 0) {
    const { bytes } = arenas.list[names.pool]
    for (let i = 0; i < count; i++) {
      const at = (hash[picked[i]] & mask) * ENTRY
      if (index[at + 1] === hash[picked[i]] && index[at + 3] >>> 24 === names.pool) sum += bytes[index[at + 2]]
    }
  }
  picked[picked.length - 1] = sum
}

/** Looks up mentions from .. to - 1 in turn and gives their symbols the names. */
export function internMentions(
  names: Names,
  arenas: Arenas,
  mentions: Mentions,
  from: number,
  to: number,
  nameOf: Uint32Array,
  picked: Uint32Array,
): void {
  while (from < to) {
    const reached = findMentions(names, arenas, mentions, from, to, -1, picked)
    nameMentions(names, arenas, mentions, from, reached, nameOf)
    if (reached < to || names.count * 4 > names.mask * 3) growIndex(names)
    from = reached
  }
}

/**
 * Gives the symbols of mentions from .. to - 1, which have been looked up, the names that have rows; threads may do so at once for
 * ranges of their own. The others move to the front of the range, in their order, for nameMentions.
 * @returns their end
 */
export function nameKnown(names: Names, mentions: Mentions, from: number, to: number, nameOf: Uint32Array): number {
  const { index } = names
  const { row, start, place, hash, slot } = mentions
  let left = from
  for (let i = from; i < to; i++) {
    const known = index[slot[i]]
    if (known >>> 31 === 0) nameOf[row[i]] = known
    else {
      row[left] = row[i]
      start[left] = start[i]
      place[left] = place[i]
      hash[left] = hash[i]
      slot[left++] = slot[i]
    }
  }
  return left
}

/** Gives the symbols of mentions from .. to - 1, which have been looked up, their names; new ones in the order of mention. */
export function nameMentions(
  names: Names,
  arenas: Arenas,
  mentions: Mentions,
  from: number,
  to: number,
  nameOf: Uint32Array,
): void {
  const { index } = names
  const { row, start, place, hash, slot } = mentions
  for (let i = from; i < to; i++) {
    const known = index[slot[i]]
    nameOf[row[i]] = known >>> 31 === 0 ? known : addName(names, arenas, slot[i], hash[i], start[i], place[i])
  }
}

/**
 * Takes back the lookups of mentions from .. to - 1, of which none has been named, after a region of the index was full. All
 * of them come after what is named, so that no search runs past a removed entry.
 */
export function forgetMentions(names: Names, mentions: Mentions, from: number, to: number): void {
  const { index, used } = names
  const { slot, hash } = mentions
  for (let i = from; i < to; i++) {
    if (index[slot[i]] !== (PENDING | i) >>> 0) continue
    index[slot[i]] = 0
    used[regionOf(names, hash[i])]--
  }
}

/** The row of a name given as bytes, or 0. */
export function findName(names: Names, arenas: Arenas, bytes: Uint8Array, from: number, length: number): NameId {
  restoreIndex(names)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return names.index[probe(names, arenas, view, from, length, hashBytes(bytes, from, from + length))]
}

/** Place of the entry of a name, or of the empty one where it would go. */
function probe(names: Names, arenas: Arenas, view: DataView, from: number, length: number, hash: number): number {
  const { index, mask } = names
  const { list } = arenas
  const inRegion = (mask >>> REGION_BITS) * ENTRY
  let at = (hash & mask) * ENTRY
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

function setEntry(names: Names, index: Uint32Array, at: number, name: number): void {
  const { Text } = names
  index[at] = name
  index[at + 1] = Text.hash[name]
  index[at + 2] = Text.offset[name]
  index[at + 3] = Text.length[name] | (Text.arena[name] << 24)
}

function regionShift(names: Names): number {
  return 32 - Math.clz32(names.mask) - REGION_BITS
}

function regionOf(names: Names, hash: number): number {
  return (hash & names.mask) >>> regionShift(names)
}

function regionSize(names: Names): number {
  return (names.mask + 1) >>> REGION_BITS
}

/** Doubles the index, and again while a region is full. */
function growIndex(names: Names): void {
  do {
    names.mask = names.mask * 2 + 1
    if (names.mask > MAX_MASK || names.mask > Math.max(names.count, 1024) * EMPTIEST)
      throw new FormatError('colliding-names', `of ${names.count} external names too many have the same hash`, 0)
  } while (!fillIndex(names))
}

/** Frees the index, which is larger than any column of the names. It is made anew when a name is looked up. */
export function releaseIndex(names: Names): void {
  names.index = column('u32', -1, names.shared)
}

/** Makes the index after it has been freed, for whoever looks up names again. */
export function restoreIndex(names: Names): void {
  if (names.index.length === 0) fillIndex(names)
}

function fillIndex(names: Names): boolean {
  const { mask, used } = names
  const { hash } = names.Text
  const index = column('u32', (mask + 1) * ENTRY - 1, names.shared)
  const inRegion = (mask >>> REGION_BITS) * ENTRY
  names.index = index
  used.fill(0)
  for (let name = 1; name <= names.count; name++) {
    let at = (hash[name] & mask) * ENTRY
    if (++used[regionOf(names, hash[name])] >= regionSize(names)) return false
    while (index[at] !== 0) at = (at & ~inRegion) | ((at + ENTRY) & inRegion)
    setEntry(names, index, at, name)
  }
  return true
}

/** Makes entities of the rows that internName has filled. */
export function spawnNames(names: Names): void {
  spawnRange(names.world, names.count, [names.Text, names.Resolution, names.Offer])
}
