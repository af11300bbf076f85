// What an image that is edited block by block is (src/blocks.ts): blocks that come, grow, move and go, what they refer to, and
// their names. Rows are taken and given back one by one, so ids are recycled and columns grow.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

/** Has contents, and with them a place and, unless another definition of its name counts, a row in the symbol table. */
export const EDIT_PLACED = 1 << 0
/** Its name is known to all: N_EXT and in the export trie, unless it is hidden. */
export const EDIT_EXPORTED = 1 << 1
/** Its references are to be applied. */
export const EDIT_DIRTY = 1 << 2
/** It stands elsewhere, so that what refers to it is to be applied too. */
export const EDIT_MOVED = 1 << 3
/** Freed while others refer to it: the row stays until they do not. */
export const EDIT_FREED = 1 << 4

/** In the list of those without contents, which must not be referred to when the image is flushed. */
export const EDIT_WAITING = 1 << 5
/** N_PEXT: known to all blocks, to no other image. */
export const EDIT_HIDDEN = 1 << 6
/** A definition that others of its name take over from; of a name without definition: it may be missing at run time. */
export const EDIT_WEAK = 1 << 7
/** No block but a name, which another block or an import defines. */
export const EDIT_UNDEFINED = 1 << 8
/** No block but a name under which other images find an import of this one, its `definition`. */
export const EDIT_REEXPORT = 1 << 9
/** A function that says at run time where another one is: the `resolver` of that. */
export const EDIT_RESOLVER = 1 << 10
/** Code that jumps to what branches of others do not reach; nobody knows it by a name or a handle. */
export const EDIT_THUNK = 1 << 11

/** The new code of a function of a linked file; nobody knows it by a handle. */
export const EDIT_BODY = 1 << 12

export function createEditBlocks(rows: number) {
  /** `offset` and `size` in bytes in output section `section`; `generation` counts the lives of the id. */
  const Place = columns(rows, {
    section: 'u8',
    alignPow2: 'u8',
    offset: 'u32',
    size: 'u32',
    flags: 'u16',
    generation: 'u32',
  })
  /** Blocks in the order of addresses, and those of a bin: blocks of a section with about the same room behind them. */
  const Neighbour = columns(rows, { previous: 'u32', next: 'u32', bin: 'u8', binPrevious: 'u32', binNext: 'u32' })
  /**
   * `string` its name, `row` that in the symbol table plus 1, `got` and `stub` its entries (0: none). `definition` is what counts
   * in its place, a block or TARGET_IMPORT | import: for a weak definition its own IMPORT_OWN, which dyld may bind elsewhere.
   * `declared` counts blocks in the order of their declarations; `descriptor` is that of a thread-local variable,
   * `resolver` the block that says at run time where the function is. `unwind` is its compact unwind encoding (0: none) with the
   * index of the personality, `leaf` the page of __unwind_info that has it.
   */
  const Entry = columns(rows, {
    string: 'u32',
    row: 'u32',
    got: 'u32',
    stub: 'u32',
    definition: 'u32',
    descriptor: 'u32',
    resolver: 'u32',
    unwind: 'u32',
    leaf: 'u32',
    declared: 'f64',
  })
  /**
   * First of its references, first of those to its address, and how many go to it through a table. `thunk` leads the thunks to it, and
   * from one to the next.
   */
  const Links = columns(rows, { references: 'u32', referenced: 'u32', uses: 'u32', thunk: 'u32' })
  const components = { Place, Neighbour, Entry, Links }
  return { world: createKind(components, { reserve: rows }), rows, ...components }
}

/** Descriptors of thread-local variables: `block` is the variable's, 0 where nobody has it. Row - 1 is its place. */
export function createDescriptors(rows: number) {
  const Owner = columns(rows, { block: 'u32' })
  const components = { Owner }
  return { world: createKind(components, { reserve: rows }), rows, ...components }
}

export type Descriptors = ReturnType<typeof createDescriptors>

export type EditBlocks = ReturnType<typeof createEditBlocks>

/** By block: the source file of its lines, and the file's other blocks. */
export function createEditSources(rows: number) {
  const Source = columns(rows, { file: 'u32', previous: 'u32', next: 'u32' })
  return { rows, Source }
}

export type EditSources = ReturnType<typeof createEditSources>

export function createReferences(rows: number) {
  /**
   * In `block` at `offset`, of relocation type `type`, `width` bytes wide, to `target`: a block, or TARGET_IMPORT | import; `through`
   * a table (1), by `thunk` where it does not reach. `pair` is the other one of a difference, which is minuend less subtrahend.
   */
  const Site = columns(rows, {
    block: 'u32',
    offset: 'u32',
    type: 'u8',
    width: 'u8',
    through: 'u8',
    target: 'u32',
    pair: 'u32',
    thunk: 'u32',
    addend: 'f64',
  })
  /** The block's next reference; of those to the same address the one before and the next. */
  const Chain = columns(rows, { next: 'u32', previousTo: 'u32', nextTo: 'u32' })
  const components = { Site, Chain }
  return { world: createKind(components, { reserve: rows }), rows, ...components }
}

export type References = ReturnType<typeof createReferences>

export function createEditStrings(rows: number) {
  /** `length` bytes (without NUL) at `offset` of the string table, which has `room` there; `next` of the free rows of that room. */
  const Text = columns(rows, { offset: 'u32', length: 'u32', room: 'u32', hash: 'u32', next: 'u32' })
  const components = { Text }
  return { world: createKind(components, { reserve: rows }), rows, ...components }
}

export type EditStrings = ReturnType<typeof createEditStrings>

/** Pages of __unwind_info: `count` blocks of code in a row from `first` on, in the order of addresses. Row - 1 is the page's place. */
export function createUnwindLeaves(rows: number) {
  const Leaf = columns(rows, { first: 'u32', count: 'u32', previous: 'u32', next: 'u32', dirty: 'u8' })
  const components = { Leaf }
  return { world: createKind(components, { reserve: rows }), rows, ...components }
}

export type UnwindLeaves = ReturnType<typeof createUnwindLeaves>

/** By import id: as for blocks. `references` counts all of them; `referenced` leads those that are bound in place. */
export function createImportUses(rows: number) {
  const Uses = columns(rows, {
    string: 'u32',
    stub: 'u32',
    generation: 'u32',
    references: 'u32',
    referenced: 'u32',
    thunk: 'u32',
  })
  return { rows, Uses }
}

export type ImportUses = ReturnType<typeof createImportUses>

/** By row of the symbol table plus 1: the block, or TARGET_IMPORT | import. */
export function createSymbolRows(rows: number) {
  const Row = columns(rows, { owner: 'u32' })
  return { rows, Row }
}

export type SymbolRows = ReturnType<typeof createSymbolRows>

/** By row of dyld's table of imports plus 1: the import; 0 is a row of one that is gone. */
export function createImportRows(rows: number) {
  const Row = columns(rows, { owner: 'u32' })
  return { rows, count: 0, Row }
}

export type ImportRows = ReturnType<typeof createImportRows>

/** By output section: bytes it may take before all moves, its first and last block. */
export function createSectionRooms(rows: number) {
  const Room = columns(rows, { capacity: 'f64', first: 'u32', last: 'u32' })
  return { rows, Room }
}

export type SectionRooms = ReturnType<typeof createSectionRooms>
