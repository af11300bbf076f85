import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockEditLine } from '../../bench/blockEdits.ts'
import { incrementalGoals } from '../../bench/incremental/goals.ts'
import type { IncrementalLine } from '../../bench/incremental.ts'
import { goalTable } from '../../bench/rivals/goals.ts'
import { comparePadded } from '../../bench/incremental/paddedSize.ts'
import { editBody } from '../../bench/incremental/editBody.ts'
import { addFunction, editCall } from '../../bench/incremental/editCall.ts'
import { editWinner } from '../../bench/incremental/editWinner.ts'
import { startOutside } from '../../bench/incremental/outside.ts'
import { syntheticObjects } from '../../bench/synthetic/program.ts'
import { context, link, type LinkOptions } from '../../src/node.ts'
import { archs } from '../helpers/targets.ts'

for (const arch of archs) {
  test(`the edit of the incremental bench changes the constant of a body, and nothing else (${arch})`, () => {
    const { value } = syntheticObjects({ arch, objects: 2, functions: 10 }).next()
    const before = (value as { bytes: Uint8Array }).bytes
    const after = before.slice()
    editBody(after, arch, 0x1234)
    const again = after.slice()
    editBody(again, arch, 0x4321)
    const changed = [...before.keys()].filter((i) => before[i] !== after[i] || before[i] !== again[i])
    assert.ok(changed.length > 0 && changed.at(-1)! - changed[0] < 4, `bytes ${changed}`)
    assert.notDeepEqual(after, again)
  })

  test(`the edit that changes a winner is a warm rebuild (${arch})`, async () => {
    const inputs = [...syntheticObjects({ arch, objects: 4, functions: 10 })].map(({ name, bytes }) => ({
      path: name,
      contents: bytes,
    }))
    const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
    const options: LinkOptions = { arch, platform, inputs, outputType: 'dylib', undefined: 'dynamic_lookup' }
    const session = context({ ...options, write: false, checkPatches: true })
    await session.rebuild()
    for (const contents of [editWinner(inputs[2].contents), inputs[2].contents]) {
      const { mode, reason } = await session.rebuild({ changed: [{ path: inputs[2].path, contents }] })
      assert.equal(mode, 'warm', reason)
    }
    await session.dispose()
  })

  test(`a session takes the edit of the incremental bench as a patch of one block (${arch})`, async () => {
    const objects = [...syntheticObjects({ arch, objects: 2, functions: 10 })]
    const inputs = objects.map(({ name, bytes }) => ({ path: name, contents: bytes }))
    const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
    const options: LinkOptions = {
      arch,
      platform,
      inputs,
      outputType: 'dylib',
      undefined: 'dynamic_lookup',
      write: false,
    }
    const session = context(options)
    assert.equal((await session.rebuild()).mode, 'full')
    const contents = inputs[0].contents.slice()
    editBody(contents, arch, 0x1234)
    const { mode, reason, dirtyBlocks } = await session.rebuild({ changed: [{ path: inputs[0].path, contents }] })
    assert.deepEqual([mode, dirtyBlocks], ['patch', 1], reason)
    await session.dispose()
  })
}

for (const arch of archs)
  test(`the call that the incremental bench adds is to a function that nothing has called (${arch})`, async () => {
    const objects = [...syntheticObjects({ arch, objects: 2, functions: 10 })]
    const { bytes } = objects.find(({ bytes }) => Buffer.from(bytes).includes('_labs\0'))!
    const called = Buffer.from(editCall(bytes))
    assert.ok(called.subarray(-8).equals(Buffer.from('_isatty\0')))
    assert.ok(!Buffer.from(bytes).includes('_isatty\0'))
    assert.match(addFunction('symbols: [ _abs ]'), /_isatty, _abs/)
    assert.throws(() => editCall(new Uint8Array(Buffer.concat([bytes, bytes]))), /do not come last/)
  })

test('commands of the incremental bench are children of a process beside it, which tells what failed', async () => {
  const outside = startOutside()
  const run = (script: string) =>
    outside.once({ name: 'some', command: [process.execPath, '-e', script], output: null })
  const { wall } = await run('process.exit(0)')
  assert.ok(wall > 0)
  await assert.rejects(run('throw new Error("broken")'), /status 1: .*broken/)
  await assert.rejects(outside.command(['-incremental']), /ld64.colonnade --incremental/)
  outside.end()
})

test('the padded file of a program is compared with the tight one of the same inputs', async (t) => {
  t.mock.method(console, 'log', () => {})
  const inputs = [...syntheticObjects({ arch: 'arm64', objects: 4, functions: 50 })].map(({ name, bytes }) => ({
    path: name,
    contents: bytes,
  }))
  const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
  const options: LinkOptions = { arch: 'arm64', platform, inputs, outputType: 'dylib', undefined: 'dynamic_lookup' }
  const { outputFiles } = await link({ ...options, layout: 'padded', write: false })
  const line = await comparePadded('some', options, outputFiles[0].contents.length)
  assert.ok(line.ratio > 1 && line.padded > line.tight && line.met, JSON.stringify(line))
  assert.ok(!(await comparePadded('some', options, line.tight * 1.4)).met)
})

test('the table of the figures to reach has each rebuild with a figure, and each update of a block, with its verdict', () => {
  const line: IncrementalLine = {
    work: 'one function body',
    scenario: 'synthetic large arm64',
    mode: 'patch',
    reason: '',
    milliseconds: 50,
    ratio: 0.012,
    goal: 0.01,
    met: false,
    dirtyBlocks: 1,
    dirtyPages: 2,
    bytesWritten: 300,
    pagesWritten: 2,
  }
  const block: BlockEditLine = {
    edit: 'another body',
    arch: 'x86_64',
    fixupChains: false,
    write: true,
    milliseconds: 1.234,
    slow: 3,
    bytes: 10,
    goal: 2,
    met: true,
  }
  const padded = { scenario: 'synthetic large arm64', padded: 136, tight: 100, ratio: 1.36, met: false }
  const goals = incrementalGoals(
    { lines: [line, { ...line, work: 'no figure', goal: null, met: null }], padded: [padded] },
    [block, { ...block, edit: 'a function less' }],
  )
  assert.deepEqual(goalTable(goals).replaceAll(/ +/g, ' ').split('\n'), [
    'to reach',
    ' one function body synthetic large arm64 patch, ratio 0.0120 at most 0.01 NOT MET',
    ' padded file against tight synthetic large arm64 ratio 1.360 at most 1.35 NOT MET',
    ' block-level: another body, flush x86_64 opcodes, to a file 1.23 ms at most 2 ms met',
  ])
})
