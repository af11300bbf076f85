import assert from 'node:assert/strict'
import { readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { linkIncrementally } from '../../src/incremental.ts'
import { createNodeHost, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { tempFolder } from '../helpers/paths.ts'
import { verifyImage } from '../helpers/run.ts'
import { createTarget, type Target } from '../helpers/targets.ts'
import { compileProgram } from '../session/compileProgram.ts'
import { createProgram, EDITS, editProgram, type Program } from '../session/edits.ts'

const STEPS = 24

function optionsOf(target: Target, program: Program, folder: string, written: Map<string, string>): LinkOptions {
  const deadStrip = target.fixups === 'opcodes'
  return { ...compileProgram(target, program, folder, written), deadStrip, host: createNodeHost() }
}

for (const target of [createTarget('arm64', 'chained'), createTarget('x86_64', 'opcodes')])
  test(`whatever is edited between runs, a run writes what a fresh link writes, without doubts (${target.name})`, async () => {
    const folder = tempFolder()
    const written = new Map<string, string>()
    const program = createProgram(29, 4)
    const pick = randomFrom(3)
    const modes: Record<string, number> = { patch: 0, full: 0, noop: 0 }
    for (let step = 0; step < STEPS; step++) {
      const edit = EDITS[Math.floor(pick() * EDITS.length)]
      if (step > 0 && editProgram(program, edit) === null) utimesSync(join(folder, 'main.o'), step, step)
      const options = optionsOf(target, program, folder, written)
      const { mode, reason, doubts } = await linkIncrementally(options, 'a linker', step % 3 === 0 ? undefined : 0)
      modes[mode]++
      const fresh = await link({ ...options, layout: 'padded', write: false })
      const same = readFileSync(options.output!).equals(fresh.outputFiles[0].contents)
      assert.ok(same, `step ${step}, ${edit}: ${mode}: ${reason}`)
      assert.deepEqual(doubts, [], `step ${step}, ${edit}`)
      if (edit === 'touch' || edit === 'change a body') assert.equal(mode, step === 0 ? 'full' : 'patch', reason)
    }
    verifyImage(target, join(folder, 'out'))
    assert.ok(modes.patch >= STEPS / 3, JSON.stringify(modes))
  })
