// Symbols: one entity a nlist record of every object, so that symbol = first of the file + nlist index; then the linker's own.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

/** N_EXT: takes part in resolution under its name. */
export const SYMBOL_EXTERNAL = 1 << 0
/** N_PEXT, or hidden by -load_hidden or -unexported_symbol. */
export const SYMBOL_PRIVATE = 1 << 1
/** Defined in a block or absolute. */
export const SYMBOL_DEFINED = 1 << 2
/** Without SYMBOL_DEFINED: N_INDR, another name of a symbol, until define has found that. */
export const SYMBOL_ABSOLUTE = 1 << 3
/** Tentative: N_UNDF with a size. */
export const SYMBOL_COMMON = 1 << 4
export const SYMBOL_WEAK_DEF = 1 << 5
/** N_WEAK_REF on an undefined symbol. */
export const SYMBOL_WEAK_REF = 1 << 6
/** N_WEAK_DEF | N_WEAK_REF on a definition: exported only when something asks for its address. */
export const SYMBOL_AUTO_HIDE = 1 << 7
export const SYMBOL_ALT_ENTRY = 1 << 8
export const SYMBOL_NO_DEAD_STRIP = 1 << 9
export const SYMBOL_REFERENCED_DYNAMICALLY = 1 << 10
/** Begins with `l` or `L`, or lies in `__eh_frame`: not in the output's symbol table. */
export const SYMBOL_OMITTED = 1 << 11
/** The linker's own; its name is in the internal arena. */
export const SYMBOL_SYNTHETIC = 1 << 12
/** Lies in an S_THREAD_LOCAL_VARIABLES section. */
export const SYMBOL_THREAD_LOCAL = 1 << 13
export const SYMBOL_COLD = 1 << 14
/** Lies in a section with code. */
export const SYMBOL_CODE = 1 << 15

/** High bit of Reference.target: the rest is an import, not a symbol. */
export const TARGET_IMPORT = 0x80000000
/** What is above has that bit. V8 keeps this as an integer, and compares it without a call before anything is compiled. */
export const LAST_TARGET = 0x7fffffff

/** `keeps`: what load has made of the rows stays beside what later systems make of them. `held`: rows of the columns, 0 where others are put in their place. */
export function createSymbols(rows: number, shared: boolean, keeps = false, held = rows) {
  /** Where it is: `offset` in `block`. `name` is the row of its external name, 0 for a local. */
  const Definition = columns(held, { block: 'u32', offset: 'u32', name: 'u32', flags: 'u16' }, shared)
  /** What a reference to it means: the winning symbol, or TARGET_IMPORT | import. `address` is final after allocate. */
  const Reference = columns(held, { target: 'u32', address: 'f64' }, shared)
  /** Definition.flags as load left them; empty where they are not kept. */
  const Loaded = columns(keeps ? held : 0, { flags: 'u16' }, shared)
  const components = { Definition, Reference, Loaded }
  return { world: createKind(components, { reserve: rows }), count: 0, ...components }
}

export type Symbols = ReturnType<typeof createSymbols>
