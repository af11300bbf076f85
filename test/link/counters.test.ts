import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeSynthetic } from '../../bench/synthetic.ts'
import { createNodeHost, link, type LinkOptions, type SystemTiming } from '../../src/node.ts'
import { tempFolder } from '../helpers/paths.ts'

const { inputs, stub } = makeSynthetic({ arch: 'arm64', objects: 4, functions: 10 }, tempFolder())
const LINK: LinkOptions = { inputs: [...inputs, stub], arch: 'arm64', write: false }

async function countersOf(options: LinkOptions): Promise<Omit<SystemTiming, 'milliseconds'>[]> {
  const { timings } = await link(options)
  return timings.map(({ milliseconds, ...counters }) => counters)
}

test('the same link counts the same work', async () => {
  assert.deepEqual(await countersOf(LINK), await countersOf(LINK))
})

test('counts rows where rows are visited and bytes where bytes are', async () => {
  const { timings, outputFiles } = await link(LINK)
  const of = (name: string) => timings.find(({ system }) => system === name)!
  const visiting = ['survey', 'load', 'resolve', 'scan', 'allocate', 'numberSymbols', 'beginExports', 'relocate']
  for (const name of [...visiting, 'writeIndirect', 'writeDyldInfo', 'writeSymtab', 'writeHeader', 'sign'])
    assert.ok(of(name).rows > 0, name)
  for (const name of ['survey', 'load']) assert.ok(of(name).read > 0, name)
  for (const name of ['relocate', 'writeDyldInfo', 'writeSymtab', 'writeHeader']) assert.ok(of(name).written > 0, name)
  const { contents } = outputFiles[0]
  assert.ok(of('load').hashed > 0 && of('load').probes > 0)
  assert.ok(of('sign').hashed > 0.9 * contents.length && of('sign').hashed <= 2 * contents.length)
  for (const { system, bytes, read, hashed, written } of timings) assert.equal(bytes, read + hashed + written, system)
})

test('leaves allocation to hosts that count it', async () => {
  assert.ok((await countersOf(LINK)).every(({ allocated }) => allocated === 0))
  let made = 0
  const counted = await countersOf({ ...LINK, host: { ...createNodeHost(), allocated: () => (made += 10) } })
  assert.ok(counted.every(({ allocated }) => allocated >= 10 && allocated % 10 === 0))
})

test('header and signature count load commands and pages', async () => {
  const { timings, outputFiles } = await link(LINK)
  const of = (name: string) => timings.find(({ system }) => system === name)!
  const { contents } = outputFiles[0]
  assert.equal(of('writeHeader').rows, new DataView(contents.buffer, contents.byteOffset).getUint32(16, true))
  assert.ok(of('sign').rows >= Math.floor(contents.length / 0x4000), `${of('sign').rows}`)
})

test('the output counts its pages', async () => {
  const { timings } = await link({ ...LINK, write: true, output: `${tempFolder()}/out` })
  const { rows, written } = timings.find(({ system }) => system === 'output')!
  assert.equal(rows, Math.ceil(written / 0x4000))
  assert.ok(rows > 0)
})
