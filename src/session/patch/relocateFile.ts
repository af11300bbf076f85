// Copies and relocates one object's blocks in the finished image, with the kernels of relocate.
import { dataViewOf } from '../../core/pages.ts'
import { BLOCK_LIVE } from '../../../components/blocks.ts'
import { type Fixups, fixupColumns, SEGMENT_STRIDE } from '../../../components/fixups.ts'
import type { Link } from '../../../components/link.ts'
import { FILL_INPUTS } from '../../../components/outputs.ts'
import { chainBinds } from '../../../systems/kernels/fixups.ts'
import { isZeroFillType } from '../../../systems/kernels/outputKinds.ts'
import { createRelocating } from '../../../systems/relocate/createRelocating.ts'
import { hintChunks } from '../../../systems/relocate/hints.ts'
import { relocateChunks } from '../../../systems/relocate/relocateChunks.ts'

/** Input sections of the object whose contents stand in the image. */
export function contentSections(link: Link, file: number): Uint32Array {
  const { section, sections } = link.files.Ranges
  const { fill, flags } = link.outputs.Section
  const list: number[] = []
  for (let at = section[file]; at < section[file] + sections[file]; at++) {
    const output = link.sections.Blocks.output[at]
    if (output !== 0 && fill[output] === FILL_INPUTS && !isZeroFillType(flags[output])) list.push(at)
  }
  return Uint32Array.from(list)
}

/**
 * Returns the fixups, in the order in which relocate makes them; null when a value does not fit. Chained binds are not written.
 * `at` is shared by calls between which no table changes.
 */
export function relocateFile(link: Link, file: number, at = createRelocating(link)): Fixups | null {
  const sections = contentSections(link, file)
  const most = countRecords(link, sections) * 2
  const { rebaseWorld, bindWorld } = link.fixups
  const fixups = { ...fixupColumns(most, most, false), rebaseWorld, bindWorld }
  const job = {
    sections,
    chunks: 1,
    starts: Uint32Array.of(0, sections.length),
    rebases: Uint32Array.of(0, most),
    binds: Uint32Array.of(0, most),
    lastRebases: Uint32Array.of(0, 0),
    lastBinds: Uint32Array.of(0, 0),
  }
  const failures = relocateChunks({ ...link, fixups }, job, once(), at)
  fixups.rebases = job.lastRebases[0]
  fixups.binds = job.lastBinds[0]
  return failures.length === 0 ? fixups : null
}

/** Relocations of live blocks. */
function countRecords(link: Link, sections: Uint32Array): number {
  const { first, count } = link.sections.Blocks
  const { flags } = link.blocks.Extent
  const { count: records } = link.blocks.Relocations
  let sum = 0
  for (const section of sections)
    for (let block = first[section]; block < first[section] + count[section]; block++)
      if (flags[block] & BLOCK_LIVE) sum += records[block]
  return sum
}

/** Those of all; null when one is. */
export function joinFixups(list: readonly (Fixups | null)[]): Fixups | null {
  const all = list.filter((fixups) => fixups !== null)
  if (all.length < list.length) return null
  if (all.length === 1) return all[0]
  const [first] = all
  const rebases = all.reduce((sum, fixups) => sum + fixups.rebases, 0)
  const binds = all.reduce((sum, fixups) => sum + fixups.binds, 0)
  const { rebaseWorld, bindWorld } = first
  const joined: Fixups = { ...fixupColumns(rebases, binds, false), rebaseWorld, bindWorld }
  for (const { Rebase, Bind, rebases, binds } of all) {
    joined.Rebase.location.set(Rebase.location.subarray(1, rebases + 1), joined.rebases + 1)
    for (const name of ['location', 'import', 'addend'] as const)
      joined.Bind[name].set(Bind[name].subarray(1, binds + 1), joined.binds + 1)
    joined.rebases += rebases
    joined.binds += binds
  }
  return joined
}

export function areSameFixups(a: Fixups, b: Fixups): boolean {
  if (a.rebases !== b.rebases || a.binds !== b.binds) return false
  const same = (x: ArrayLike<number>, y: ArrayLike<number>, rows: number) => {
    for (let row = 1; row <= rows; row++) if (x[row] !== y[row]) return false
    return true
  }
  return (
    same(a.Rebase.location, b.Rebase.location, a.rebases) &&
    same(a.Bind.location, b.Bind.location, a.binds) &&
    same(a.Bind.import, b.Bind.import, a.binds) &&
    same(a.Bind.addend, b.Bind.addend, a.binds)
  )
}

/** Writes the chained binds. `fixups` are those that the link has had for this object. */
export function chainFile(link: Link, fixups: Fixups): void {
  chainBinds({ ...link, fixups }, dataViewOf(link.image), 1, fixups.binds)
}

/** File offsets of the places that dyld changes. */
export function fixupOffsets(link: Link, fixups: Fixups): number[] {
  const { fileOffset } = link.segments.Extent
  const offsetOf = (location: number) => {
    const segment = Math.floor(location / SEGMENT_STRIDE)
    return fileOffset[segment] + location - segment * SEGMENT_STRIDE
  }
  return [
    ...Array.from(fixups.Rebase.location.subarray(1, fixups.rebases + 1), offsetOf),
    ...Array.from(fixups.Bind.location.subarray(1, fixups.binds + 1), offsetOf),
  ]
}

/** Applies the object's optimization hints; false when one of them is bad. */
export function relaxFile(link: Link, file: number): boolean {
  if (link.arch.name !== 'arm64' || link.settings.ignoreOptimizationHints) return true
  if (link.files.Tables.hintsSize[file] === 0) return true
  return hintChunks(link, { files: Uint32Array.of(file), step: 1, taken: null }, once()).length === 0
}

/** Takes chunk 0, the only one. */
function once(): () => number {
  let next = 0
  return () => (next === 0 ? next++ : -1)
}
