// Branches that do not reach go through a thunk of their target; the thunks' code.
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { findBranchTarget } from '../../components/thunks.ts'
import { stubAddress } from '../kernels/addresses.ts'
import { isInReach, pairedAddend } from '../kernels/branches.ts'
import type { Relocating } from './apply.ts'

/** The first thunk within reach of relocation `record`'s instruction at P, or 0. */
export function thunkFor(link: Link, at: Relocating, record: number, P: number): number {
  const { site } = at
  const word = site.words[site.records + record * 2 + 1]
  const target = link.symbols.Reference.target[site.firstSymbol + (word & 0xffffff)]
  const of = findBranchTarget(link.branchTargets, target, pairedAddend(link, site, record))
  const { address, next } = link.thunks.Thunk
  for (let thunk = link.branchTargets.Target.first[of]; thunk !== 0; thunk = next[thunk])
    if (isInReach(link.arch.branchReach, P, address[thunk])) return address[thunk]
  return 0
}

export function writeThunks(link: Link, view: DataView): void {
  for (let thunk = 1; thunk <= link.thunks.count; thunk++) writeThunk(link, view, thunk)
  link.visited.rows += link.thunks.count
}

export function writeThunk(link: Link, view: DataView, thunk: number): void {
  const { Thunk } = link.thunks
  const { Target } = link.branchTargets
  const { address, fileOffset } = link.outputs.Extent
  const of = Thunk.of[thunk]
  const to = Target.target[of]
  const S = to & TARGET_IMPORT ? stubAddress(link, to & 0x7fffffff) : link.symbols.Reference.address[to]
  const output = Thunk.output[thunk]
  const place = Thunk.address[thunk] + fileOffset[output] - address[output]
  link.arch.writeThunk(view, place, Thunk.address[thunk], S + Target.addend[of])
}
