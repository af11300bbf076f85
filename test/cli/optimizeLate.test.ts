import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { test } from 'node:test'
import { helloInputs } from '../../bench/jobs.ts'
import { optimizeLate } from '../../src/cli/optimizeLate.ts'
import { createNodeHost } from '../../src/host/node.ts'
import { link } from '../../src/node.ts'

const MACOS_13 = 0x000d0000

test('a host is told the size of the inputs before any is read', async () => {
  const told: number[] = []
  const inputs = helloInputs('arm64')
  const size = inputs.reduce((sum, path) => sum + statSync(path).size, 0)
  const node = createNodeHost()
  const readInto: typeof node.readInto = (...args) => {
    told.push(-1)
    return node.readInto(...args)
  }
  await link({
    arch: 'arm64',
    platform: { name: 'macos', minVersion: MACOS_13, sdkVersion: MACOS_13 },
    inputs: [...inputs.map((path) => ({ path })), { library: 'System' }],
    host: { ...node, readInto, foresee: (bytes) => void told.push(bytes) },
    write: false,
  })
  assert.ok(told[0]! >= size && told[0]! < size + 64 * inputs.length)
  assert.deepEqual(new Set(told.slice(1)), new Set([-1]))
})

test('V8 optimizes later for inputs of some megabytes, and for no others', () => {
  const set: string[] = []
  const { foresee } = optimizeLate(createNodeHost(), (flags) => set.push(flags))
  for (const megabytes of [0.1, 48, 800]) foresee!(megabytes * 2 ** 20)
  assert.deepEqual(set, [])
  foresee!(4 * 2 ** 20)
  assert.match(set.join(), /^--interrupt-budget=\d+$/)
})
