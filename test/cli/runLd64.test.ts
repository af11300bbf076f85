import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { programName } from '../../src/cli/programName.ts'
import { VERSION } from '../../src/cli/version.ts'
import { createMemoryHost } from '../../src/host/memory.ts'
import { LinkFailure, type Message } from '../../src/types.ts'
import { runCommand, TARGET } from './runCommand.ts'

const message = (severity: Message['severity'], text: string, notes: string[] = []): Message => ({
  severity,
  id: 'test',
  text,
  location: null,
  notes,
})

test('the version is the one of the package, and Meson takes the line for LLD', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  assert.equal(VERSION, version)
  const run = await runCommand(['--version'])
  assert.match(run.stdout, /^Colonnade \S+ \(compatible with LLD 22\)\n$/)
  assert.equal(run.status, 0)
})

test('-v alone prints the version on stderr and succeeds', async () => {
  const run = await runCommand(['-v'])
  assert.match(run.stderr, /LLD 22/)
  assert.equal(run.status, 0)
  assert.equal(run.options, null)
})

test('-v in a link prints the search paths that exist', async () => {
  const host = createMemoryHost({ '/sdk/usr/lib/x': '', '/sdk/l/x': '', '/own/x': '' })
  const run = await runCommand([...TARGET, 'a.o', '-v', '-L/l', '-L', '/own', '-syslibroot', '/sdk'], { host })
  assert.match(
    run.stderr,
    /\nLibrary search paths:\n\t\/sdk\/l\n\t\/own\n\t\/sdk\/usr\/lib\nFramework search paths:\n$/,
  )
  assert.ok(run.options)
})

test('notes follow a message, and a message of several lines stands apart from the next', async () => {
  const warnings = [message('warning', 'one', ['first', '>>> second']), message('warning', 'two')]
  const run = await runCommand([...TARGET, 'a.o'], { result: { warnings } })
  const p = 'ld64.colonnade: warning: '
  assert.equal(run.stderr, `${p}one\n>>> first\n>>> second\n\n${p}two\n`)
  assert.equal(run.status, 0)
})

test('fatal warnings fail a link that had none but warnings', async () => {
  const run = await runCommand([...TARGET, 'a.o', '-fatal_warnings', '-w'], {
    result: { warnings: [message('warning', 'one')] },
  })
  assert.equal(run.stderr, 'ld64.colonnade: error: one\n')
  assert.equal(run.status, 1)
  assert.equal(run.options?.fatalWarnings, true)
})

test('-w keeps warnings back', async () => {
  const run = await runCommand([...TARGET, 'a.o', '-w', '-M'], { result: { warnings: [message('warning', 'one')] } })
  assert.equal(run.stderr, '')
  assert.equal(run.status, 0)
})

test('after twenty errors, or as many as --error-limit says, the rest is left out', async () => {
  const errors = Array.from({ length: 25 }, (_, i) => message('error', `e${i}`))
  const fail = new LinkFailure(errors, [], { read: [], missing: [] })
  const count = async (...more: string[]) =>
    (await runCommand([...TARGET, 'a.o', ...more], { fail })).stderr.split('\n').filter((line) => line !== '')
  const lines = await count()
  assert.equal(lines.length, 21)
  assert.match(lines[20]!, /too many errors emitted, stopping now \(use --error-limit=0 to see all errors\)$/)
  assert.equal((await count('--error-limit=3')).length, 4)
  assert.equal((await count('--error-limit=0')).length, 25)
})

test('messages as JSON are one object a line', async () => {
  const run = await runCommand([...TARGET, 'a.o', '--message-format=json'], {
    fail: new LinkFailure([message('error', 'bad', ['note'])], [], { read: [], missing: [] }),
  })
  assert.deepEqual(JSON.parse(run.stderr), message('error', 'bad', ['note']))
  assert.equal(run.status, 1)
})

test("colours are ld64.lld's", async () => {
  const run = await runCommand(['--color-diagnostics', '-nonsense', ...TARGET])
  assert.equal(run.stderr, "ld64.colonnade: \u001b[0;31merror: \u001b[0munknown argument '-nonsense'\n")
})

test('an exception from inside is an error, not a crash', async () => {
  const run = await runCommand([...TARGET, 'a.o'], { fail: new TypeError('oops') })
  assert.match(run.stderr, /^ld64\.colonnade: error: internal error: TypeError: oops/)
  assert.equal(run.status, 1)
})

test('the map goes to its file, other reports to stdout', async () => {
  const host = createMemoryHost()
  const run = await runCommand([...TARGET, 'a.o', '-map', 'm', '-why_load'], {
    host,
    result: { reports: { map: '# Path: a.out\n', why_load: '_f forced load of x.a(f.o)' } },
  })
  assert.equal(Buffer.from(host.files.get('/m')!.contents).toString(), '# Path: a.out\n')
  assert.equal(run.stdout, '_f forced load of x.a(f.o)\n')
  assert.equal(run.options?.map, true)
})

test('options that would give another kind of output are refused', async () => {
  const run = await runCommand([...TARGET, 'a.o', '-r'])
  assert.match(run.stderr, /error: -r is not supported/)
  assert.equal(run.options, null)
})

test('messages begin with the name of the command', () => {
  assert.equal(programName('/usr/bin/ld64.colonnade'), 'ld64.colonnade')
  assert.equal(programName('/x/dist/ld64.js'), 'ld64.colonnade')
  assert.equal(programName('C:\\bin\\ld64.lld.exe'), 'ld64.lld')
  assert.equal(programName(undefined), 'ld64.colonnade')
})
