import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import {
  archs,
  checkExample,
  describeSignature,
  EXPECTED,
  exampleInputs,
  exampleOptions,
  segmentTable,
} from '../examples/demo.ts'
import { createNodeHost } from '../src/host/node.ts'
import { link } from '../src/link.ts'
import { command } from './helpers/command.ts'
import { root, tempFolder } from './helpers/paths.ts'
import { runImage, verifyImage } from './helpers/run.ts'
import { createTarget } from './helpers/targets.ts'

const host = createNodeHost()

describe('the example', () => {
  for (const arch of archs) {
    it(`has its objects in the repository (${arch})`, () => {
      for (const path of exampleInputs(arch)) assert.ok(existsSync(path), path)
    })

    it(`links through the library, verifies and prints its table (${arch})`, async () => {
      const target = createTarget(arch, 'chained')
      const output = join(tempFolder(), 'hello')
      const { errors, warnings } = await link(exampleOptions(arch, output, host))
      assert.deepEqual([...errors, ...warnings], [])
      assert.deepEqual(checkExample(new Uint8Array(readFileSync(output)), output, host), [])
      verifyImage(target, output)
      assert.equal(runImage(target, output).stdout, EXPECTED)
    })

    it(`shows its segments and its signature (${arch})`, async () => {
      const options = { ...exampleOptions(arch, 'hello', host), write: false }
      const bytes = (await link(options)).outputFiles[0].contents
      const table = segmentTable(bytes).join('\n')
      for (const wanted of [/^__PAGEZERO .* ---$/m, /^__TEXT .* r-x$/m, /^ {2}__cstring /m, /^__LINKEDIT .* r--$/m])
        assert.match(table, wanted)
      assert.match(describeSignature(bytes) ?? '', /identifier hello, hashes of \d+ pages of (4096|16384) bytes/)
    })

    it(`finds a byte that was changed after signing (${arch})`, async () => {
      const options = { ...exampleOptions(arch, 'hello', host), write: false }
      const bytes = (await link(options)).outputFiles[0].contents.slice()
      bytes[40] ^= 1
      assert.ok(checkExample(bytes, 'hello', host).some(({ severity }) => severity === 'error'))
    })
  }

  it('is what the demo runs, and the demo says that all is well', () => {
    const { status, stdout } = command(process.execPath, [join(root, 'build/examples/demo.js')])
    assert.match(stdout, /^demo: all is well$/m)
    assert.equal(status, 0)
  })
})
