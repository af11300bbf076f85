// Stubs, keyed by import: code that jumps through a pointer that dyld fills.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

export function createStubs(rows: number, shared: boolean) {
  /** `slot` is the place among the stubs; `lazy` that among the lazy pointers plus 1 (0: goes through the GOT). */
  const Stub = columns(rows, { import: 'u32', slot: 'u32', lazy: 'u32' }, shared)
  /** Offset of its record in the lazy-bind opcodes; place among the stub helper's entries plus 1 (0: bound at load). */
  const LazyBind = columns(rows, { record: 'u32', helper: 'u32' }, shared)
  const components = { Stub, LazyBind }
  return { world: createKind(components, { reserve: rows }), count: 0, ...components }
}

export type Stubs = ReturnType<typeof createStubs>
