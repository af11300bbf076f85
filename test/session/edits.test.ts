import assert from 'node:assert/strict'
import { readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { context, link } from '../../src/node.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'
import { compileProgram } from './compileProgram.ts'
import { createProgram, EDITS, editProgram } from './edits.ts'

const STEPS = 14

forEachTarget((target) => {
  test(`whatever is edited, a rebuild writes what a fresh link of the same inputs writes (${target.name})`, async () => {
    const [folder, elsewhere] = [tempFolder(), tempFolder()]
    const written = new Map<string, string>()
    const program = createProgram(11, 5)
    const pick = randomFrom(5)
    let options = compileProgram(target, program, folder, written)
    const session = context(options)
    await session.rebuild()
    for (let step = 0; step < STEPS; step++) {
      const edit = step < EDITS.length ? EDITS[step] : EDITS[Math.floor(pick() * EDITS.length)]
      if (editProgram(program, edit) === null) utimesSync(join(folder, 'main.o'), step, step)
      options = compileProgram(target, program, folder, written)
      const { mode, reason } = await session.rebuild({ options: { inputs: options.inputs } })
      const wanted = edit === 'touch' || edit === 'change a body' ? ['patch'] : ['patch', 'warm']
      assert.ok(wanted.includes(mode), `${edit}: ${mode}, ${reason}`)
      const fresh = await link({ ...options, layout: 'padded', write: false })
      const same = readFileSync(options.output!).equals(fresh.outputFiles[0].contents)
      assert.ok(same, `after ${edit}: ${reason}`)
    }
    verifyImage(target, options.output!)
    const tight = join(elsewhere, 'out')
    await link({ ...options, output: tight })
    const { stdout } = runImage(target, tight)
    assert.match(stdout, /^[0-9a-f]+\n$/m)
    assert.equal(runImage(target, options.output!).stdout, stdout)
    assert.equal((await session.rebuild()).mode, 'noop')
    await session.dispose()
  })
})
