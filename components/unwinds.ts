// Unwind rows: one entity an input compact unwind entry, or an FDE of a function that has none.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

export const UNWIND_DWARF = 1 << 0
/** The personality is a plain number, which no relocation gives: not written, but it tells functions apart (-icf). */
export const UNWIND_ABSOLUTE = 1 << 1

export function createUnwinds(rows: number, shared: boolean) {
  /** The function: `offset` in `block`, `length` bytes. `next` is the block's next row. */
  const Range = columns(rows, { block: 'u32', offset: 'u32', length: 'u32', next: 'u32', flags: 'u8' }, shared)
  /**
   * `personality` is a Reference.target (0 none). `lsda` is a block (0 none). `fde` and `cie` are blocks of
   * __eh_frame, for rows that DWARF describes. */
  const Entry = columns(
    rows,
    { encoding: 'u32', personality: 'u32', lsda: 'u32', lsdaOffset: 'u32', fde: 'u32', cie: 'u32' },
    shared,
  )
  const components = { Range, Entry }
  return { world: createKind(components, { reserve: rows }), count: 0, ...components }
}

export type Unwinds = ReturnType<typeof createUnwinds>
