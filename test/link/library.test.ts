import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LinkFailure, link, sign, verify } from '../../src/node.ts'
import { createMemoryHost } from '../../src/index.ts'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'

const HELLO = 'int puts(const char *); int main(void) { return puts("library") < 0; }'
const MACOS_13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

function optionsFor(target: Target, source = HELLO): LinkOptions {
  return {
    inputs: [compile(target.arch, source), { library: 'System' }],
    arch: target.arch,
    platform: MACOS_13,
    fixupChains: target.fixups === 'chained',
    output: join(tempFolder(), 'hello'),
  }
}

forEachTarget((target) => {
  test(`links paths to a file that runs, with the embedded libSystem (${target.name})`, async () => {
    const options = optionsFor(target)
    const result = await link(options)
    assert.deepEqual([result.errors, result.warnings, result.outputFiles], [[], [], []])
    verifyImage(target, options.output!)
    assert.equal(runImage(target, options.output!).stdout, 'library\n')
    assert.equal(statSync(options.output!).mode & 0o777, 0o755 & ~process.umask())
  })

  test(`links bytes to bytes without touching a file (${target.name})`, async () => {
    const options = optionsFor(target)
    const contents = readFileSync(options.inputs[0] as string)
    const inputs = [{ path: 'hello.o', contents }, { library: 'System' }]
    const inMemory = await link({ ...options, inputs, write: false, host: createMemoryHost() })
    assert.equal(existsSync(options.output!), false)
    assert.equal(inMemory.outputFiles.length, 1)
    assert.equal(inMemory.outputFiles[0].mode, 0o755)
    const written = await link({ ...options, inputs, write: false })
    assert.deepEqual(Buffer.from(inMemory.outputFiles[0].contents), Buffer.from(written.outputFiles[0].contents))
    assert.deepEqual(
      verify(inMemory.outputFiles[0].contents).filter((message) => message.severity === 'error'),
      [],
    )
  })

  test(`gives the same bytes for two links at once as for one after the other (${target.name})`, async () => {
    const one = { ...optionsFor(target), write: false }
    const other = {
      ...optionsFor(target, 'int puts(const char *); int main(void) { return puts("other") < 0; }'),
      write: false,
    }
    const together = await Promise.all([link(one), link(other), link(one)])
    const alone = [await link(one), await link(other), await link(one)]
    together.forEach((result, i) => {
      assert.deepEqual(Buffer.from(result.outputFiles[0].contents), Buffer.from(alone[i].outputFiles[0].contents))
    })
  })
})

test('rejects with messages as data and leaves an existing output as it was', async () => {
  const output = join(tempFolder(), 'kept')
  writeFileSync(output, 'old')
  const inputs = [
    compile('arm64', 'void nowhere(void); int main(void) { nowhere(); return 0; }', { name: 'caller' }),
    { library: 'System' },
  ]
  await assert.rejects(link({ inputs, output }), (failure: LinkFailure) => {
    assert.equal(failure.name, 'LinkFailure')
    assert.equal(failure.errors.length, 1)
    const [message] = failure.errors
    assert.deepEqual(
      [message.severity, message.id, message.text],
      ['error', 'undefined-symbol', 'undefined symbol: _nowhere'],
    )
    assert.match(message.notes[0], /^referenced by .*caller\.o:\(symbol _main\+0x[0-9a-f]+\)$/)
    return true
  })
  assert.equal(readFileSync(output, 'utf8'), 'old')
})

test('stops when the signal is aborted', async () => {
  const inputs = [compile('arm64', HELLO), { library: 'System' }]
  const output = join(tempFolder(), 'aborted')
  await assert.rejects(link({ inputs, output, signal: AbortSignal.abort() }), { name: 'AbortError' })
  assert.equal(existsSync(output), false)
})

test('reports what each system visited', async () => {
  const result = await link({ inputs: [compile('arm64', HELLO), { library: 'System' }], write: false })
  const systems = result.timings.map((timing) => timing.system)
  for (const name of ['survey', 'load', 'resolve', 'allocate', 'relocate', 'writeIndirect', 'writeDyldInfo'])
    assert.ok(systems.includes(name), name)
  assert.ok(result.timings.every((timing) => timing.milliseconds >= 0))
})

test('finds architecture and platform in the first object when options do not name them', async () => {
  const result = await link({ inputs: [compile('x86_64', HELLO), { library: 'System' }], write: false })
  const { contents } = result.outputFiles[0]
  assert.equal(new DataView(contents.buffer).getUint32(4, true), 0x01000007)
})

test('signs what another tool changed', async () => {
  const result = await link({ inputs: [compile('arm64', HELLO), { library: 'System' }], write: false })
  const changed = result.outputFiles[0].contents.slice()
  const at = Buffer.from(changed).indexOf('library')
  changed[at] = 0x4c
  assert.ok(verify(changed).some((message) => message.severity === 'error'))
  assert.deepEqual(
    verify(sign(changed)).filter((message) => message.severity === 'error'),
    [],
  )
})
