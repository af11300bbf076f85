import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { FilePart, Host } from '../../src/host/host.ts'
import { type IncrementalResult, linkIncrementally } from '../../src/incremental.ts'
import { createMemoryHost, type MemoryHost } from '../../src/host/memory.ts'
import { link } from '../../src/link.ts'
import type { LinkOptions } from '../../src/types.ts'
import { verify } from '../../src/verify.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'
import { createProgram, edit, MAKER } from './program.ts'

class Killed extends Error {}

interface Counts {
  cloned: number
  whole: number
}

/** A file system in memory that has clones; the process ends at its change number `at`: before, in the middle of, or after one. */
function createCloneHost(memory: MemoryHost, at: number, counts: Counts): Host {
  let [seen, dead] = [0, false]
  const live = () => {
    if (dead) throw new Killed()
  }
  const step = () => {
    dead ||= ++seen === at
    return dead
  }
  const change = (half: () => void, whole: () => void) => {
    if (!step()) {
      if (step()) half()
      else whole()
    }
    if (!dead) step()
    live()
  }
  const update = (path: string, parts: readonly FilePart[]) => {
    const file = memory.files.get(path)!
    const size = parts.reduce((most, { at, bytes }) => Math.max(most, at + bytes.length), file.contents.length)
    const contents = new Uint8Array(size)
    contents.set(file.contents)
    for (const { at, bytes } of parts) contents.set(bytes, at)
    return contents
  }
  return {
    ...memory,
    stat: (path) => {
      live()
      return memory.stat(path)
    },
    // A temporary file is nobody's concern: half of it changes nothing.
    writeFile: (path, chunks, mode) => {
      counts.whole++
      change(
        () => memory.writeFile(`${path}.tmp`, chunks.slice(0, chunks.length >> 1), mode),
        () => memory.writeFile(path, chunks, mode),
      )
    },
    cloneFile: (path, parts, expected) => {
      const now = memory.stat(path)
      if (now === null || (expected !== undefined && expected.inode !== now.inode)) return false
      counts.cloned++
      change(
        () => memory.put(`${path}.tmp`, update(path, parts.slice(0, 1))),
        () => memory.put(path, update(path, parts), 0o755),
      )
      return memory.stat(path)!
    },
    updateFile: (path, parts) => {
      const file = memory.files.get(path)!
      for (const part of parts) {
        const half = { at: part.at, bytes: part.bytes.subarray(0, part.bytes.length >> 1) }
        change(
          () => Object.assign(file, { contents: update(path, [half]) }),
          () => Object.assign(file, { contents: update(path, [part]) }),
        )
      }
    },
  }
}

async function versionsOf(target: Target): Promise<{ memory: MemoryHost; options: LinkOptions; second: Uint8Array }> {
  const program = createProgram(target)
  const memory = createMemoryHost()
  const paths = program.options.inputs.filter((input) => typeof input === 'string')
  for (const path of paths) memory.put(path, new Uint8Array(readFileSync(path)))
  edit(program, { constant: 2, statements: 4 })
  const second = new Uint8Array(readFileSync(program.edited))
  return { memory, options: { ...program.options, output: '/out' }, second }
}

function copyOf(memory: MemoryHost): MemoryHost {
  const copy = createMemoryHost()
  for (const [path, file] of memory.files) {
    copy.put(path, file.contents.slice(), file.mode)
    Object.assign(copy.files.get(path)!, file, { contents: file.contents.slice() })
  }
  return copy
}

async function linked(host: Host, options: LinkOptions): Promise<Uint8Array> {
  return (await link({ layout: 'padded', ...options, host, write: false })).outputFiles[0].contents
}

forEachTarget((target) => {
  test(`with clones a patch that is killed at any change leaves the old output or the new one (${target.name})`, async () => {
    const { memory, options, second } = await versionsOf(target)
    const counts = { cloned: 0, whole: 0 }
    const start = (host: Host): Promise<IncrementalResult> => linkIncrementally({ ...options, host }, MAKER)
    await start(createCloneHost(memory, 0, counts))
    const old = await linked(memory, options)
    const edited = options.inputs[1] as string
    memory.put(edited, second)
    const now = await linked(memory, options)
    assert.notDeepEqual(now, old)
    let kills = 0
    for (let at = 1; ; at++) {
      const files = copyOf(memory)
      const result = await start(createCloneHost(files, at, counts)).catch((trouble) => {
        if (!(trouble instanceof Killed)) throw trouble
        return null
      })
      const left = files.files.get('/out')!.contents
      assert.ok(
        [old, now].some((one) => Buffer.from(one).equals(left)),
        `killed at ${at}`,
      )
      assert.deepEqual(verify(left), [])
      if (result !== null) {
        assert.equal(result.mode, 'patch', result.doubts.join())
        assert.deepEqual(left, now)
        break
      }
      kills++
      const next = await start(createCloneHost(files, 0, counts))
      assert.deepEqual(files.files.get('/out')!.contents, now, `the run after ${at}: ${next.mode}`)
      assert.equal((await start(createCloneHost(files, 0, counts))).mode, 'noop')
    }
    assert.ok(kills >= 10, `${kills} places`)
    assert.ok(counts.cloned >= kills / 2)
  })
})

test('a clone is not made of an output that another process has put there since', async () => {
  const { memory, options, second } = await versionsOf({ arch: 'arm64', fixups: 'chained', name: '', flags: [] })
  const counts = { cloned: 0, whole: 0 }
  const host = createCloneHost(memory, 0, counts)
  await linkIncrementally({ ...options, host }, MAKER)
  memory.put(options.inputs[1] as string, second)
  const sneak: Host = {
    ...host,
    cloneFile: (path, parts, expected) => {
      memory.put('/out', new Uint8Array(50000), 0o755)
      return host.cloneFile!(path, parts, expected)
    },
  }
  const { mode } = await linkIncrementally({ ...options, host: sneak }, MAKER)
  assert.deepEqual([mode, counts.cloned], ['patch', 0])
  assert.deepEqual(memory.files.get('/out')!.contents, await linked(memory, options))
})
