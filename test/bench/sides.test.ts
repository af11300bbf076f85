import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { bundleLibrary } from '../../bench/bundleLibrary.ts'
import { movedCounters } from '../../bench/compare/counters.ts'
import { countLink, runBatch } from '../../bench/compare/rounds.ts'
import type { Side, Sides } from '../../bench/compare/sides.ts'
import { median } from '../../bench/compare/statistics.ts'
import { jobs, root } from '../../bench/jobs.ts'
import { tempFolder } from '../helpers/paths.ts'

const folder = tempFolder()
const job = jobs.hello('arm64', folder)

async function side(name: string, body?: string): Promise<Side> {
  const injection = body === undefined ? null : { system: 'allocate', body }
  return { name, command: '', library: await bundleLibrary(root, join(folder, `${name}.mjs`), injection) }
}

describe('sides of a comparison', () => {
  let base: Side
  before(async () => {
    base = await side('base')
  })

  it('count the same work alike, allocation included', () => {
    const [first, second] = [countLink(base.library, job), countLink(base.library, job)]
    assert.deepEqual(movedCounters(first, second), [])
    const survey = first.find(({ system }) => system === 'survey')!
    assert.ok(survey.allocated > 1e5, `${survey.allocated} bytes`)
  })

  it('show buffers that are made on top', async () => {
    const more = await side('more', '  const result = await system()\n  new Uint32Array(1 << 18)\n  return result')
    const moves = movedCounters(countLink(base.library, job), countLink(more.library, job))
    assert.deepEqual(
      moves.map(({ system, counter, base: before, head }) => [system, counter, head - before]),
      [['allocate', 'allocated', 1 << 20]],
    )
  })

  it('are timed by system, in turns', async () => {
    const wait = '  const result = await system()\n  const end = performance.now() + 5\n'
    const slow = await side('slow', `${wait}  while (performance.now() < end);\n  return result`)
    const sides: Sides = { folder, base, again: await side('again'), head: slow }
    const options = { threads: 1, commands: false, peer: null, milliseconds: 100 }
    const { rows, yardsticks } = runBatch(sides, job, { warmups: 2, turns: 3 }, 2, 1, options)
    const allocate = rows.find(({ name }) => name === 'allocate')!
    assert.equal(allocate.ratios.length, 2)
    assert.ok(median(allocate.head) > 5 && median(allocate.ratios) > 1.2, JSON.stringify(allocate))
    assert.ok(rows.some(({ name }) => name === 'link') && yardsticks.kernel > 0)
  })
})
