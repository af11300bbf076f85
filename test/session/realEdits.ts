// The programs of test/fixtures that random edits are tried on, and what is asked of a session that follows them.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { libcxx, libSystem, minidyldFolder, root } from '../helpers/paths.ts'
import { type Arch, createTarget, type Fixups } from '../helpers/targets.ts'
import { editReal, type RealProgram } from './realRun.ts'

/** Edits for each trial; COLONNADE_EDITS sets another number. */
const steps = Number(process.env.COLONNADE_EDITS ?? 30)
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

/** Edits the program for each trial, with every kind of rebuild among them. */
export function testRealEdits(arch: Arch, trials: readonly Trial[]): void {
  for (const { fixups, flags, seed } of trials)
    test(`${steps} random edits of a real program give what fresh links give, and run (${arch}, ${fixups}, ${flags.join(' ')})`, async () => {
      const outcome = await editReal(createTarget(arch, fixups), toyProgram(flags), seed, steps, RUN_EVERY)
      assert.deepEqual([...outcome.modes].sort(), ['full', 'noop', 'patch', 'warm'])
      assert.ok(outcome.runs >= steps / 10, `${outcome.runs} runs`)
    })
}
