import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import type { FileRead, Host } from '../../src/host/host.ts'
import { createNodeHost, link, LinkFailure } from '../../src/node.ts'
import { assemble } from '../helpers/clang.ts'
import { libSystem } from '../helpers/paths.ts'

const OBJECTS = 6
/** More than a link must have before its inputs are read ahead. */
const BYTES = 2 << 20

/** Each refers to the others; some define an external in a section that is not linked. */
const objects = Array.from({ length: OBJECTS }, (_, i) =>
  assemble(
    'x86_64',
    `.globl _f${i}\n_f${i}: ret\n.data\n.space ${BYTES}, ${i + 1}
${Array.from({ length: OBJECTS }, (_, k) => `.quad _f${k}\n`).join('')}
${i % 2 ? '.section __DWARF,__debug_x,regular,debug\n.globl _a\n_a: .byte 0\n' : ''}.subsections_via_symbols\n`,
  ),
)

async function bytesOf(host: Host, paths: readonly string[] = objects): Promise<Buffer> {
  const inputs = [...paths, libSystem].map((path) => ({ path }))
  const { outputFiles } = await link({ host, inputs, arch: 'x86_64', outputType: 'dylib', output: 'out', write: false })
  return Buffer.from(outputFiles[0].contents)
}

function withReads(read: (files: readonly FileRead[], got: Int32Array) => Promise<void>): Host {
  return { ...createNodeHost(), readFiles: read }
}

test('inputs of a large link are read while others are counted, each once, and the bytes are the same', async () => {
  const host = createNodeHost()
  const named: string[] = []
  const ahead = await bytesOf(
    withReads((files, got) => {
      named.push(...files.map(({ path }) => path))
      return host.readFiles!(files, got)
    }),
  )
  assert.deepEqual(named, objects)
  const { readFiles: _, ...serial } = host
  assert.ok(ahead.equals(await bytesOf(serial)))
})

test('what could not be read ahead is read again', async () => {
  const host = createNodeHost()
  const refused = await bytesOf(
    withReads(async (files, got) => {
      await host.readFiles!(files.slice(1), got.subarray(1))
      got[0] = -1
    }),
  )
  assert.ok(refused.equals(await bytesOf(host)))
})

test('an input that goes away before it is read is an error that names it', async () => {
  const host = createNodeHost()
  const gone = assemble('x86_64', `.data\n.space ${BYTES}, 9\n`)
  const reads = withReads((files, got) => {
    rmSync(gone, { force: true })
    return host.readFiles!(files, got)
  })
  await assert.rejects(bytesOf(reads, [...objects, gone]), (failure) => {
    assert.ok(failure instanceof LinkFailure)
    assert.deepEqual(
      failure.errors.map(({ text }) => text),
      [`cannot open ${gone}: No such file or directory`],
    )
    return true
  })
})

test('a host with a readInto of its own is asked for every file', async () => {
  const host = createNodeHost()
  const asked = new Set<string>()
  await bytesOf({
    ...host,
    readInto: (path, ...rest) => {
      asked.add(path)
      return host.readInto(path, ...rest)
    },
    readFiles: () => assert.fail('reads past readInto'),
  })
  assert.deepEqual([...asked], [...objects, libSystem])
})
