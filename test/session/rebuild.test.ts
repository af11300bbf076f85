import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { context, createMemoryHost, createNodeHost, type LinkFailure, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { archive, compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, MACOS_13, targetOptions, type Target } from '../helpers/targets.ts'

const ARM64 = createTarget('arm64', 'chained')

function says(text: string): string {
  return `int puts(const char *); int main(void) { return puts("${text}") < 0; }`
}

/** A program of one object in a folder of its own. */
function program(target: Target, text: string): { object: string; options: LinkOptions } {
  const folder = tempFolder()
  const object = join(folder, 'main.o')
  copyFileSync(compile(target.arch, says(text)), object)
  const options: LinkOptions = {
    inputs: [object, { library: 'System' }],
    ...targetOptions(target),
    output: join(folder, 'out'),
  }
  return { object, options }
}

/** What a link without a session writes. */
async function fresh(options: LinkOptions): Promise<Buffer> {
  const { outputFiles } = await link({ layout: 'padded', ...options, write: false })
  return Buffer.from(outputFiles[0].contents)
}

forEachTarget((target) => {
  test(`a rebuild writes what a fresh link writes, and nothing when nothing changed (${target.name})`, async () => {
    const { object, options } = program(target, 'one')
    const session = context(options)
    const first = await session.rebuild()
    assert.deepEqual([first.mode, first.reason, first.changedInputs], ['full', 'nothing is linked yet', []])
    const before = statSync(options.output!)
    const second = await session.rebuild()
    assert.deepEqual([second.mode, second.reason, second.dirtyBlocks], ['noop', 'nothing changed', 0])
    assert.equal(statSync(options.output!).ino, before.ino)
    copyFileSync(compile(target.arch, says('the other')), object)
    const third = await session.rebuild()
    assert.deepEqual([third.mode, third.changedInputs], ['warm', [object]])
    assert.ok(third.reason.startsWith(object), third.reason)
    assert.ok(third.dirtyBlocks > 0 && third.dirtyPages > 0)
    verifyImage(target, options.output!)
    assert.equal(runImage(target, options.output!).stdout, 'the other\n')
    assert.deepEqual(readFileSync(options.output!), await fresh(options))
    await session.dispose()
  })
})

test('an object of the same size written within the same tick is seen by its contents', async () => {
  const { object, options } = program(ARM64, 'aaaa')
  const now = Math.floor(Date.now() / 1000)
  utimesSync(object, now, now)
  const session = context(options)
  await session.rebuild()
  const { ino, size } = statSync(object)
  writeFileSync(object, readFileSync(compile('arm64', says('bbbb'))))
  utimesSync(object, now, now)
  assert.deepEqual([statSync(object).ino, statSync(object).size, statSync(object).mtimeMs], [ino, size, now * 1000])
  const { mode, reason } = await session.rebuild()
  assert.deepEqual([mode, reason], ['patch', `${object} has other contents`])
  assert.equal(runImage(ARM64, options.output!).stdout, 'bbbb\n')
})

test('an output that is gone or was changed by someone else is linked again', async () => {
  const { options } = program(ARM64, 'output')
  const session = context(options)
  await session.rebuild()
  appendFileSync(options.output!, 'x')
  assert.equal((await session.rebuild()).reason, 'the output was changed by someone else')
  assert.deepEqual(readFileSync(options.output!), await fresh(options))
  rmSync(options.output!)
  assert.equal((await session.rebuild()).reason, 'the output is gone')
  assert.equal((await session.rebuild()).mode, 'noop')
})

test('a failed rebuild leaves the session usable and the output as it was', async () => {
  const { object, options } = program(ARM64, 'well')
  const session = context(options)
  await session.rebuild()
  const before = readFileSync(options.output!)
  copyFileSync(compile('arm64', 'void nowhere(void); int main(void) { nowhere(); return 0; }'), object)
  const failure = await session.rebuild().then(
    () => assert.fail('the link must fail'),
    (trouble: LinkFailure) => trouble,
  )
  assert.deepEqual(
    failure.errors.map(({ id }) => id),
    ['undefined-symbol'],
  )
  assert.deepEqual(readFileSync(options.output!), before)
  await assert.rejects(session.rebuild(), { name: 'LinkFailure' })
  copyFileSync(compile('arm64', says('well again')), object)
  assert.equal((await session.rebuild()).reason, 'the last rebuild failed')
  assert.equal(runImage(ARM64, options.output!).stdout, 'well again\n')
})

test('added, removed and named inputs, and other options, take part from then on', async () => {
  const { object, options } = program(ARM64, 'unused')
  const [main, help] = [
    'int help(void); int puts(const char *); int main(void) { puts("main"); return help(); }',
    'int puts(const char *); int help(void) { return puts("help") < 0; }',
  ]
  copyFileSync(compile('arm64', says('alone')), object)
  const helper = compile('arm64', help, { name: 'help' })
  const session = context(options)
  await session.rebuild()
  copyFileSync(compile('arm64', main), object)
  const added = await session.rebuild({ changed: [object], added: [helper] })
  assert.deepEqual(added.changedInputs, [object, helper])
  assert.equal(runImage(ARM64, options.output!).stdout, 'main\nhelp\n')
  copyFileSync(compile('arm64', says('alone again')), object)
  const removed = await session.rebuild({ removed: [helper] })
  assert.equal(removed.reason, `${helper} was removed`)
  assert.equal(runImage(ARM64, options.output!).stdout, 'alone again\n')
  const stripped = await session.rebuild({ options: { stripLocals: 'all' } })
  assert.equal(stripped.reason, 'option stripLocals changed')
  assert.deepEqual(readFileSync(options.output!), await fresh({ ...options, stripLocals: 'all' }))
  await assert.rejects(session.rebuild({ removed: ['nowhere.o'] }), TypeError)
  assert.equal((await session.rebuild()).mode, 'noop')
})

test('other archive members, another stub library and a library that appears earlier in the search are seen', async () => {
  const { object, options } = program(ARM64, 'unused')
  const folder = tempFolder()
  const earlier = tempFolder()
  const member = (text: string) =>
    compile('arm64', `int puts(const char *); int part(void) { return puts("${text}") < 0; }`, { name: 'part' })
  copyFileSync(compile('arm64', 'int part(void); int main(void) { return part(); }'), object)
  copyFileSync(archive('libpart.a', [member('first')]), join(folder, 'libpart.a'))
  const inputs = [object, { library: 'part' }, { library: 'System' }]
  const session = context({ ...options, inputs, libraryPaths: [earlier, folder] })
  await session.rebuild()
  copyFileSync(archive('libpart.a', [member('second'), compile('arm64', 'int more;')]), join(folder, 'libpart.a'))
  assert.deepEqual((await session.rebuild()).changedInputs, [join(folder, 'libpart.a')])
  assert.equal(runImage(ARM64, options.output!).stdout, 'second\n')
  copyFileSync(archive('libpart.a', [member('earlier')]), join(earlier, 'libpart.a'))
  assert.equal((await session.rebuild()).reason, `${join(earlier, 'libpart.a')} is there now`)
  assert.equal(runImage(ARM64, options.output!).stdout, 'earlier\n')
  const stub = (name: string) =>
    `--- !tapi-tbd\ntbd-version: 4\ntargets: [ arm64-macos ]\ninstall-name: '/usr/lib/${name}.dylib'\nexports:\n  - targets: [ arm64-macos ]\n    symbols: [ _part ]\n...\n`
  writeFileSync(join(earlier, 'libpart.tbd'), stub('one'))
  await session.rebuild()
  writeFileSync(join(earlier, 'libpart.tbd'), stub('two'))
  assert.equal((await session.rebuild()).mode, 'warm')
  assert.ok(readFileSync(options.output!).includes('/usr/lib/two.dylib'))
  assert.equal((await session.rebuild()).mode, 'noop')
})

test('bytes in memory are compared by their contents', async () => {
  const bytes = (text: string) => new Uint8Array(readFileSync(compile('arm64', says(text))))
  const contents = bytes('aaaa')
  const host = createMemoryHost()
  const options: LinkOptions = {
    inputs: [{ path: 'main.o', contents }, { library: 'System' }],
    arch: 'arm64',
    platform: MACOS_13,
    write: false,
    host,
  }
  const session = context(options)
  const first = await session.rebuild()
  const same = await session.rebuild({ changed: [{ path: 'main.o', contents: bytes('aaaa') }] })
  assert.deepEqual(same.outputFiles, first.outputFiles)
  contents.set(bytes('bbbb'))
  assert.equal((await session.rebuild()).mode, 'noop', 'the session links the bytes it was given last')
  const other = await session.rebuild({ options: { inputs: options.inputs } })
  assert.deepEqual([other.mode, other.changedInputs], ['patch', ['main.o']])
  assert.deepEqual(Buffer.from(other.outputFiles[0].contents), await fresh(options))
})

test('a cancelled rebuild rejects, the next one works, and a disposed session links no more', async () => {
  const { options } = program(ARM64, 'cancelled')
  const session = context(options)
  const running = session.rebuild()
  await Promise.all([session.cancel(), assert.rejects(running, { name: 'AbortError' })])
  assert.equal((await session.rebuild()).mode, 'full')
  await session.dispose()
  await assert.rejects(session.rebuild(), /disposed/)
})

test('two sessions at once do not know of each other', async () => {
  const [one, other] = [program(ARM64, 'one'), program(createTarget('x86_64', 'opcodes'), 'other')]
  const sessions = [context(one.options), context(other.options)]
  await Promise.all(sessions.flatMap((session) => [session.rebuild(), session.rebuild()]))
  copyFileSync(compile('arm64', says('changed')), one.object)
  const results = await Promise.all(sessions.map((session) => session.rebuild()))
  assert.deepEqual(
    results.map(({ mode }) => mode),
    ['warm', 'noop'],
  )
  for (const { options } of [one, other]) assert.deepEqual(readFileSync(options.output!), await fresh(options))
})

test('a stub library written within the same tick is read again, an older one only once', async () => {
  const { object, options } = program(ARM64, 'unused')
  const folder = tempFolder()
  const path = join(folder, 'libpart.tbd')
  const put = (name: string, seconds: number) => {
    const text = `--- !tapi-tbd\ntbd-version: 4\ntargets: [ arm64-macos ]\ninstall-name: '/usr/lib/${name}.dylib'\nexports:\n  - targets: [ arm64-macos ]\n    symbols: [ _part ]\n...\n`
    writeFileSync(path, text)
    utimesSync(path, seconds, seconds)
  }
  copyFileSync(compile('arm64', 'int part(void); int main(void) { return part(); }'), object)
  const reads: string[] = []
  const node = createNodeHost()
  const host: Host = {
    ...node,
    readInto: (file, ...rest) => {
      reads.push(file)
      return node.readInto(file, ...rest)
    },
  }
  const inputs = [object, { library: 'part' }, { library: 'System' }]
  const session = context({ ...options, inputs, libraryPaths: [folder], host })
  const now = Math.floor(Date.now() / 1000)
  put('one', now)
  await session.rebuild()
  put('two', now)
  assert.deepEqual((await session.rebuild()).changedInputs, [path])
  assert.ok(readFileSync(options.output!).includes('/usr/lib/two.dylib'))
  put('old', 1)
  await session.rebuild()
  reads.length = 0
  await session.rebuild({ changed: [object] })
  assert.deepEqual(reads.includes(path), false)
  assert.ok(readFileSync(options.output!).includes('/usr/lib/old.dylib'))
})
