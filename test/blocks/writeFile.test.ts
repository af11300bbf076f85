import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { tempFolder } from '../helpers/paths.ts'
import { createTarget } from '../helpers/targets.ts'
import { functionOf, host, newImage } from './build.ts'

const target = createTarget('x86_64', 'chained')

/** An image of some functions, and an edit of one of them. */
function start(output: string, through: Host = host) {
  const image = newImage(target, { output, write: true, host: through })
  const main = image.declareBlock('_main')
  image.updateBlock(main, functionOf('x86_64', [], 'zero'))
  for (let i = 0; i < 2000; i++) image.updateBlock(image.declareBlock(`_f${i}`), functionOf('x86_64', [{ add: i }]))
  const edit = (value: number) => {
    image.updateBlock(main, functionOf('x86_64', [{ add: value }], 'zero'))
    return image.flush()
  }
  return { image, edit }
}

test('the file is what flush gives, whoever has changed or removed it, and nothing stays beside it', () => {
  const output = join(tempFolder(), 'program')
  const { image, edit } = start(output)
  for (let i = 0; i < 6; i++) {
    const { contents, messages } = edit(i)
    assert.deepEqual(messages, [])
    assert.ok(readFileSync(output).equals(contents!), `edit ${i}`)
    assert.ok(statSync(output).mode & 0o100)
  }
  writeFileSync(output, 'something else')
  const after = edit(7).contents!
  assert.ok(readFileSync(output).equals(after))
  rmSync(output)
  const { contents } = edit(8)
  assert.ok(readFileSync(output).equals(contents!))
  image.dispose()
  assert.deepEqual(readdirSync(dirname(output)), ['program'])
})

test('an edit writes as much as it changes', () => {
  const output = join(tempFolder(), 'program')
  let written = 0
  const counting: Host = {
    ...host,
    writeFile: (path, chunks, mode) => {
      written += chunks.reduce((sum, { length }) => sum + length, 0)
      host.writeFile(path, chunks, mode)
    },
    exchangeFile: (path, kept, parts) => {
      written += parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
      host.exchangeFile!(path, kept, parts)
    },
  }
  const { image, edit } = start(output, counting)
  for (let i = 0; i < 4; i++) edit(i)
  written = 0
  const { contents } = edit(9)
  image.dispose()
  assert.ok(readFileSync(output).equals(contents!))
  assert.ok(written < contents!.length / 4, `${written} of ${contents!.length}`)
})

test('an output that cannot be written is a message, and the next flush tries again', () => {
  const folder = tempFolder()
  const output = join(folder, 'missing', 'program')
  const { image, edit } = start(output)
  const { messages, contents } = edit(1)
  assert.deepEqual(
    messages.map(({ id }) => id),
    ['cannot-write'],
  )
  assert.equal(contents, null)
  mkdirSync(dirname(output))
  const after = image.flush()
  assert.deepEqual(after.messages, [])
  assert.ok(readFileSync(output).equals(after.contents!))
  image.dispose()
})
