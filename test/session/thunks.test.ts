import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTarget } from '../helpers/targets.ts'
import { editForLong } from './longRun.ts'

/** Of code of 30 KB and more: most branches between objects go through thunks. */
const REACH = 8192
const STEPS = 60

for (const [i, fixups] of (['chained', 'opcodes'] as const).entries())
  test(`random edits of a program with thunks give what fresh links give (${fixups})`, async () => {
    const { tallies } = await editForLong(createTarget('arm64', fixups), 31 + i, STEPS, { branchReach: REACH })
    for (const edit of ['change a constant', 'change data', 'touch', 'rename a function'] as const) {
      const { patches, edits, reasons } = tallies.get(edit)!
      assert.equal(patches, edits, `${edit}: ${reasons}`)
    }
    const moving = ['grow a function', 'add a function', 'remove a function', 'call a new import'] as const
    assert.ok(moving.some((edit) => tallies.get(edit)!.patches > 0))
    const reasons = [...tallies.values()].flatMap((tally) => tally.reasons)
    assert.ok(reasons.some((reason) => reason.endsWith('it needs other thunks, or the same ones at other places')))
  })
