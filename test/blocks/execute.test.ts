import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockImage } from '../../src/blocks.ts'
import { verify } from '../../src/verify.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, newImage, save, textOf } from './build.ts'

/** Flushes, checks and runs; the program's output. */
export function outputOf(target: Target, image: BlockImage): string {
  const result = image.flush()
  const path = save(result)
  assert.deepEqual(
    verify(result.contents!, { host }).filter(({ id }) => id !== 'unsigned'),
    [],
  )
  verifyImage(target, path)
  const { status, stdout, stderr } = runImage(target, path)
  assert.equal(status, 0, stderr)
  return stdout
}

forEachTarget((target) => {
  for (const calls of ['got', 'direct'] as const) {
    test(`a program is built and edited block by block (${target.name}, calls: ${calls})`, () => {
      const { arch } = target
      const image = newImage(target, { calls })
      const main = image.declareBlock('_main')
      const add = image.declareBlock('_add')
      const format = image.declareBlock('_format')
      const printf = image.addImport('_printf', LIBSYSTEM)
      const exit = image.addImport('_exit', LIBSYSTEM)
      image.updateBlock(format, textOf('%d\n'))
      const steps = [{ add: 5 }, { call: add }, { print: format, with: printf }]
      image.updateBlock(main, functionOf(arch, [...steps, { add: -1000 }, { call: exit }], 'zero'))
      image.updateBlock(add, functionOf(arch, [{ add: 37 }]))
      image.updateBlock(image.declareBlock('_behind'), functionOf(arch, [{ add: 1 }]))
      const leave = [{ add: -42 }, { call: exit }]
      image.updateBlock(main, functionOf(arch, [...steps, ...leave], 'zero'))
      assert.equal(outputOf(target, image), '42\n')

      image.updateBlock(add, functionOf(arch, [{ add: 30 }, { add: 7 }]))
      assert.equal(outputOf(target, image), '42\n')
      const before = image.addressOf(add)
      image.updateBlock(add, functionOf(arch, [...Array(60).fill({ add: 1 }), { add: -23 }]))
      assert.notEqual(image.addressOf(add), before)
      assert.equal(outputOf(target, image), '42\n')

      image.freeBlock(add)
      assert.deepEqual(
        image.flush().messages.map(({ id, text }) => [id, text]),
        [['undefined-block', 'undefined block: _add']],
      )
      const again = image.declareBlock('_again')
      const twice = [{ add: 5 }, { callThroughGot: again }, { call: again }, { print: format, with: printf }]
      image.updateBlock(main, functionOf(arch, [...twice, { add: -7 }, { call: exit }], 'zero'))
      image.updateBlock(again, functionOf(arch, [{ add: 1 }]))
      assert.equal(outputOf(target, image), '7\n')
    })
  }
})
