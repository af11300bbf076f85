// Imports: names that dyld binds. Also exported weak definitions of this image, which dyld may bind elsewhere.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

/** Every reference is N_WEAK_REF, or the library is linked weakly: may be missing at run time. */
export const IMPORT_WEAK = 1 << 0
/** The library's definition is weak: it coalesces across images. */
export const IMPORT_WEAK_DEF = 1 << 1
export const IMPORT_THREAD_LOCAL = 1 << 2
/** The image has a definition of its own (`symbol`); dyld may prefer another's. */
export const IMPORT_OWN = 1 << 3
/** Looked up in all images at run time. */
export const IMPORT_DYNAMIC_LOOKUP = 1 << 4
/** -flat_namespace: bound by name, the image's own definition first in its own order. */
export const IMPORT_INTERPOSABLE = 1 << 5
/** A relocation of a live block refers to it. */
export const IMPORT_USED = 1 << 6
/** Called: has a stub. */
export const IMPORT_CALLED = 1 << 7

export function createImports(rows: number, shared: boolean) {
  /** `dylib` indexes link.dylibs (0 none); `ordinal` is the library ordinal, special ones negative. */
  const Library = columns(rows, { name: 'u32', dylib: 'u32', ordinal: 'i32', flags: 'u8', symbol: 'u32' }, shared)
  /** Its GOT key, stub, row of the symbol table, and index among the chained imports. */
  const Use = columns(rows, { got: 'u32', stub: 'u32', symtab: 'u32', chained: 'u32' }, shared)
  const components = { Library, Use }
  return { world: createKind(components, { reserve: rows }), count: 0, ...components }
}

export type Imports = ReturnType<typeof createImports>
