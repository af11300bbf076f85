import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { MemoryHost } from '../../src/host/memory.ts'
import { createCache, createMemoryHost, type LinkOptions, link } from '../../src/index.ts'
import { compile } from '../helpers/clang.ts'
import { archs } from '../helpers/targets.ts'

const stub = (name: string) => `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/usr/lib/libgreet.dylib'
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ ${name} ]
...
`

interface Counted {
  host: MemoryHost
  options: LinkOptions
  /** Libraries that were read. */
  reads: string[]
}

function setUp(arch: (typeof archs)[number]): Counted {
  const object = readFileSync(compile(arch, 'int greet(void); int main(void) { return greet(); }'))
  const memory = createMemoryHost({ '/main.o': new Uint8Array(object), '/lib/libgreet.tbd': stub('_greet') })
  const reads: string[] = []
  const host: MemoryHost = {
    ...memory,
    readInto: (path, ...rest) => {
      if (path !== '/main.o') reads.push(path)
      return memory.readInto(path, ...rest)
    },
  }
  const inputs = ['/main.o', { library: 'greet' }, { library: 'System' }]
  return { host, reads, options: { inputs, arch, host, write: false, libraryPaths: ['/lib'] } }
}

test('a second link with a cache reads no library again, and makes the same bytes', async () => {
  for (const arch of archs) {
    const { options, reads } = setUp(arch)
    const cache = createCache()
    const plain = await link(options)
    const first = await link({ ...options, cache })
    const second = await link({ ...options, cache })
    assert.deepEqual(reads, ['/lib/libgreet.tbd', '/lib/libgreet.tbd'])
    assert.deepEqual(first.outputFiles, plain.outputFiles)
    assert.deepEqual(second.outputFiles, plain.outputFiles)
    assert.deepEqual(second.dependencies, plain.dependencies)
  }
})

test('a library that has changed is read anew', async () => {
  const { host, options } = setUp('arm64')
  const cache = createCache()
  await link({ ...options, cache })
  host.put('/lib/libgreet.tbd', stub('_other'))
  await assert.rejects(link({ ...options, cache }), /undefined symbol: _greet/)
  host.put('/lib/libgreet.tbd', stub('_greet'))
  await link({ ...options, cache })
})

test('what one architecture has read does not serve the other', async () => {
  const cache = createCache()
  for (const arch of archs) {
    const { options } = setUp(arch)
    const plain = await link(options)
    assert.deepEqual((await link({ ...options, cache })).outputFiles, plain.outputFiles)
  }
})

test('contents in memory are not taken for the file of their name', async () => {
  const { options, reads } = setUp('arm64')
  const cache = createCache()
  const contents = new TextEncoder().encode(stub('_greet'))
  const [main, , system] = options.inputs
  await link({ ...options, cache, inputs: [main, { path: '/lib/libgreet.tbd', contents }, system] })
  reads.length = 0
  await link({ ...options, cache })
  assert.deepEqual(reads, ['/lib/libgreet.tbd'])
})
