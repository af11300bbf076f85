import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isMoreWork, movedCounters, moveText } from '../../bench/compare/counters.ts'
import { isRegression, reportData, scenarioTable } from '../../bench/compare/report.ts'
import { conclude, isOpen, judge, type Judgement, type Row, type Verdict } from '../../bench/compare/verdict.ts'
import { describeMachine } from '../../bench/machine.ts'

/** Twelve rounds whose ratios lie evenly within `scatter` around `ratio`. */
function row(ratio: number, scatter: number): Row {
  const spread = (middle: number, turn: number) =>
    Array.from({ length: 12 }, (_, i) => middle + scatter * (((i * 5 + turn) % 12) / 11 - 0.5))
  const base = spread(10, 1)
  return {
    name: 'load',
    base,
    head: base.map((ms) => ms * ratio),
    ratios: spread(ratio, 3),
    controls: spread(1, 7),
  }
}

function judged(...verdicts: Verdict[]): Judgement[] {
  return verdicts.map((verdict) => ({ ...judge(row(verdict === 'regression' ? 1.1 : 1, 0.01)), verdict }))
}

describe('the verdict of a batch', () => {
  it('is a regression where the test and the size of the change agree', () => {
    assert.equal(judge(row(1.05, 0.01)).verdict, 'regression')
    assert.equal(judge(row(0.9, 0.01)).verdict, 'faster')
  })

  it('lets changes of up to 3 % pass, however sure', () => {
    const small = judge(row(1.025, 0.002))
    assert.ok(small.p < 0.001)
    assert.equal(small.verdict, 'same')
  })

  it('wants more of a change where there is more noise, and says that it cannot decide', () => {
    const noisy = judge(row(1.05, 0.3))
    assert.ok(noisy.noise > 0.05)
    assert.equal(noisy.verdict, 'undecidable')
    assert.equal(judge(row(1.5, 0.3)).verdict, 'regression')
  })
})

describe('the verdict of all batches', () => {
  it('needs two batches for a regression', () => {
    assert.ok(isOpen(judged('regression')))
    assert.ok(!isOpen(judged('regression', 'regression')))
    assert.equal(conclude(judged('regression', 'regression')).verdict, 'regression')
    assert.equal(conclude(judged('regression', 'same')).verdict, 'same')
    assert.ok(isOpen(judged('undecidable', 'regression')))
    assert.equal(conclude(judged('undecidable', 'regression')).verdict, 'undecidable')
    assert.equal(conclude(judged('undecidable', 'regression', 'regression')).verdict, 'regression')
  })

  it('runs undecidable rows again once, and no row that is the same', () => {
    assert.ok(isOpen(judged('undecidable')))
    assert.ok(!isOpen(judged('undecidable', 'undecidable')))
    assert.ok(!isOpen(judged('same')))
  })
})

describe('counters', () => {
  const counters = { rows: 1000, read: 0, hashed: 10_000, written: 0, probes: 3, allocated: 0 }
  const base = [{ system: 'load', ...counters }]

  it('are shown whenever they move, and half a percent more work is a regression by itself', () => {
    const head = [{ ...base[0], rows: 1005, hashed: 10_001, probes: 2 }]
    const moves = movedCounters(base, head)
    assert.deepEqual(moves.map(moveText), [
      'load.rows +5 (0.5 %)',
      'load.hashed +1 (below 0.05 %)',
      'load.probes -1 (33.3 %)',
    ])
    assert.deepEqual(moves.map(isMoreWork), [true, false, false])
    assert.deepEqual(movedCounters(base, [{ ...base[0] }]), [])
  })

  it('that one side does not have are left out', () => {
    const { probes, ...older } = base[0]
    assert.deepEqual(movedCounters([older as (typeof base)[0]], base), [])
    assert.equal(moveText({ system: 'load', counter: 'read', base: 0, head: 5 }), 'load.read 0 -> 5')
  })

  it('of systems that one side does not have are moved', () => {
    const moves = movedCounters(base, [{ ...base[0], system: 'fold', rows: 1, hashed: 0 }])
    assert.deepEqual(moves.map(moveText), [
      'fold.rows 0 -> 1, new',
      'fold.probes 0 -> 3, new',
      'load.rows 1000 -> 0, gone',
      'load.hashed 10000 -> 0, gone',
      'load.probes 3 -> 0, gone',
    ])
    assert.deepEqual(moves.map(isMoreWork), [true, true, false, false, false])
  })
})

describe('the report', () => {
  const yardsticks = { kernel: 2, peerWall: 50, peerCpu: 100 }
  const quiet = { scenario: 'hello arm64', judgements: [judge(row(1, 0.01))], moves: [], yardsticks }
  const noisy = judge(row(1, 0.4))

  it('is a regression by a row or by a counter', () => {
    assert.equal(isRegression(quiet), false)
    assert.equal(isRegression({ ...quiet, judgements: [judge(row(1.2, 0.01))] }), true)
    const move = { system: 'load', counter: 'rows', base: 1, head: 2 } as const
    assert.equal(isRegression({ ...quiet, moves: [move] }), true)
    assert.equal(isRegression({ ...quiet, moves: [{ ...move, head: 0 }] }), false)
  })

  it('prints rows with intervals, and what counters say of undecidable ones', () => {
    const text = scenarioTable({ ...quiet, judgements: [...quiet.judgements, noisy] })
    assert.match(text, /load +12 +10\.0 \[10\.0, 10\.0\] +10\.0 \[10\.0, 10\.0\] +1\.000 .* same/)
    assert.match(text, /undecidable; counters are equal/)
    assert.match(text, /counters: none moved/)
    const small = { system: 'load', counter: 'rows', base: 1000, head: 1001 } as const
    const moved = scenarioTable({ ...quiet, moves: [{ ...small, counter: 'read', head: 1010 }, small] })
    assert.match(moved, /counters: more work: load\.read \+10 \(1\.0 %\)\n {4}moved: load\.rows \+1 \(0\.1 %\)\n/)
    assert.match(scenarioTable({ ...quiet, moves: [small] }), /none rose by 0\.5 %\n {4}moved: load\.rows/)
    assert.match(text, /geometric mean of the ratios 1\.000/)
  })

  it('stores ratios and no times', () => {
    const command = { ...quiet.judgements[0], name: 'command, wall' }
    const report = { ...quiet, judgements: [...quiet.judgements, command] }
    const data = JSON.parse(JSON.stringify(reportData(describeMachine(), ['a', 'b'], [report])))
    const [load, wall] = data.scenarios[0].rows
    assert.deepEqual([load.toKernel, load.toPeer, wall.toPeer], [5, undefined, 0.2])
    assert.ok(!JSON.stringify(data.scenarios).includes('middle'))
    assert.equal(data.regression, false)
  })
})
