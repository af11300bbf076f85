import assert from 'node:assert/strict'
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { HostError } from '../../src/host/host.ts'
import { context, createNodeHost, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'

/** A program whose one object `edit` changes within its function; the folder of its output holds nothing else. */
function createProgram() {
  const [inputs, folder] = [tempFolder(), tempFolder()]
  const object = join(inputs, 'main.o')
  const edit = (constant: number) => copyFileSync(compile('arm64', `int main(void) { return ${constant}; }`), object)
  edit(1000)
  const output = join(folder, 'out')
  const options: LinkOptions = {
    inputs: [object, { library: 'System' }],
    arch: 'arm64',
    platform: { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 },
    output,
  }
  const fresh = async () =>
    Buffer.from((await link({ ...options, layout: 'padded', write: false })).outputFiles[0].contents)
  return { options, output, folder, edit, fresh }
}

/** Counts whole files written; there are no clones. */
function countingHost() {
  const counts = { whole: 0 }
  const node = createNodeHost()
  const writeFile: typeof node.writeFile = (...given) => {
    counts.whole++
    node.writeFile(...given)
  }
  return { host: { ...node, writeFile, cloneFile: () => false }, counts }
}

test('after a patch that could not be written everything is linked anew, with what had changed', async () => {
  const { options, output, edit, fresh } = createProgram()
  const node = createNodeHost()
  let isFull = false
  const writeFile: typeof node.writeFile = (...given) => {
    if (isFull) throw new HostError('ENOSPC', 'no space left on device')
    return node.writeFile(...given)
  }
  const session = context({ ...options, host: { ...node, writeFile, cloneFile: () => false } })
  await session.rebuild()
  const before = readFileSync(output)
  edit(1001)
  isFull = true
  await assert.rejects(session.rebuild(), /no space left/)
  assert.deepEqual(readFileSync(output), before)
  isFull = false
  assert.equal((await session.rebuild()).mode, 'full')
  assert.deepEqual(readFileSync(output), await fresh())
  await session.dispose()
})

test('patched outputs take turns in two files, of which a closed session leaves one', async () => {
  const { options, output, folder, edit, fresh } = createProgram()
  const { host, counts } = countingHost()
  const session = context({ ...options, host })
  await session.rebuild()
  const inodes = new Set<number>()
  for (let constant = 1001; constant < 1006; constant++) {
    const [before, fd] = [readFileSync(output), openSync(output, 'r')]
    edit(constant)
    assert.equal((await session.rebuild()).mode, 'patch')
    assert.deepEqual(readFileSync(output), await fresh())
    const seen = Buffer.alloc(before.length)
    readSync(fd, seen, 0, seen.length, 0)
    closeSync(fd)
    assert.deepEqual(seen, before, 'who has opened the old output goes on reading it')
    inodes.add(statSync(output).ino)
    assert.equal(readdirSync(folder).length, 2)
  }
  assert.deepEqual([inodes.size, counts.whole], [2, 2])
  await session.dispose()
  assert.deepEqual(readdirSync(folder), ['out'])
})

test('the file that waits for its turn is not used when someone else has written or linked it', async () => {
  const { options, output, folder, edit, fresh } = createProgram()
  const { host, counts } = countingHost()
  const session = context({ ...options, host })
  const waiting = () => join(folder, readdirSync(folder).find((name) => name.startsWith('out.'))!)
  await session.rebuild()
  edit(1001)
  await session.rebuild()
  appendFileSync(waiting(), 'x')
  edit(1002)
  assert.equal((await session.rebuild()).mode, 'patch')
  assert.equal(counts.whole, 3)
  const other = join(tempFolder(), 'other')
  linkSync(waiting(), other)
  const bytes = readFileSync(other)
  edit(1003)
  await session.rebuild()
  assert.equal(counts.whole, 4)
  assert.deepEqual(readFileSync(other), bytes)
  assert.deepEqual(readFileSync(output), await fresh())
  await session.dispose()
})

test('where there are clones or no second names, the output is written so', async () => {
  const { options, output, edit, fresh } = createProgram()
  const node = createNodeHost()
  let cloned = 0
  const cloneFile: NonNullable<typeof node.cloneFile> = (path, parts) => {
    const bytes = readFileSync(path)
    for (const part of parts) bytes.set(part.bytes, part.at)
    node.writeFile(path, [bytes], 0o755)
    cloned++
    return true
  }
  for (const host of [
    { ...node, cloneFile },
    { ...node, cloneFile: () => false, keepFile: () => null },
  ]) {
    const session = context({ ...options, host })
    await session.rebuild()
    for (const constant of [1001, 1002, 1003]) {
      edit(constant + cloned)
      assert.equal((await session.rebuild()).mode, 'patch')
      assert.deepEqual(readFileSync(output), await fresh())
    }
    await session.dispose()
  }
  assert.equal(cloned, 3)
})
