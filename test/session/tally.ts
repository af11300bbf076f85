// What becomes of random edits: rebuilds that are compared with fresh links, and a count by kind of edit.
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { link } from '../../src/node.ts'
import type { Input, LinkOptions, RebuildMode, RebuildResult, Session } from '../../src/types.ts'
import type { Arch } from '../helpers/targets.ts'

/** What became of the edits of one kind. */
export interface Tally {
  edits: number
  patches: number
  /** Why the others were none. */
  reasons: string[]
  /** Most pages that a patch of them has changed. */
  pages: number
  /** Of patches that follow a patch: bytes written, by bytes of the file. */
  written: number[]
}

export interface Outcome<Edit> {
  modes: Set<RebuildMode>
  tallies: Map<Edit, Tally>
  /** Patches after which the program was run. */
  runs: number
  /** Pages that the last write has changed, if it was a patch's; else null: the other of the two files is written whole then. */
  before: number | null
}

const PAGES: Readonly<Record<Arch, number>> = { x86_64: 0x1000, arm64: 0x4000 }

export function createOutcome<Edit>(): Outcome<Edit> {
  return { modes: new Set(), tallies: new Map(), runs: 0, before: null }
}

/** Rebuilds with the inputs and the headerPad of `options`. @throws AssertionError where the output is not that of a fresh link */
export async function rebuildLikeFresh(
  session: Session,
  options: LinkOptions & { inputs: (string | Input)[] },
  what: string,
): Promise<RebuildResult> {
  const { inputs, headerPad = 0 } = options
  const result = await session.rebuild({ options: { inputs, headerPad } })
  const fresh = await link({ ...options, layout: 'padded', write: false })
  const same = readFileSync(options.output!).equals(fresh.outputFiles[0].contents)
  assert.ok(same, `${what}: ${result.mode}, ${result.reason}`)
  return result
}

/** @throws AssertionError where a patch that follows a patch has written more than the pages of the two */
export function note<Edit>(
  outcome: Outcome<Edit>,
  edit: Edit,
  result: RebuildResult,
  arch: Arch,
  output: string,
): void {
  const { mode, reason, dirtyPages, timings } = result
  const { modes, tallies } = outcome
  const tally = tallies.get(edit) ?? { edits: 0, patches: 0, reasons: [], pages: 0, written: [] }
  tallies.set(edit, tally)
  modes.add(mode)
  tally.edits++
  if (mode === 'warm' || mode === 'full') {
    tally.reasons.push(reason)
    outcome.before = null
  }
  if (mode !== 'patch') return
  tally.patches++
  tally.pages = Math.max(tally.pages, dirtyPages)
  const bytes = timings.find(({ system }) => system === 'output')?.written ?? 0
  if (outcome.before !== null) {
    const pages = outcome.before + dirtyPages
    assert.ok(bytes <= pages * PAGES[arch], `${bytes} bytes, ${pages} pages`)
    tally.written.push(bytes / statSync(output).size)
  }
  if (bytes > 0) outcome.before = dirtyPages
}
