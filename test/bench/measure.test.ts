import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { median } from '../../bench/compare/statistics.ts'
import { compare, type Result, type Run } from '../../bench/measure.ts'
import { NODE, OURS, PEER } from '../../bench/rivals/contestants.ts'
import { ratioOf, scenarioLines } from '../../bench/tables.ts'
import { tempFolder } from '../helpers/paths.ts'

function result(name: string, run: Run): Result {
  return { name, runs: [run], summary: run, failure: null }
}

describe('the stopwatch', () => {
  it('takes the middle of the values', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 2, 3]), 2.5)
    assert.equal(median([7]), 7)
  })

  it('measures time, processor time and memory of a command', () => {
    const touch = `const held = Buffer.alloc(1 << 28, 1); const end = Date.now() + 100; while (Date.now() < end) held[0]++`
    const [idle, busy] = compare(
      [
        { name: 'idle', command: [process.execPath, '-e', '0'], output: null },
        { name: 'busy', command: [process.execPath, '-e', touch], output: null },
      ],
      2,
      1,
    )
    assert.equal(busy.runs.length, 2)
    assert.ok(busy.summary!.wall > 100 && busy.summary!.cpu > 50)
    assert.ok(busy.summary!.memory - idle.summary!.memory > 0.9 * (1 << 28))
  })

  it('adds up the memory of all processes of a command', () => {
    const hold = 'const held = Buffer.alloc(1 << 27, 1); setTimeout(() => held, 300)'
    const both = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(hold)}]); ${hold}`
    const [one, two] = compare(
      [
        { name: 'one', command: [process.execPath, '-e', hold], output: null },
        { name: 'two', command: [process.execPath, '-e', both], output: null },
      ],
      1,
      1,
    )
    const more = two.summary!.memory - one.summary!.memory
    assert.ok(process.platform !== 'linux' || more > 0.9 * (1 << 27), `${more}`)
  })

  it('removes the output before each run, and says why a command failed', () => {
    const output = join(tempFolder(), 'out')
    const make = `test ! -e ${output} && : >${output}`
    const [good, bad] = compare(
      [
        { name: 'good', command: ['sh', '-c', make], output },
        { name: 'bad', command: ['sh', '-c', 'echo no such thing >&2; exit 3'], output: null },
      ],
      3,
      1,
    )
    assert.deepEqual([good.failure, good.runs.length, existsSync(output)], [null, 3, true])
    assert.deepEqual([bad.failure, bad.summary], ['status 3: no such thing', null])
  })

  it('compares with the peer, with and without the start of Node', () => {
    const results = [
      result(OURS, { wall: 90, cpu: 100, memory: 60 << 20 }),
      result(PEER, { wall: 20, cpu: 50, memory: 30 << 20 }),
      result(NODE, { wall: 50, cpu: 50, memory: 40 << 20 }),
    ]
    assert.deepEqual(ratioOf(results), { wall: 4.5, cpu: 2, memory: 2, lessStart: 2 })
    assert.match(
      scenarioLines('hello', 1, results).join('\n'),
      /ratio +4\.50 +2\.00 +2\.00\n +ratio less node -e 0 +2\.00/,
    )
    assert.equal(ratioOf(results.slice(0, 1)), null)
  })
})
