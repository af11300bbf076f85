import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { arm64 } from '../../src/arch/arm64.ts'
import { x86_64 } from '../../src/arch/x86_64.ts'
import { createMessages } from '../../src/core/messages.ts'
import { aliveCount } from '../../src/ecs.ts'
import { createMemoryHost } from '../../src/host/memory.ts'
import { settle, version } from '../../src/settings.ts'
import { runPipeline } from '../../systems/index.ts'
import { compile } from '../helpers/clang.ts'
import { forEachTarget } from '../helpers/targets.ts'

forEachTarget((target) => {
  test(`names, imports, stubs, GOT keys and symbols are entities of their worlds (${target.name})`, async () => {
    const source =
      'int puts(const char *); extern int *__error(void); int main(void) { return puts("x") + *__error(); }'
    const contents = new Uint8Array(readFileSync(compile(target.arch, source)))
    const platform = { name: 'macos', minVersion: version(13), sdkVersion: version(13) } as const
    const inputs = [{ path: 'main.o', contents }, { library: 'System' }]
    const options = { inputs, fixupChains: target.fixups === 'chained' }
    const messages = createMessages()
    const arch = target.arch === 'arm64' ? arm64 : x86_64
    const done = await runPipeline(settle(options, target.arch, platform), arch, createMemoryHost(), messages)
    assert.deepEqual(messages.list, [])
    for (const kind of ['names', 'imports', 'stubs', 'gots', 'symbols'] as const)
      assert.deepEqual([kind, aliveCount(done[kind].world)], [kind, done[kind].count])
    assert.ok(done.names.count >= 3 && done.stubs.count === 2)
  })
})
