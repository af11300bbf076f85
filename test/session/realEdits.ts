// The programs of test/fixtures that random edits are tried on, and what is asked of a session that follows them.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { libcxx, libSystem, minidyldFolder, root } from '../helpers/paths.ts'
import { type Arch, createTarget, type Fixups } from '../helpers/targets.ts'
import { editReal, type RealProgram } from './realRun.ts'
import type { Edit } from './sourceEdits.ts'
import type { Tally } from './tally.ts'

/** Edits for each trial; COLONNADE_EDITS sets another number. */
const steps = Number(process.env.COLONNADE_EDITS ?? 120)
/** Patches between two runs of the program. */
const RUN_EVERY = 2
const MEMBERS = ['numbers.c', 'sorting.c']

/** An interpreter of a small language with what it is made of: C and C++, exceptions, templates, thread-locals, an archive. */
function toyProgram(flags: readonly string[]): RealProgram {
  const folder = join(root, 'test/fixtures/toy')
  const names = readdirSync(folder).filter((name) => !name.endsWith('.h'))
  const sources = names.sort().map((name) => {
    return { name, text: readFileSync(join(folder, name), 'utf8'), isMember: MEMBERS.includes(name) }
  })
  const include = ['-I', folder, '-I', join(minidyldFolder, 'tests')]
  const standard = (name: string) => (name.endsWith('.cpp') ? ['-std=c++17'] : [])
  const flagsOf = (name: string) => [...include, '-Wno-everything', ...standard(name), ...flags]
  return { sources, flagsOf, libraries: [libSystem, libcxx], args: [], stdout: null }
}

export interface Trial {
  fixups: Fixups
  flags: readonly string[]
  seed: number
}

/** Edits within the size class of functions, for nearly all of them fit. */
const WITHIN: readonly Edit[] = ['grow a function', 'shrink a function', 'change a constant']
/** Parts of the edits of a kind that must be patches. */
const GOALS: readonly (readonly [string, readonly Edit[], number])[] = [
  ['edits within a size class', WITHIN, 0.9],
  ['added functions', ['add a function'], 0.8],
  ['new imports', ['call a new import'], 0.8],
]

/** Edits the program for each trial, with every kind of rebuild among them, and enough patches in all. */
export function testRealEdits(arch: Arch, trials: readonly Trial[]): void {
  const tallies: (readonly [Edit, Tally])[] = []
  for (const { fixups, flags, seed } of trials)
    test(`${steps} random edits of a real program give what fresh links give, and run (${arch}, ${fixups}, ${flags.join(' ')})`, async () => {
      const outcome = await editReal(createTarget(arch, fixups), toyProgram(flags), seed, steps, RUN_EVERY)
      assert.deepEqual([...outcome.modes].sort(), ['full', 'noop', 'patch', 'warm'])
      assert.ok(outcome.runs >= steps / 10, `${outcome.runs} runs`)
      tallies.push(...outcome.tallies)
    })
  test(`most edits of functions and imports of a real program are patches (${arch})`, () => {
    for (const [what, edits, goal] of GOALS) {
      const found = tallies.filter(([edit]) => edits.includes(edit)).map(([, tally]) => tally)
      const sum = (key: 'edits' | 'patches') => found.reduce((all, tally) => all + tally[key], 0)
      const reasons = found.flatMap((tally) => tally.reasons).join('\n')
      assert.ok(
        sum('edits') > 0 && sum('patches') >= goal * sum('edits'),
        `${sum('patches')} of ${sum('edits')} ${what}\n${reasons}`,
      )
    }
  })
}
