// Thunks: code that carries a branch further than its instruction reaches. Each belongs to a branch target, which may have several
// along the code. Both kinds stay empty unless the code outgrows a branch.
import { mix } from '../src/core/words.ts'
import { createKind } from '../src/ecs.ts'
import { column, columns } from './columns.ts'

export function createThunks(rows: number, shared: boolean) {
  /** `of` is the branch target; `next` the target's next thunk, further up; `sequence` counts a target's thunks from 0. */
  const Thunk = columns(rows, { of: 'u32', next: 'u32', sequence: 'u32', output: 'u32', address: 'f64' }, shared)
  const components = { Thunk }
  return { world: createKind(components, { reserve: rows }), count: 0, ...components }
}

export type Thunks = ReturnType<typeof createThunks>

export function createBranchTargets(rows: number, shared: boolean) {
  /** `target` as in Reference.target; `first` and `last` are thunks (0: none). */
  const Target = columns(rows, { target: 'u32', addend: 'i32', first: 'u32', last: 'u32', thunks: 'u32' }, shared)
  const components = { Target }
  return {
    world: createKind(components, { reserve: rows }),
    count: 0,
    index: column('u32', 1023, shared),
    mask: 1023,
    shared,
    ...components,
  }
}

export type BranchTargets = ReturnType<typeof createBranchTargets>

function probe(targets: BranchTargets, target: number, addend: number): number {
  const { Target, index, mask } = targets
  let at = mix(target ^ Math.imul(addend, 0x9e3779b1)) & mask
  while (index[at] !== 0 && (Target.target[index[at]] !== target || Target.addend[index[at]] !== addend))
    at = (at + 1) & mask
  return at
}

/** The row of (target, addend), or 0. */
export function findBranchTarget(targets: BranchTargets, target: number, addend: number): number {
  return targets.index[probe(targets, target, addend)]
}

/** The row of (target, addend), made when it is new. */
export function addBranchTarget(targets: BranchTargets, target: number, addend: number): number {
  const at = probe(targets, target, addend)
  if (targets.index[at] === 0) {
    const row = ++targets.count
    targets.index[at] = row
    targets.Target.target[row] = target
    targets.Target.addend[row] = addend
    if (row * 2 > targets.mask) growIndex(targets)
    return row
  }
  return targets.index[at]
}

/** The index is as large as the rows there are, not as those that there might be: few branches need a thunk. */
function growIndex(targets: BranchTargets): void {
  targets.mask = targets.mask * 2 + 1
  targets.index = column('u32', targets.mask, targets.shared)
  for (let row = 1; row <= targets.count; row++)
    targets.index[probe(targets, targets.Target.target[row], targets.Target.addend[row])] = row
}

/** Puts other symbols in the place of targets. */
export function retarget(targets: BranchTargets, of: (target: number) => number): void {
  const { target } = targets.Target
  for (let row = 1; row <= targets.count; row++) target[row] = of(target[row])
  targets.index.fill(0)
  for (let row = 1; row <= targets.count; row++)
    targets.index[probe(targets, target[row], targets.Target.addend[row])] = row
}

/** A thunk of the target at an address of an output section; of one target, addresses ascend. */
export function addThunk(thunks: Thunks, targets: BranchTargets, of: number, output: number, address: number): number {
  const { Target } = targets
  const thunk = ++thunks.count
  thunks.Thunk.of[thunk] = of
  thunks.Thunk.output[thunk] = output
  thunks.Thunk.address[thunk] = address
  thunks.Thunk.sequence[thunk] = Target.thunks[of]++
  if (Target.last[of] === 0) Target.first[of] = thunk
  else thunks.Thunk.next[Target.last[of]] = thunk
  Target.last[of] = thunk
  return thunk
}

/** Takes back the thunks from `first` on. */
export function dropThunks(thunks: Thunks, { Target }: BranchTargets, first: number): void {
  const { of, next } = thunks.Thunk
  for (let thunk = thunks.count; thunk >= first; thunk--) {
    const target = of[thunk]
    let before = Target.first[target] === thunk ? 0 : Target.first[target]
    while (before !== 0 && next[before] !== thunk) before = next[before]
    if (before === 0) Target.first[target] = 0
    else next[before] = 0
    Target.last[target] = before
    Target.thunks[target]--
  }
  thunks.count = first - 1
}
