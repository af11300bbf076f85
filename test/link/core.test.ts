import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createContext, Script } from 'node:vm'
import { build } from 'esbuild'
import { compile } from '../helpers/clang.ts'
import { root } from '../helpers/paths.ts'
import { archs } from '../helpers/targets.ts'
import { verify } from '../../src/node.ts'

/** The core as one script without any import: what a browser would load. */
async function bundledCore(): Promise<string> {
  const result = await build({
    entryPoints: [join(root, 'src/index.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'colonnade',
    platform: 'neutral',
    mainFields: ['module', 'main'],
  })
  return result.outputFiles[0].text
}

test('links hello in a bare context: no Node, no globals but those of every JavaScript host', async () => {
  const code = await bundledCore()
  assert.doesNotMatch(code, /require\(|from ['"]node:/)
  const bare = createContext({ TextDecoder, TextEncoder, performance, structuredClone, AbortSignal })
  new Script(code).runInContext(bare)
  for (const arch of archs) {
    const object = readFileSync(compile(arch, 'int puts(const char *); int main(void) { return puts("bare") < 0; }'))
    Object.assign(bare, { object: new Uint8Array(object), arch })
    const contents: Uint8Array = await new Script(`(async () => {
      const host = colonnade.createMemoryHost({ '/hello.o': object })
      const result = await colonnade.link({ inputs: ['/hello.o', { library: 'System' }], arch, host, write: false })
      return result.outputFiles[0].contents
    })()`).runInContext(bare)
    assert.deepEqual(
      verify(new Uint8Array(contents)).filter((message) => message.severity === 'error'),
      [],
    )
  }
})
