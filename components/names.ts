// Names: one entity a distinct external name, and the resolver from name to {global, import, undefined, tentative}.
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
  while (mask < rows / 2 && mask < 0x1ffffff) mask = mask * 2 + 1
  return {
    world: createKind(components, { reserve: rows }),
    count: 0,
    /** Entries of the index looked at past the first of each search. */
    probes: 0,
    index: column('u32', (mask + 1) * ENTRY - 1),
    mask,
    pool: -1,
    ...components,
  }
}

export type Names = ReturnType<typeof createNames>

/*
 * The hash index is no column: it is rebuilt at twice the size when half full. An entry is 4 words, one cache line access:
 *   name (0: empty), hash, offset, length | arena << 24
 */
const ENTRY = 4
const LENGTH_MASK = 0xffffff

/** Names are at most this long; the loader refuses longer ones. */
export const MAX_NAME_LENGTH = LENGTH_MASK

/** Finds the name bytes[offset .. offset + length) or makes a row for it. */
export function internName(
  names: Names,
  arenas: Arenas,
  arena: number,
  offset: number,
  length: number,
  hash: number,
): NameId {
  const at = probe(names, arenas, arenas.list[arena].view, offset, length, hash)
  const { Text, index } = names
  if (index[at] !== 0) return index[at]
  const name = ++names.count
  const pooled = poolName(names, arenas, arenas.list[arena].bytes, offset, length)
  Text.arena[name] = pooled < 0 ? arena : names.pool
  Text.offset[name] = pooled < 0 ? offset : pooled
  Text.length[name] = length
  Text.hash[name] = hash
  setEntry(names, at, name)
  if (names.count * 2 > names.mask) growIndex(names)
  return name
}

/**
 * Copies a new name to the pool of names (an arena), so that comparing, sorting and writing names stays within the few
 * megabytes of distinct ones: across 81 MB of inputs nearly each comparison missed the caches. -1 when the pool is full.
 */
function poolName(names: Names, arenas: Arenas, bytes: Uint8Array, from: number, length: number): number {
  if (names.pool < 0) return -1
  const pool = arenas.list[names.pool]
  const start = pool.used
  if (start + length > pool.bytes.length) return -1
  const target = pool.bytes
  for (let i = 0; i < length; i++) target[start + i] = bytes[from + i]
  pool.used = start + length
  return start
}

/**
 * Reads the index entries of `count` hashes, then the first bytes of the names found there. The reads do not depend on one
 * another, so their cache and TLB misses overlap, where those of one lookup after another do not. Returns a sum that no one needs.
 */
export function touchNames(names: Names, arenas: Arenas, hash: Uint32Array, count: number): number {
  const { index, mask } = names
  let sum = 0
  for (let i = 0; i < count; i++) sum += index[(hash[i] & mask) * ENTRY]
  if (names.pool < 0) return sum
  const { bytes } = arenas.list[names.pool]
  for (let i = 0; i < count; i++) {
    const at = (hash[i] & mask) * ENTRY
    if (index[at + 1] === hash[i]) sum += bytes[index[at + 2]]
  }
  return sum & 0xff
}

/** The row of a name given as bytes, or 0. */
export function findName(names: Names, arenas: Arenas, bytes: Uint8Array, from: number, length: number): NameId {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return names.index[probe(names, arenas, view, from, length, hashBytes(bytes, from, from + length))]
}

/** Place of the entry of a name, or of the empty one where it would go. */
function probe(names: Names, arenas: Arenas, view: DataView, from: number, length: number, hash: number): number {
  const { index, mask } = names
  const { list } = arenas
  let at = (hash & mask) * ENTRY
  while (index[at] !== 0) {
    if (index[at + 1] === hash) {
      const place = index[at + 3]
      if ((place & LENGTH_MASK) === length && sameText(list[place >>> 24].view, index[at + 2], view, from, length))
        return at
    }
    at = (at + ENTRY) & (mask * ENTRY)
    names.probes++
  }
  return at
}

function setEntry(names: Names, at: number, name: number): void {
  const { Text, index } = names
  index[at] = name
  index[at + 1] = Text.hash[name]
  index[at + 2] = Text.offset[name]
  index[at + 3] = Text.length[name] | (Text.arena[name] << 24)
}

function growIndex(names: Names): void {
  names.mask = names.mask * 2 + 1
  names.index = column('u32', (names.mask + 1) * ENTRY - 1)
  const { mask, index } = names
  const { hash } = names.Text
  for (let name = 1; name <= names.count; name++) {
    let at = (hash[name] & mask) * ENTRY
    while (index[at] !== 0) at = (at + ENTRY) & (mask * ENTRY)
    setEntry(names, at, name)
  }
}

/** Makes entities of the rows that internName has filled. */
export function spawnNames(names: Names): void {
  spawnRange(names.world, names.count, [names.Text, names.Resolution, names.Offer])
}
