// Objective-C: categories that may be merged, stubs that send one message, the selectors that the linker itself refers to, and
// relative method lists.
import { sameBytes } from '../src/core/hash.ts'
import { mix } from '../src/core/words.ts'
import { createKind, spawnRange } from '../src/ecs.ts'
import type { Arenas } from './arena.ts'
import { column, columns } from './columns.ts'

/** Categories and the classes that they extend, where they are to be merged. Categories stand in the order of the lists that name them. */
export function createCategories(rows: number, shared: boolean) {
  /** Pointer `slot` of the block `list` leads to `block`. `class` is a row of Extended, `next` the following category of that class. */
  const Category = columns(rows, { list: 'u32', slot: 'u32', block: 'u32', class: 'u32', next: 'u32' }, shared)
  /**
   * A class in this image lies `offset` bytes into `block`, its class_ro_t and that of its metaclass are the blocks `readOnly` and `metaReadOnly`;
   * of any other one `import` stands for it. `first` and `last` are categories. Merged ones become `symbol`, a category called `name`
   * (a block); 0 for both: they become part of the class.
   */
  const Extended = columns(
    rows,
    {
      block: 'u32',
      offset: 'u32',
      import: 'u32',
      readOnly: 'u32',
      metaReadOnly: 'u32',
      first: 'u32',
      last: 'u32',
      count: 'u32',
      isMerged: 'u8',
      name: 'u32',
      symbol: 'u32',
    },
    shared,
  )
  return {
    world: createKind({ Category }, { reserve: rows }),
    classWorld: createKind({ Extended }, { reserve: rows }),
    count: 0,
    classes: 0,
    /** Classes whose categories are merged. */
    merged: 0,
    Category,
    Extended,
  }
}

export type Categories = ReturnType<typeof createCategories>

/** `_objc_msgSend$selector`: its symbol and its selector. */
export function createMessageStubs(rows: number, shared: boolean) {
  const Stub = columns(rows, { symbol: 'u32', selector: 'u32' }, shared)
  /** `section` is the internal file's `__TEXT,__objc_stubs`, 0 where there are none. */
  return { world: createKind({ Stub }, { reserve: rows }), count: 0, section: 0, Stub }
}

export type MessageStubs = ReturnType<typeof createMessageStubs>

/** `rows` selectors, each text once. */
export function createSelectors(rows: number, shared: boolean) {
  /** The characters, without the NUL, where they lie in an arena. */
  const Text = columns(rows, { arena: 'u8', offset: 'u32', length: 'u32', hash: 'u32' }, shared)
  /** The string in the image, and the pointer to it in __objc_selrefs: each `At` bytes into a block (0: none yet). */
  const Place = columns(rows, { string: 'u32', stringAt: 'u32', reference: 'u32', referenceAt: 'u32' }, shared)
  let size = 16
  while (size < rows * 2) size *= 2
  const components = { Text, Place }
  /** `made` is the block of the references that the linker adds (0: none). */
  return {
    world: createKind(components, { reserve: rows }),
    count: 0,
    made: 0,
    index: column('u32', size - 1),
    ...components,
  }
}

export type Selectors = ReturnType<typeof createSelectors>

/** The selector of bytes[offset .. offset + length), or 0; `add` makes it when it is new (there must be room). */
export function selectorOf(
  selectors: Selectors,
  arenas: Arenas,
  arena: number,
  offset: number,
  length: number,
  hash: number,
  add: boolean,
): number {
  const { Text, index } = selectors
  const mask = index.length - 1
  const { bytes } = arenas.list[arena]
  let probe = mix(hash) & mask
  for (let row = index[probe]; row !== 0; row = index[probe]) {
    const same = Text.hash[row] === hash && Text.length[row] === length
    if (same && sameBytes(arenas.list[Text.arena[row]].bytes, Text.offset[row], bytes, offset, length)) return row
    probe = (probe + 1) & mask
  }
  if (!add) return 0
  const row = ++selectors.count
  index[probe] = row
  Text.arena[row] = arena
  Text.offset[row] = offset
  Text.length[row] = length
  Text.hash[row] = hash
  return row
}

export function spawnSelectors(selectors: Selectors): void {
  spawnRange(selectors.world, selectors.count, [selectors.Text, selectors.Place])
}

/** Method lists that become relative. A list's methods are one contiguous range. */
export function createMethodLists(rows: number, methods: number, shared: boolean) {
  /** The input's block of 24-byte methods, and the block of 12-byte ones that takes its place. */
  const List = columns(rows, { source: 'u32', block: 'u32', method: 'u32', methods: 'u32' }, shared)
  const Method = columns(methods, { selector: 'u32' }, shared)
  return {
    world: createKind({ List }, { reserve: rows }),
    methodWorld: createKind({ Method }, { reserve: methods }),
    count: 0,
    methods: 0,
    /** The input section of the first list: __objc_methlist stands in the output where it would have. */
    firstSection: 0,
    List,
    Method,
  }
}

export type MethodLists = ReturnType<typeof createMethodLists>
