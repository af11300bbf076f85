import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plot } from '../../bench/scale/plot.ts'

test('a plot has a line and a name for each series, within its frame', () => {
  const flat = { name: 'load & split', points: [[1e4, 50] as const, [1e6, 50] as const] }
  const rising = { name: 'strip', points: [[1e4, 2] as const, [1e5, 20] as const, [1e6, 200] as const] }
  const svg = plot('cost', 'symbols', 'ns', [flat, rising])
  const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) =>
    points.split(' ').map((point) => point.split(',').map(Number)),
  )
  assert.equal(lines.length, 2)
  for (const [x, y] of lines.flat()) assert.ok(x >= 70 && x <= 730 && y >= 40 && y <= 510, `${x} ${y}`)
  const [, risingLine] = lines[0].length === 2 ? lines : [lines[1], lines[0]]
  assert.ok(risingLine[0][1] > risingLine[1][1] && risingLine[1][1] > risingLine[2][1])
  assert.match(svg, /load &#38; split/)
  assert.match(svg, />100 k</)
})
