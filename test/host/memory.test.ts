import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { HostError } from '../../src/host/host.ts'
import { createMemoryHost } from '../../src/host/memory.ts'

const code = (expected: string) => (cause: unknown) => cause instanceof HostError && cause.code === expected

test('files are found by relative, absolute and untidy paths', () => {
  const host = createMemoryHost({ '/d/a.o': 'abc', 'b.o': 'x' }, '/d')
  for (const path of ['a.o', '/d/a.o', './x/..//a.o', '/../d/a.o']) assert.equal(host.stat(path)?.size, 3, path)
  assert.equal(host.stat('/d/b.o')?.isFile, true)
  assert.equal(host.stat('/b.o'), null)
})

test('a directory exists where a file lies below it', () => {
  const host = createMemoryHost({ '/usr/lib/x': '' })
  assert.equal(host.stat('/usr')?.isFile, false)
  assert.equal(host.stat('/')?.isFile, false)
  assert.equal(host.stat('/us'), null)
})

test('reading gives the range that is there, or throws', () => {
  const host = createMemoryHost({ '/a': '0123456789', '/d/x': '' })
  const target = new Uint8Array(6)
  assert.equal(host.readInto('/a', target, 1, 4, 8), 2)
  assert.deepEqual([...target], [0, 56, 57, 0, 0, 0])
  assert.throws(() => host.readInto('/b', target, 0, 1, 0), code('ENOENT'))
  assert.throws(() => host.readInto('/d', target, 0, 1, 0), code('EISDIR'))
})

test('writing joins the chunks in a copy, and is a change', () => {
  const host = createMemoryHost({ '/a': 'old' })
  const before = host.stat('/a')!
  const chunk = new Uint8Array([1, 2])
  host.writeFile('/a', [chunk, new Uint8Array([3])], 0o755)
  chunk[0] = 9
  assert.deepEqual([...host.files.get('/a')!.contents], [1, 2, 3])
  assert.equal(host.files.get('/a')!.mode, 0o755)
  assert.notEqual(host.stat('/a')!.mtimeNanoseconds, before.mtimeNanoseconds)
  assert.throws(() => host.writeFile('/', [], 0o644), code('EISDIR'))
})

test('removed files are gone', () => {
  const host = createMemoryHost({ '/a': '' })
  host.remove('a')
  assert.equal(host.stat('/a'), null)
})

test('SHA-256 is the one of the standard', () => {
  const digest = new Uint8Array(32)
  createMemoryHost().sha256(new TextEncoder().encode('.abc.'), 1, 4, digest, 0)
  assert.deepEqual(Buffer.from(digest), createHash('sha256').update('abc').digest())
})

test('random fills more than one request takes', () => {
  const into = new Uint8Array(70000)
  createMemoryHost().random(into)
  assert.ok(into.subarray(65536).some((byte) => byte !== 0))
})
