import assert from 'node:assert/strict'
import { copyFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, createNodeHost, HostError } from '../../src/node.ts'
import type { Host } from '../../src/host/host.ts'
import type { LinkOptions, RebuildResult, Session } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { createTarget } from '../helpers/targets.ts'

const TARGET = createTarget('arm64', 'chained')

function says(text: string): string {
  return compile('arm64', `int puts(const char *); int main(void) { return puts("${text}") < 0; }`)
}

/** A new file at once, so that no look at it comes in between. */
function put(object: string, path: string): void {
  copyFileSync(object, `${path}.new`)
  renameSync(`${path}.new`, path)
}

/** Reports of a watched session, one after the other. */
async function watched(session: Session, interval: number): Promise<() => Promise<[RebuildResult | null, unknown]>> {
  const reports: [RebuildResult | null, unknown][] = []
  let wake: () => void = () => undefined
  await session.watch({
    interval,
    delay: 20,
    onRebuild: (result, failure) => {
      reports.push([result, failure])
      wake()
    },
  })
  return async () => {
    while (reports.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return reports.shift()!
  }
}

const node = createNodeHost()
const hosts: readonly (readonly [string, Host])[] = [
  ['directories are watched', node],
  [
    'the host cannot watch',
    {
      ...node,
      watch: () => {
        throw new HostError('ENOSPC', 'no room for watches')
      },
    },
  ],
]

for (const [name, host] of hosts) {
  test(`a watched session rebuilds when an input changes, fails or appears (${name})`, async () => {
    const folder = tempFolder()
    const object = join(folder, 'main.o')
    put(says('one'), object)
    const options: LinkOptions = { inputs: [object, { library: 'System' }], output: join(folder, 'out'), host }
    const session = context(options)
    const next = await watched(session, 30)
    assert.equal((await next())[0]?.reason, 'nothing is linked yet')
    put(says('two'), object)
    assert.deepEqual((await next())[0]?.changedInputs, [object])
    assert.equal(runImage(TARGET, options.output!).stdout, 'two\n')
    put(compile('arm64', 'void nowhere(void); int main(void) { nowhere(); return 0; }'), object)
    const [result, failure] = await next()
    assert.deepEqual([result, (failure as Error).name], [null, 'LinkFailure'])
    put(says('three'), object)
    assert.equal((await next())[0]?.mode, 'warm')
    assert.equal(runImage(TARGET, options.output!).stdout, 'three\n')
    await session.dispose()
  })
}
