// Names: one entity a distinct external name, and the resolver from name to {global, import, undefined, tentative}.
import { hashBytes, sameBytes } from '../src/core/hash.ts'
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
/** A reference that is not only a branch: its address may be compared. */
export const NAME_ADDRESS_TAKEN = 1 << 7
/** -U, or `-undefined dynamic_lookup`. */
export const NAME_DYNAMIC_LOOKUP = 1 << 8
/** Every definition is SYMBOL_REFERENCED_DYNAMICALLY or N_NO_DEAD_STRIP, merged over the copies. */
export const NAME_REFERENCED_DYNAMICALLY = 1 << 9
export const NAME_NO_DEAD_STRIP = 1 << 10
/** Referred to from live blocks (with -dead_strip), else from anywhere. */
export const NAME_LIVE = 1 << 11
/** Some relocation wants it in the GOT, whoever defines it. */
export const NAME_GOT = 1 << 12
/** Reported already. */
export const NAME_REPORTED = 1 << 13

export function createNames(rows: number, shared: boolean) {
  /** The bytes, where they lie in an arena. The hash index holds the hashes too: most misses end there. */
  const Text = columns(rows, { arena: 'u8', offset: 'u32', length: 'u32', hash: 'u32' }, shared)
  /** `symbol` wins the name; `import` stands for it outside. */
  const Resolution = columns(rows, { where: 'u8', flags: 'u16', symbol: 'u32', import: 'u32' }, shared)
  /** Who could define it: `member`, an unloaded object; `dylib`, an index into link.dylibs plus 1, with the export's flags. */
  const Offer = columns(rows, { member: 'u32', dylib: 'u32', exportFlags: 'u8' }, shared)
  const components = { Text, Resolution, Offer }
  return {
    world: createKind(components, { reserve: rows }),
    count: 0,
    index: column('u32', 2047),
    mask: 1023,
    ...components,
  }
}

export type Names = ReturnType<typeof createNames>

/** Finds the name bytes[offset .. offset + length) or makes a row for it. */
export function internName(
  names: Names,
  arenas: Arenas,
  arena: number,
  offset: number,
  length: number,
  hash: number,
): NameId {
  const { Text, mask, index } = names
  let probe = hash & mask
  for (let name = index[probe * 2]; name !== 0; name = index[probe * 2]) {
    if (index[probe * 2 + 1] === hash && Text.length[name] === length) {
      const bytes = arenas.list[arena].bytes
      if (sameBytes(arenas.list[Text.arena[name]].bytes, Text.offset[name], bytes, offset, length)) return name
    }
    probe = (probe + 1) & mask
  }
  const name = ++names.count
  Text.arena[name] = arena
  Text.offset[name] = offset
  Text.length[name] = length
  Text.hash[name] = hash
  index[probe * 2] = name
  index[probe * 2 + 1] = hash
  if (names.count * 2 > mask) growIndex(names)
  return name
}

/** The row of a name given as bytes, or 0. */
export function findName(names: Names, arenas: Arenas, bytes: Uint8Array, from: number, length: number): NameId {
  const hash = hashBytes(bytes, from, from + length)
  const { Text, mask, index } = names
  let probe = hash & mask
  for (let name = index[probe * 2]; name !== 0; name = index[probe * 2]) {
    if (index[probe * 2 + 1] === hash && Text.length[name] === length) {
      if (sameBytes(arenas.list[Text.arena[name]].bytes, Text.offset[name], bytes, from, length)) return name
    }
    probe = (probe + 1) & mask
  }
  return 0
}

/** The hash index is no column: pairs (name, hash), rebuilt at four times the size when half full. */
function growIndex(names: Names): void {
  const mask = names.mask * 4 + 3
  const index = column('u32', mask * 2 + 1)
  const { hash } = names.Text
  for (let name = 1; name <= names.count; name++) {
    let probe = hash[name] & mask
    while (index[probe * 2] !== 0) probe = (probe + 1) & mask
    index[probe * 2] = name
    index[probe * 2 + 1] = hash[name]
  }
  names.index = index
  names.mask = mask
}

/** Makes entities of the rows that internName has filled since the last call. */
export function spawnNames(names: Names, spawned: number): void {
  if (names.count > spawned) spawnRange(names.world, names.count - spawned, [names.Text, names.Resolution, names.Offer])
}
