import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeSynthetic } from '../../bench/synthetic.ts'
import type { Request } from '../../src/core/pool.ts'
import type { Host } from '../../src/host/host.ts'
import { createNodeHost, link, type LinkOptions } from '../../src/node.ts'
import { tempFolder } from '../helpers/paths.ts'
import { type Arch, archs } from '../helpers/targets.ts'

const programs = Object.fromEntries(
  archs.map((arch) => [arch, makeSynthetic({ arch, objects: 30, functions: 30 }, tempFolder())]),
)

function optionsFor(arch: Arch, more: Partial<LinkOptions> = {}): LinkOptions {
  const { inputs, stub } = programs[arch]!
  const output = join(tempFolder(), 'out')
  return { inputs: [...inputs, stub], arch, output, adhocCodesign: true, asideFrom: 0, threads: 4, ...more }
}

/** Counts the workers of a link and notes the kernels that are asked of them. */
function watch(): { host: Host; kernels: Set<string>; started: () => number } {
  const host = createNodeHost()
  const kernels = new Set<string>()
  let started = 0
  const startWorker: Host['startWorker'] = (events) => {
    started++
    const worker = host.startWorker!(events)
    const post = (message: unknown) => {
      const { kernel } = message as Request
      if (kernel !== undefined) kernels.add(kernel)
      worker.post(message)
    }
    return { ...worker, post }
  }
  return { host: { ...host, startWorker }, kernels, started: () => started }
}

async function bytesOf(options: LinkOptions): Promise<Buffer> {
  await link(options)
  return readFileSync(options.output!)
}

for (const arch of archs)
  for (const fixupChains of [true, false])
    test(`a worker beside the link changes no byte: ${arch}, ${fixupChains ? 'chained' : 'opcodes'}`, async () => {
      const { host, kernels, started } = watch()
      const alone = await bytesOf(optionsFor(arch, { fixupChains, threads: 1 }))
      assert.ok(alone.equals(await bytesOf(optionsFor(arch, { fixupChains, host }))))
      assert.equal(started(), 1)
      assert.deepEqual([...kernels].sort(), ['exportChunks', 'functionStartChunks', 'sortExportChunks', 'writeChunks'])
    })

test('small links have no worker, and one thread means none', async () => {
  for (const more of [{ asideFrom: 1 << 25 }, { threads: 1 }]) {
    const { host, started } = watch()
    await link(optionsFor('arm64', { host, ...more }))
    assert.equal(started(), 0)
  }
})
