// Places in the image that dyld changes: rebases and binds, counted by scan, filled by relocate and writeIndirect.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

/** A location is segment id * 2^32 + offset in the segment: sorts natively as a number, exact below 2^53. */
export const SEGMENT_STRIDE = 4294967296

export function createFixups(rebases: number, binds: number, shared: boolean) {
  const made = fixupColumns(rebases, binds, shared)
  return {
    rebaseWorld: createKind({ Rebase: made.Rebase }, { reserve: rebases }),
    bindWorld: createKind({ Bind: made.Bind }, { reserve: binds }),
    ...made,
  }
}

/** Without worlds, which cost 50 us: for rows of one object, which come to the link's later. */
export function fixupColumns(rebases: number, binds: number, shared: boolean) {
  const Rebase = columns(rebases, { location: 'f64' }, shared)
  const Bind = columns(binds, { location: 'f64', import: 'u32', addend: 'f64' }, shared)
  return { rebases: 0, binds: 0, Rebase, Bind }
}

export type Fixups = ReturnType<typeof createFixups>
