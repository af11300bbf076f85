// After all chunks: their fixups side by side, and the chained binds if their import rows are numbered in the order of first use.
import { dataViewOf } from '../../src/core/pages.ts'
import type { Link } from '../../components/link.ts'
import { chainBinds, numbersAtOnce } from '../kernels/fixups.ts'
import type { RelocateJob } from './plan.ts'

/** Scan has counted what a chunk can have at most; a chunk that stayed below leaves a gap, which is closed. */
export function gatherFixups(link: Link, job: RelocateJob): void {
  const { Rebase, Bind } = link.fixups
  let [rebases, binds] = [0, 0]
  for (let chunk = 0; chunk < job.chunks; chunk++) {
    rebases = close([Rebase.location], rebases, job.rebases[chunk], job.lastRebases[chunk])
    binds = close([Bind.location, Bind.import, Bind.addend], binds, job.binds[chunk], job.lastBinds[chunk])
  }
  link.fixups.rebases = rebases
  link.fixups.binds = binds
  if (numbersAtOnce(link)) chainBinds(link, dataViewOf(link.image), 1, binds)
}

/** Moves rows after `before` .. `last` to follow row `end`; returns the last of them. */
function close(columns: readonly (Float64Array | Uint32Array)[], end: number, before: number, last: number): number {
  if (before !== end) for (const column of columns) column.copyWithin(end + 1, before + 1, last + 1)
  return end + last - before
}
