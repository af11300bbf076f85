import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryHost } from '../../src/host/memory.ts'
import type { LinkStats, TimeTrace } from '../../src/types.ts'
import { runCommand, TARGET } from './runCommand.ts'

const LINK = [...TARGET, 'a.o', '-o', 'x']
const COUNTERS = { read: 0, hashed: 0, written: 0, probes: 0, allocated: 0 }
const TRACE: TimeTrace = {
  traceEvents: [{ name: 'load', ph: 'X', pid: 1, tid: 1, ts: 3, dur: 4 }],
  beginningOfTime: 1e15,
}

test('--time prints a line for each system: wall time, rows, time a row, bytes', async () => {
  const timings = [
    { system: 'load', milliseconds: 1.5, bytes: 9, ...COUNTERS, rows: 3000 },
    { system: 'map', milliseconds: 0.004, bytes: 0, ...COUNTERS, rows: 0 },
  ]
  const { stderr } = await runCommand([...LINK, '--time'], { result: { timings } })
  const [load, map, end] = stderr.split('\n')
  assert.match(load, /^load +1\.50 ms +3000 rows +500\.0 ns\/row +9 bytes$/)
  assert.match(map, /^map +0\.00 ms +0 rows +- ns\/row +0 bytes$/)
  assert.equal(end, '')
})

test('--time-trace writes beside the output, --time-trace= where it says', async () => {
  const host = createMemoryHost()
  const result = { timeTrace: TRACE }
  const beside = await runCommand([...LINK, '--time-trace'], { host, result })
  assert.equal(beside.options?.timeTrace, true)
  await runCommand([...LINK, '--time-trace=t.json'], { host, result })
  for (const path of ['/x.time-trace', '/t.json'])
    assert.deepEqual(JSON.parse(Buffer.from(host.files.get(path)!.contents).toString()), TRACE)
  const printed = await runCommand([...LINK, '--time-trace=-'], { result })
  assert.deepEqual(JSON.parse(printed.stdout), TRACE)
})

test('--time-trace-granularity= takes microseconds', async () => {
  const run = await runCommand([...LINK, '--time-trace', '--time-trace-granularity=70'])
  assert.equal(run.options?.timeTraceGranularity, 70)
  const wrong = await runCommand([...LINK, '--time-trace-granularity=x'])
  assert.match(wrong.stderr, /error: --time-trace-granularity=: number expected, but got 'x'\n$/)
})

test('--stats prints sizes in KiB and counts', async () => {
  const stats: LinkStats = {
    peakMemory: 3 << 20,
    resident: { load: 2 << 20 },
    columns: { symbols: { rows: 10, capacity: 20, bytes: 2048, reserved: 4096 } },
    tables: { 'index of names': 1025 },
    arenas: { inputs: { bytes: 1024, reserved: 2048 } },
    counts: { symbols: 10 },
    output: { file: 1024 },
  }
  const run = await runCommand([...LINK, '--stats'], { result: { stats } })
  assert.equal(run.options?.stats, true)
  const lines = run.stderr.split('\n').map((line) => line.replace(/ +/g, ' '))
  assert.deepEqual(lines, [
    'peak memory 3072 KiB',
    'columns symbols 2 KiB of 4 KiB, 10 of 20 rows',
    'arena inputs 1 KiB of 2 KiB',
    'table index of names 2 KiB',
    'count symbols 10',
    'output file 1 KiB',
    'resident after load 2048 KiB',
    '',
  ])
})

test('without these options a link is asked for none of it', async () => {
  const { options } = await runCommand(LINK)
  assert.deepEqual([options?.timeTrace, options?.stats], [undefined, undefined])
})
