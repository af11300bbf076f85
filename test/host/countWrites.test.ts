import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { countWrites, WRITE_PAGE } from '../../src/host/countWrites.ts'
import type { Host } from '../../src/host/host.ts'
import { createNodeHost } from '../../src/node.ts'
import { tempFolder } from '../helpers/paths.ts'

const bytes = (length: number) => new Uint8Array(length).fill(1)

test('whole files and parts of files are counted in bytes and pages as they are written', () => {
  const { host, writes } = countWrites(createNodeHost())
  const path = join(tempFolder(), 'file')
  host.writeFile(path, [bytes(WRITE_PAGE), bytes(5)], 0o644)
  assert.deepEqual(writes, { calls: 1, bytes: WRITE_PAGE + 5, pages: 2 })
  host.updateFile!(path, [
    { at: 0, bytes: bytes(3) },
    { at: 10, bytes: bytes(3) },
    { at: WRITE_PAGE - 1, bytes: bytes(2) },
  ])
  assert.deepEqual(writes, { calls: 2, bytes: WRITE_PAGE + 13, pages: 4 })
  const kept = host.keepFile!(path)!
  host.writeFile(path, [bytes(7)], 0o644)
  host.exchangeFile!(path, kept, [{ at: 2 * WRITE_PAGE, bytes: bytes(1) }])
  assert.deepEqual(writes, { calls: 4, bytes: WRITE_PAGE + 21, pages: 6 })
})

test('a draft counts when it is finished, as the file that it becomes, and one that is discarded does not', () => {
  const { host, writes } = countWrites(createNodeHost())
  assert.equal(host.drafts!.of, host.writeFile)
  const path = join(tempFolder(), 'file')
  const draft = host.drafts!.begin(path, 0o644)!
  createNodeHost().drafts!.write(draft, [{ at: 0, bytes: bytes(2 * WRITE_PAGE) }])
  assert.equal(writes.bytes, 0)
  host.drafts!.finish(draft, path)
  host.drafts!.discard(host.drafts!.begin(path, 0o644)!)
  assert.deepEqual(writes, { calls: 1, bytes: 2 * WRITE_PAGE, pages: 2 })
  assert.equal(statSync(path).size, writes.bytes)
})

test('a clone counts as its parts, a copy as the whole file, and what fails as nothing', () => {
  const path = join(tempFolder(), 'file')
  writeFileSync(path, bytes(3 * WRITE_PAGE))
  const real = createNodeHost()
  // Stands in for a file system with clones.
  const cloneFile: Host['cloneFile'] = (name, parts, expected) => real.cloneFile!(name, parts, expected, true)
  const { host, writes } = countWrites({ ...real, cloneFile })
  const parts = [{ at: WRITE_PAGE, bytes: bytes(9) }]
  assert.ok(host.cloneFile!(path, parts))
  assert.deepEqual(writes, { calls: 1, bytes: 9, pages: 1 })
  assert.ok(host.cloneFile!(path, parts, undefined, true))
  assert.deepEqual(writes, { calls: 2, bytes: 9 + 3 * WRITE_PAGE, pages: 4 })
  assert.equal(host.cloneFile!(join(tempFolder(), 'none'), parts), false)
  assert.throws(() => host.writeFile(join(tempFolder(), 'no/folder'), [bytes(1)], 0o644))
  assert.equal(writes.calls, 2)
  assert.equal(readFileSync(path).length, 3 * WRITE_PAGE)
})
