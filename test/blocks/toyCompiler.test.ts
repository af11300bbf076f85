import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { createToyCompiler } from '../../examples/toyCompiler.ts'
import { root, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { archs, createTarget } from '../helpers/targets.ts'

const SOURCE = 'seven = 3 + 4\nsquare = seven * seven\nmain = square - seven'

for (const arch of archs) {
  test(`the toy compiler compiles what changed, and the program does what its source says (${arch})`, () => {
    const target = createTarget(arch, 'chained')
    const folder = tempFolder()
    const output = join(folder, 'program')
    const { compile, dispose } = createToyCompiler(arch, output)
    const outputOf = () => {
      verifyImage(target, output)
      return runImage(target, output).stdout
    }
    assert.deepEqual(compile(SOURCE).compiled, ['seven', 'square', 'main'])
    assert.equal(outputOf(), '42\n')
    assert.deepEqual(compile(SOURCE.replace('3 + 4', '1 + 1 + 1 + 1 + 1 + 1 + 2')).compiled, ['seven'])
    assert.equal(outputOf(), '56\n')
    assert.deepEqual(
      compile(SOURCE.replace(/square = .*/, '')).messages.map(({ text }) => text),
      ['undefined block: _square'],
    )
    assert.equal(outputOf(), '56\n')
    assert.deepEqual(compile(SOURCE).compiled, ['square', 'main'])
    assert.equal(outputOf(), '42\n')
    assert.deepEqual(compile('seven = 7\nmain = seven').compiled, ['seven', 'main'])
    assert.equal(outputOf(), '7\n')
    dispose()
    assert.deepEqual(readdirSync(folder), ['program'])
  })
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`the toy compiler watches its source until ${signal}, and leaves its output alone there`, async () => {
    const folder = tempFolder()
    const [file, output] = [join(folder, 'source'), join(folder, 'program')]
    writeFileSync(file, SOURCE)
    const script = join(root, 'build/examples/toyCompiler.js')
    const compiler = spawn(process.execPath, [script, file, output, 'x86_64', '--watch'])
    const exit = once(compiler, 'exit')
    const target = createTarget('x86_64', 'chained')
    try {
      const seen: string[] = []
      for await (const line of createInterface({ input: compiler.stdout })) {
        seen.push(line.split(':')[0], runImage(target, output).stdout)
        if (seen.length >= 4) break
        writeFileSync(file, SOURCE.replace('3 + 4', '1 + 1'))
      }
      assert.deepEqual(seen, ['seven square main', '42\n', 'seven', '2\n'])
    } finally {
      compiler.kill(signal)
    }
    assert.deepEqual(await exit, [null, signal])
    assert.deepEqual(readdirSync(folder).sort(), ['program', 'source'])
  })
