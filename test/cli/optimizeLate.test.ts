import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { test } from 'node:test'
import { helloInputs } from '../../bench/jobs.ts'
import { optimizeLate } from '../../src/cli/optimizeLate.ts'
import { createNodeHost } from '../../src/host/node.ts'
import { linkKeeping } from '../../src/link.ts'
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
    host: { ...node, readInto, foresee: (bytes) => told.push(bytes) > 0 },
    write: false,
  })
  assert.ok(told[0]! >= size && told[0]! < size + 64 * inputs.length)
  assert.deepEqual(new Set(told.slice(1)), new Set([-1]))
})

test('V8 optimizes later for inputs of some megabytes, and for no others', () => {
  const set: string[] = []
  const { foresee } = optimizeLate(createNodeHost(), (flags) => set.push(flags))
  for (const megabytes of [0.1, 48, 800]) foresee!(megabytes * 2 ** 20, true)
  assert.deepEqual(set, [])
  for (const megabytes of [4, 16]) foresee!(megabytes * 2 ** 20, false)
  const [small, large] = set.map((flag) => Number(/^--interrupt-budget=(\d+)$/.exec(flag)![1]))
  assert.ok(small! > large! && large! > 67_584)
})

test('V8 that may not know the flag is left as it is', () => {
  const set: string[] = []
  const told = ['11.3.244.8-node.38', '13.6.233.10-node.26', '14.1.146.11-node.9'].map((version) => {
    const { foresee } = optimizeLate(createNodeHost(), () => set.push(version), version)
    return foresee!(4 * 2 ** 20, false)
  })
  assert.deepEqual(told, [true, true, true])
  assert.deepEqual(set, ['11.3.244.8-node.38', '13.6.233.10-node.26'])
})

test('what hashes is loaded before V8 has other flags', () => {
  const done: string[] = []
  const node = createNodeHost()
  const host = { ...node, sha256: () => void done.push('sha256') }
  optimizeLate(host, () => done.push('flags')).foresee!(4 * 2 ** 20, true)
  assert.deepEqual(done, ['sha256', 'flags'])
})

test('memory is shared where the process ends with the link, and the output is the same', async () => {
  const options = {
    arch: 'arm64' as const,
    platform: { name: 'macos' as const, minVersion: MACOS_13, sdkVersion: MACOS_13 },
    inputs: [...helloInputs('arm64').map((path) => ({ path })), { library: 'System' }],
    write: false,
  }
  const node = createNodeHost()
  const plain = await linkKeeping({ ...options, host: node })
  const ending = await linkKeeping({ ...options, host: { ...node, foresee: () => true } })
  const kept = await linkKeeping({ ...options, host: { ...node, foresee: () => true } }, true)
  assert.deepEqual(
    [plain, ending, kept].map(({ done }) => done.arenas.shared),
    [false, true, false],
  )
  assert.deepEqual(ending.result.outputFiles, plain.result.outputFiles)
})
