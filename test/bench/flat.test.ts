import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flatTable, judgeScale } from '../../bench/scale/flat.ts'

const small = { symbols: 1e4, blocks: 1e3, relocations: 2e4 }
const large = { symbols: 1e6, blocks: 1e5, relocations: 2e6 }

test('a system is flat while a row costs at most three times as much in the largest program as in the smallest', () => {
  const judged = judgeScale([
    { ...small, systems: { load: 10, fold: 1, scan: 1, sign: 2, map: 0.001 } },
    { ...large, systems: { load: 1000, fold: 299, scan: 301, sign: 20, map: 10 } },
  ])
  assert.deepEqual(
    judged.map(({ system, growth, flat }) => [system, growth.toFixed(2), flat]),
    [
      ['load', '1.00', true],
      ['fold', '2.99', true],
      ['scan', '3.01', false],
      ['sign', '0.10', true],
    ],
  )
  assert.match(flatTable(judged), /scan +18\.\d % +3\.01 {2}NOT FLAT/)
  assert.match(flatTable(judged), /load +61\.\d % +1\.00 {2}flat/)
})

test('a system that took no time in the smallest program and matters in the largest is not flat', () => {
  const judged = judgeScale([
    { ...small, systems: { load: 10 } },
    { ...large, systems: { load: 900, fold: 100 } },
  ])
  assert.deepEqual(
    judged.map(({ flat }) => flat),
    [true, false],
  )
})
