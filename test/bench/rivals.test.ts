import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Result } from '../../bench/measure.ts'
import { contestantsFor, NODE, ONE_THREAD, OURS, PEER, parseRival } from '../../bench/rivals/contestants.ts'
import { checkGoal, goals, goalTable } from '../../bench/rivals/goals.ts'

function result(name: string, wall: number, memory: number): Result {
  return { name, runs: [], summary: { wall, cpu: wall, memory }, failure: null }
}

function goalsOf(work: string, scenario: string, results: Result[]): string[] {
  const goal = goals.find((each) => each.work === work)!
  assert.match(scenario, goal.on)
  return checkGoal(goal, scenario, results).map(({ measured, met }) => `${measured} ${met}`)
}

describe('the figures to reach', () => {
  it('are ratios to the peer with as many threads', () => {
    const results = [result(OURS, 29, 60), result(OURS + ONE_THREAD, 50, 40), result(PEER, 100, 100)]
    results.push(result(PEER + ONE_THREAD, 100, 100))
    assert.deepEqual(goalsOf('synthetic large', 'synthetic large arm64', results), [
      'wall 0.29 true',
      'memory 0.60 false',
    ])
    assert.deepEqual(goalsOf('synthetic large, one thread', 'synthetic large arm64', results), [
      'wall 0.50 false',
      'memory 0.40 true',
    ])
  })

  it('leave the start of Node out where links are short', () => {
    const results = [result(OURS, 95, 50), result(PEER, 10, 60), result(NODE, 50, 40)]
    assert.deepEqual(goalsOf('hello, command', 'hello x86_64', results), ['over node -e 0 45.0 ms false'])
    assert.deepEqual(goalsOf('real program, command', 'out/arm64/sqlite', results), [
      'memory 0.83 true',
      'over ld64.lld and node -e 0 35.0 ms true',
    ])
  })

  it('are not met by a link that fails', () => {
    const failed = { name: OURS, runs: [], summary: null, failure: 'status 1' }
    const lines = checkGoal(goals[0], 'synthetic large arm64', [failed, result(PEER, 1, 1)])
    assert.match(goalTable(lines), /synthetic large arm64 +failed +a link +NOT MET/)
  })
})

describe('rivals', () => {
  const scenario = { name: 'hello', args: () => ['a.o'], small: true }

  it('get the same arguments and outputs of their own', () => {
    const contestants = contestantsFor(scenario, '/cache', [parseRival('other=/bin/ld-other  -mode darwin')])
    const names = [OURS, OURS + ONE_THREAD, PEER, PEER + ONE_THREAD, 'other', NODE]
    assert.deepEqual(
      contestants.map(({ name }) => name),
      names,
    )
    for (const { command, output } of contestants.slice(0, 5))
      assert.deepEqual(command.slice(-3), ['a.o', '-o', output])
    assert.deepEqual(contestants[4].command.slice(0, 3), ['/bin/ld-other', '-mode', 'darwin'])
    assert.equal(new Set(contestants.map(({ output }) => output)).size, 6)
  })

  it('are a name and a command', () => {
    assert.throws(() => parseRival('ld-other'), /expected NAME=COMMAND, got ld-other/)
    assert.throws(() => parseRival('other= '), RangeError)
  })
})
