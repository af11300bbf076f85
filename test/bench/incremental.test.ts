import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editBody } from '../../bench/incremental/editBody.ts'
import { addFunction, editCall } from '../../bench/incremental/editCall.ts'
import { editWinner } from '../../bench/incremental/editWinner.ts'
import { syntheticObjects } from '../../bench/synthetic/program.ts'
import { context, type LinkOptions } from '../../src/node.ts'
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
