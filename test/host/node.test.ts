import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { HostError } from '../../src/host/host.ts'
import { createNodeHost } from '../../src/host/node.ts'

const host = createNodeHost()
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'colonnade-host-'))
after(() => fs.rmSync(directory, { recursive: true, force: true }))

const at = (name: string) => path.join(directory, name)
const bytes = (text: string) => new TextEncoder().encode(text)
const code = (expected: string) => (cause: unknown) => cause instanceof HostError && cause.code === expected
const leftovers = () => fs.readdirSync(directory).filter((name) => name.includes('.tmp'))

test('an output is made of its chunks, with its mode less the umask', () => {
  const old = process.umask(0o027)
  host.writeFile(at('out'), [bytes('ab'), bytes(''), bytes('cd')], 0o777)
  process.umask(old)
  assert.equal(fs.readFileSync(at('out'), 'utf8'), 'abcd')
  assert.equal(fs.statSync(at('out')).mode & 0o777, 0o750)
  assert.deepEqual(leftovers(), [])
})

test('a second name that the file has already is kept, and no third one', () => {
  fs.writeFileSync(at('named'), 'x')
  for (let round = 0; round < 2; round++) assert.equal(host.keepFile!(at('named'), at('second')), at('second'))
  assert.equal(fs.statSync(at('second')).ino, fs.statSync(at('named')).ino)
  assert.deepEqual(leftovers(), [])
})

test('a directory where a file is to be removed stays', () => {
  fs.mkdirSync(at('folder'))
  host.removeFile!(at('folder'))
  assert.ok(fs.statSync(at('folder')).isDirectory())
})

test('more chunks than one system call takes are all written', () => {
  const chunks = Array.from({ length: 3000 }, (_, i) => new Uint8Array([i & 255]))
  host.writeFile(at('many'), chunks, 0o644)
  assert.deepEqual(
    new Uint8Array(fs.readFileSync(at('many'))),
    new Uint8Array(3000).map((_, i) => i & 255),
  )
})

test('chunks may lie in shared memory', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(4))
  shared.set([1, 2, 3, 4])
  host.writeFile(at('shared'), [shared, shared.subarray(2)], 0o644)
  const back = new Uint8Array(new SharedArrayBuffer(6))
  assert.equal(host.readInto(at('shared'), back, 0, 6, 0), 6)
  assert.deepEqual([...back], [1, 2, 3, 4, 3, 4])
})

test('an existing output is replaced by a new file, so a reader keeps the old one', () => {
  fs.writeFileSync(at('old'), 'before')
  const inode = fs.statSync(at('old')).ino
  const fd = fs.openSync(at('old'), 'r')
  host.writeFile(at('old'), [bytes('after')], 0o755)
  assert.notEqual(fs.statSync(at('old')).ino, inode)
  assert.equal(fs.readFileSync(fd, 'utf8'), 'before')
  fs.closeSync(fd)
})

test('a symbolic link is replaced itself, as by ld64.lld, and its target stays', () => {
  fs.writeFileSync(at('target'), 'target')
  fs.symlinkSync('target', at('link'))
  fs.symlinkSync('nowhere', at('dangling'))
  for (const name of ['link', 'dangling']) {
    host.writeFile(at(name), [bytes('new')], 0o755)
    assert.equal(fs.lstatSync(at(name)).isFile(), true)
  }
  assert.equal(fs.readFileSync(at('target'), 'utf8'), 'target')
})

test('a read-only output is replaced', () => {
  fs.writeFileSync(at('readonly'), 'x', { mode: 0o400 })
  host.writeFile(at('readonly'), [bytes('y')], 0o755)
  assert.equal(fs.readFileSync(at('readonly'), 'utf8'), 'y')
})

test('an output that is an input too holds the output afterwards', () => {
  fs.writeFileSync(at('both'), 'input')
  const read = new Uint8Array(5)
  host.readInto(at('both'), read, 0, 5, 0)
  host.writeFile(at('both'), [read, bytes('!')], 0o755)
  assert.equal(fs.readFileSync(at('both'), 'utf8'), 'input!')
})

test('/dev/null stays a device', () => {
  host.writeFile('/dev/null', [bytes('x')], 0o755)
  assert.equal(fs.statSync('/dev/null').isCharacterDevice(), true)
})

test('/dev/stdout is written into, whatever it is', () => {
  const module = fileURLToPath(new URL('../../src/host/node.js', import.meta.url))
  const script = `import { createNodeHost } from ${JSON.stringify(module)}
createNodeHost().writeFile('/dev/stdout', [new Uint8Array(300000).fill(65), new Uint8Array([66])], 0o755)`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { maxBuffer: 1 << 20 })
  assert.equal(out.length, 300001)
  assert.equal(out[300000], 66)
})

test('a pipe is written into', () => {
  spawnSync('mkfifo', [at('pipe')])
  const reader = fs.openSync(at('pipe'), fs.constants.O_RDWR)
  host.writeFile(at('pipe'), [bytes('through')], 0o755)
  const got = Buffer.alloc(7)
  fs.readSync(reader, got)
  fs.closeSync(reader)
  assert.equal(got.toString(), 'through')
})

test('what cannot be written says why, in the words of the C library', () => {
  const write = (name: string) => () => host.writeFile(name, [bytes('x')], 0o755)
  assert.throws(write(directory), code('EISDIR'))
  assert.throws(write(at('no/such')), { code: 'ENOENT', message: 'No such file or directory' })
  assert.throws(write(at('out/below')), { code: 'ENOTDIR', message: 'Not a directory' })
})

test('a failed write leaves the old output and no temporary file', () => {
  fs.writeFileSync(at('kept'), 'kept')
  const bad = [bytes('x'), 'no bytes' as unknown as Uint8Array]
  assert.throws(() => host.writeFile(at('kept'), bad, 0o755))
  assert.equal(fs.readFileSync(at('kept'), 'utf8'), 'kept')
  assert.deepEqual(leftovers(), [])
})

test('reading gives what is there, from a position, into a place', () => {
  fs.writeFileSync(at('read'), '0123456789')
  const target = new Uint8Array(8).fill(46)
  assert.equal(host.readInto(at('read'), target, 2, 4, 3), 4)
  assert.equal(Buffer.from(target).toString(), '..3456..')
  assert.equal(host.readInto(at('read'), target, 0, 8, 7), 3)
  assert.throws(() => host.readInto(at('none'), target, 0, 1, 0), code('ENOENT'))
  assert.throws(() => host.readInto(directory, target, 0, 1, 0), code('EISDIR'))
})

test('stat tells files from directories and from nothing', () => {
  fs.writeFileSync(at('stat'), 'four')
  fs.utimesSync(at('stat'), 1000, 1234.5)
  const found = host.stat(at('stat'))
  assert.equal(found?.size, 4)
  assert.equal(found?.mtimeSeconds, 1234)
  assert.equal(found?.mtimeNanoseconds, 500000000)
  assert.equal(found?.isFile, true)
  assert.equal(host.stat(directory)?.isFile, false)
  assert.equal(host.stat(at('none')), null)
  assert.equal(host.stat(at('stat/below')), null)
})

test('real paths follow links, and a missing one is made absolute', () => {
  fs.writeFileSync(at('real'), '')
  fs.symlinkSync('real', at('alias'))
  assert.equal(host.realPath(at('alias')), fs.realpathSync(at('real')))
  assert.equal(host.realPath(at('none')), at('none'))
})

test('SHA-256 is that of the range', () => {
  const data = bytes('xxabcxx')
  const digest = new Uint8Array(34)
  host.sha256(data, 2, 5, digest, 1)
  assert.deepEqual(Buffer.from(digest.subarray(1, 33)), createHash('sha256').update('abc').digest())
  assert.deepEqual([digest[0], digest[33]], [0, 0])
})

test('random bytes are not all zero', () => {
  const into = new Uint8Array(16)
  host.random(into)
  assert.ok(into.some((byte) => byte !== 0))
})

test('memory of buffers that nothing refers to is freed when asked for', async () => {
  const host = createNodeHost()
  const size = 1 << 26
  const held: Uint8Array[] = []
  const hold = () => void held.push(new Uint8Array(size).fill(1))
  hold()
  const { arrayBuffers: before } = process.memoryUsage()
  assert.equal(held[0]![size - 1], 1)
  held.length = 0
  host.collect!()
  for (let i = 0; i < 100 && process.memoryUsage().arrayBuffers > before - size / 2; i++)
    await new Promise((resolve) => void setTimeout(resolve, 20))
  assert.ok(process.memoryUsage().arrayBuffers < before - size / 2)
})
