import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeSynthetic } from '../../bench/synthetic.ts'
import { addLane, addSpan, createTrace } from '../../src/core/trace.ts'
import { chromeTrace } from '../../src/chromeTrace.ts'
import { createMemoryHost, createNodeHost, link, type LinkOptions, type Progress } from '../../src/node.ts'
import { tempFolder } from '../helpers/paths.ts'

const OBJECTS = 140
const { inputs, stub } = makeSynthetic({ arch: 'arm64', objects: OBJECTS, functions: 10 }, tempFolder())

function options(): LinkOptions & { folder: string } {
  const folder = tempFolder()
  return { inputs: [...inputs, stub], arch: 'arm64', output: join(folder, 'out'), folder }
}

async function progressOf(given: LinkOptions): Promise<Progress[]> {
  const told: Progress[] = []
  await link({ ...given, onProgress: (progress) => void told.push(progress) })
  return told
}

test('tells of every system, and of files while they are read', async () => {
  const told = await progressOf(options())
  const systems = [...new Set(told.map(({ system }) => system))]
  assert.deepEqual(systems.slice(0, 4), ['survey', 'load', 'resolve', 'define'])
  assert.deepEqual(systems.slice(-2), ['map', 'output'])
  for (const name of ['survey', 'load']) {
    const files = told.filter(({ system, total }) => system === name && total > OBJECTS)
    assert.ok(files.length >= 2, name)
    assert.ok(files.every(({ done, total }) => done <= total))
  }
})

test('progress goes up to one and never back', async () => {
  const told = await progressOf({ ...options(), write: false })
  for (let i = 1; i < told.length; i++) {
    assert.ok(told[i].fraction >= told[i - 1].fraction && told[i].fraction <= 1, told[i].system)
    assert.ok(told[i].elapsed >= told[i - 1].elapsed)
  }
  assert.equal(told[0].fraction, 0)
  assert.ok(told.at(-1)!.fraction > 0.95)
})

test('what the progress callback throws rejects the link', async () => {
  const { folder, ...given } = options()
  const fault = new Error('enough')
  const onProgress = ({ system }: Progress) => {
    if (system === 'relocate') throw fault
  }
  await assert.rejects(link({ ...given, onProgress }), (thrown) => thrown === fault)
  assert.deepEqual(readdirSync(folder), [])
})

for (const where of ['survey', 'load', 'allocate', 'output']) {
  test(`an abort during ${where} rejects with its reason and leaves nothing behind`, async () => {
    const { folder, ...given } = options()
    const abort = new AbortController()
    const reason = new Error('not wanted any more')
    let last = ''
    const onProgress = ({ system, done, total }: Progress) => {
      last = system
      if (system === where && (done > 0 || total === 0)) abort.abort(reason)
    }
    await assert.rejects(link({ ...given, signal: abort.signal, onProgress }), (thrown) => thrown === reason)
    assert.equal(last, where)
    assert.deepEqual(readdirSync(folder), [])
  })
}

test('an abort that comes from outside is seen while files are read', async () => {
  const { folder, ...given } = options()
  let clock = 0
  let reads = 0
  const node = createNodeHost()
  const readInto: typeof node.readInto = (...request) => {
    reads++
    return node.readInto(...request)
  }
  const host = { ...node, readInto, now: () => (clock += 10) }
  const abort = new AbortController()
  setImmediate(() => abort.abort())
  await assert.rejects(link({ ...given, host, signal: abort.signal }), { name: 'AbortError' })
  assert.ok(reads < OBJECTS / 2, `${reads} files were read`)
  assert.deepEqual(readdirSync(folder), [])
})

test('an aborted signal stops a link before it looks at anything', async () => {
  const host = createMemoryHost()
  const signal = AbortSignal.abort('early')
  await assert.rejects(link({ inputs: ['nowhere.o'], host, signal }), (thrown) => thrown === 'early')
})

test('the trace has a step for each system, those within them, and their sums', async () => {
  const given = { ...options(), timeTrace: true, timeTraceGranularity: 0, map: true }
  const { timeTrace, timings } = await link(given)
  const { traceEvents, beginningOfTime } = timeTrace!
  assert.ok(Math.abs(beginningOfTime / 1000 - Date.now()) < 600_000)
  const steps = traceEvents.filter(({ ph, name }) => ph === 'X' && !name.startsWith('Total '))
  const named = (name: string) => steps.filter((event) => event.name === name)
  for (const { system } of timings) assert.ok(named(system).length > 0, system)
  assert.equal(named('Read file').length, inputs.length + 1)
  assert.ok(named('Read file').some(({ args }) => args?.detail === inputs[0]))
  assert.equal(named('Write map file').length, 1)
  const [whole] = named('ExecuteLinker')
  for (const { ts, dur, name } of steps) assert.ok(ts >= 0 && ts + dur! <= whole.dur! + 1, name)
  const total = traceEvents.find(({ name }) => name === 'Total Read file')!
  assert.equal(total.args!.count, inputs.length + 1)
})

test('steps shorter than the granularity are in the sums only', async () => {
  const { timeTrace } = await link({ ...options(), timeTrace: true, timeTraceGranularity: 1e9 })
  const steps = timeTrace!.traceEvents.filter(({ ph, name }) => ph === 'X' && !name.startsWith('Total '))
  assert.deepEqual(steps, [])
  assert.ok(timeTrace!.traceEvents.some(({ name }) => name === 'Total load'))
})

test('each thread has a lane with its name', () => {
  const trace = createTrace(100, 0)
  const lane = addLane(trace, 'worker 1')
  addSpan(trace, lane, 'hash', 101, 103.5)
  addSpan(trace, 0, 'sign', 100, 104)
  addSpan(trace, lane, 'hash', 103.5, 104)
  const { traceEvents, beginningOfTime } = chromeTrace(trace, 7)
  assert.equal(beginningOfTime, 7000)
  const [hash, sign] = traceEvents
  assert.deepEqual(hash, { pid: 1, tid: 2, ts: 1000, ph: 'X', dur: 2500, name: 'hash' })
  assert.equal(sign.tid, 1)
  const total = traceEvents.find(({ name }) => name === 'Total hash')!
  assert.deepEqual([total.dur, total.args], [3000, { count: 2, 'avg ms': 1 }])
  const names = traceEvents.filter(({ name }) => name === 'thread_name').map(({ tid, args }) => [tid, args!.name])
  assert.deepEqual(names, [
    [1, 'main'],
    [2, 'worker 1'],
  ])
})

test('statistics tell columns, tables, arenas, counts and sizes', async () => {
  const { stats, outputFiles } = await link({ ...options(), write: false, stats: true })
  const { columns, counts, arenas, output, tables, resident, peakMemory } = stats!
  const { symbols } = columns
  assert.ok(symbols.rows > OBJECTS * 2 && symbols.bytes >= symbols.rows * 20 && symbols.reserved >= symbols.bytes)
  assert.ok(symbols.capacity >= symbols.rows)
  assert.equal(counts.objects, inputs.length)
  assert.equal(counts.symbols, symbols.rows)
  for (const name of ['blocks', 'relocations', 'names', 'imports', 'gots', 'stubs', 'rebases', 'binds'])
    assert.ok(counts[name] > 0, name)
  for (const name of ['inputs', 'names']) assert.ok(arenas[name].bytes > 0, name)
  assert.ok(tables['index of names'] > 0)
  assert.equal(output.file, outputFiles[0].contents.length)
  assert.ok(output.__TEXT + output.__LINKEDIT <= output.file)
  assert.ok(output['__LINKEDIT symbols'] + output['__LINKEDIT strings'] < output.__LINKEDIT)
  assert.ok(peakMemory >= resident.load && resident.load > 1 << 20)
})

test('a link gives neither trace nor statistics that it was not asked for', async () => {
  const result = await link({ ...options(), write: false })
  assert.deepEqual([result.timeTrace, result.stats], [undefined, undefined])
})
