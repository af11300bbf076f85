// Whether branches still go through the thunks that they went through, where the rows of a warm rebuild are those of the link before.
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { findBranchTarget } from '../../components/thunks.ts'

export interface ThunkMoves {
  /** By import of the link before: the one of the same name now; 0: none. */
  twins: Uint32Array
  /** By symbol, then by import from `imports` on: 1 where its thunks are not where they were. */
  moved: Uint8Array
  imports: number
}

/** Both links have the same rows of names and symbols. */
export function compareThunks(link: Link, old: Link): ThunkMoves {
  const twins = twinsOf(old, link)
  const base = link.symbols.count + 1
  const moved = new Uint8Array(memory(base + link.imports.count + 1, link.arenas.shared))
  const mark = (target: number) => {
    if (target !== 0) moved[target < TARGET_IMPORT ? target : base + target - TARGET_IMPORT] = 1
  }
  markMoved(link, old, twinsOf(link, old), (target) => mark(target))
  markMoved(old, link, twins, (_, twin) => mark(twin))
  return { twins, moved, imports: base }
}

/** By import of `from`. */
function twinsOf(from: Link, to: Link): Uint32Array {
  const byName = new Uint32Array(Math.max(from.names.count, to.names.count) + 1)
  for (let made = 1; made <= to.imports.count; made++) byName[to.imports.Library.name[made]] = made
  const twins = new Uint32Array(memory((from.imports.count + 1) * 4, to.arenas.shared))
  for (let made = 1; made <= from.imports.count; made++) twins[made] = byName[from.imports.Library.name[made]]
  return twins
}

/** The same target in the other link; 0: none. */
export function twinOf(twins: Uint32Array, target: number): number {
  if (target < TARGET_IMPORT) return target
  const twin = twins[target - TARGET_IMPORT]
  return twin === 0 ? 0 : TARGET_IMPORT + twin
}

function markMoved(link: Link, other: Link, twins: Uint32Array, mark: (target: number, twin: number) => void): void {
  const { count, Target } = link.branchTargets
  for (let row = 1; row <= count; row++) {
    const twin = twinOf(twins, Target.target[row])
    if (twin === 0 || !haveSamePlaces(link, row, other, twin)) mark(Target.target[row], twin)
  }
}

/** Whether the thunks of a branch target stand where those of `twin` do in the other link. */
function haveSamePlaces(link: Link, row: number, other: Link, twin: number): boolean {
  const { first, addend } = link.branchTargets.Target
  const [here, there] = [link.thunks.Thunk, other.thunks.Thunk]
  let a = first[row]
  let b = other.branchTargets.Target.first[findBranchTarget(other.branchTargets, twin, addend[row])]
  while (a !== 0 && b !== 0 && here.address[a] === there.address[b]) {
    a = here.next[a]
    b = there.next[b]
  }
  return a === 0 && b === 0
}
