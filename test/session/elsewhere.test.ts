import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, createNodeHost, link, type Session } from '../../src/node.ts'
import type { Input, LinkOptions } from '../../src/types.ts'
import { archive, compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { forEachTarget, MACOS_13, type Target } from '../helpers/targets.ts'

/** Code and an import, so that a little more takes no other room. */
const FILL = '__asm__(".text\\n.globl _fill\\n_fill: .space 5300\\n"); int abs(int); int k(int y) { return abs(y); }'

interface Edited {
  session: Session
  path: string
  put: (source: string) => void
}

/** A session of `main`, an object that is edited, and what else is given. */
function edit(
  { arch, fixups }: Target,
  main: string,
  source: string,
  others: readonly (string | Input)[] = [],
  more: Partial<LinkOptions> = {},
): Edited {
  const folder = tempFolder()
  const path = join(folder, 'edited.o')
  const put = (text: string) => copyFileSync(compile(arch, FILL + text, { name: 'edited' }), path)
  put(source)
  const inputs = [compile(arch, `int f(int); ${main}`, { name: 'main' }), path, ...others, libSystem]
  const output = join(folder, 'out')
  const fixupChains = fixups === 'chained'
  const options = { inputs, arch, platform: MACOS_13, fixupChains, output, checkPatches: true, ...more }
  return { session: context(options), path, put }
}

forEachTarget((target) => {
  const { arch } = target
  test(`a mention that loads another member of an archive is no patch (${target.name})`, async () => {
    const member = (name: string, source: string) => archive(`lib${name}.a`, [compile(arch, source, { name })], 'rcs')
    const archives = [member('one', 'int x(void) { return 1; }'), member('two', 'int x(void) { return 2; } int y;')]
    const main = 'extern int y; int main(int c) { return f(c) + y; }'
    const { session, put } = edit(target, main, 'int f(int y) { return y; }', archives)
    await session.rebuild()
    put('int x(void); int f(int y) { return y + x(); }')
    await assert.rejects(session.rebuild(), /duplicate symbol: _x/)
    await session.dispose()
  })

  test(`functions do not come by patch where Objective-C tables may list them (${target.name})`, async () => {
    const send = 'void *send(void *) __asm("_objc_msgSend$run"); void *g(void *o) { return send(o); }'
    const others = [compile(arch, send, { name: 'send' }), { library: 'objc' }]
    const { session, put } = edit(target, 'int main(int c) { return f(c); }', 'int f(int y) { return y; }', others)
    await session.rebuild()
    put('int f(int y) { return y; } int more(int y) { return y + 2; }')
    const { mode, reason } = await session.rebuild()
    assert.deepEqual([mode, /Objective-C tables may list them/.test(reason)], ['warm', true], reason)
    await session.dispose()
  })

  test(`a section that exists because its start is asked for goes with the last mention of it (${target.name})`, async () => {
    const start = 'extern char start[] __asm("section$start$__DATA$__none");'
    const source = `${start} int f(int y) { return y + (int)(long)start; }`
    const { session, put } = edit(target, 'int main(int c) { return f(c); }', source)
    await session.rebuild()
    put('int f(int y) { return y + 2; }')
    assert.equal((await session.rebuild()).mode, 'warm')
    await session.dispose()
  })

  test(`dyld is not told any more of a definition that took the place of a dylib's weak one (${target.name})`, async () => {
    const library = join(tempFolder(), 'libweak.dylib')
    const weak = '__attribute__((weak)) int own(void) { return 1; } int other(void) { return own(); }'
    await link({
      arch,
      platform: MACOS_13,
      inputs: [compile(arch, weak, { name: 'weak' }), libSystem],
      outputType: 'dylib',
      installName: library,
      output: library,
    })
    const main = 'int other(void); int main(int c) { return f(c) + other(); }'
    const { session, put } = edit(target, main, 'int own(void) { return 3; } int f(int y) { return y; }', [library])
    await session.rebuild()
    put('int f(int y) { return y + 1; }')
    assert.equal((await session.rebuild()).mode, 'warm')
    await session.dispose()
  })

  test(`an object that is named twice as changed is patched once (${target.name})`, async () => {
    const source = (n: number) =>
      `int g${n}(int y) { return y * ${n}; } int f(int y) { ${'y = abs(y) + 3;'.repeat(n % 3)} return y + ${n}; }`
    const { session, path, put } = edit(target, 'int main(int c) { return f(c); }', source(1))
    await session.rebuild()
    for (let step = 2; step <= 7; step++) {
      put(source(step))
      const { mode, changedInputs } = await session.rebuild({ changed: [path, path] })
      assert.deepEqual([mode, changedInputs], ['patch', [path]])
    }
    await session.dispose()
  })
})

test('a rebuild that a host has ended is made up for by the next one', async () => {
  const node = createNodeHost()
  let fails = false
  const readInto: typeof node.readInto = (...of) => {
    if (fails) throw new TypeError('not now')
    return node.readInto(...of)
  }
  const target: Target = { arch: 'arm64', fixups: 'chained', name: '', flags: [] }
  const main = 'int main(int c) { return f(c); }'
  const host = { ...node, readInto }
  const { session, put } = edit(target, main, 'int f(int y) { return y; }', [], { host })
  await session.rebuild()
  put('int f(int y) { return y + 1; }')
  fails = true
  await assert.rejects(session.rebuild(), /not now/)
  fails = false
  assert.deepEqual((await session.rebuild()).reason, 'the last rebuild failed')
  await session.dispose()
})
