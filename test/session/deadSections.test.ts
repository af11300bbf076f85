import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { verifyImage } from '../helpers/run.ts'
import { forEachTarget, targetOptions } from '../helpers/targets.ts'

forEachTarget((target) => {
  test(`a section of which nothing lived comes to the image with what lives in it (${target.name})`, async () => {
    const folder = tempFolder()
    const output = join(folder, 'out.dylib')
    const put = (name: string, source: string) =>
      copyFileSync(compile(target.arch, source, { name }), join(folder, `${name}.o`))
    put('one', 'int one(void) { return 1; }')
    put('two', 'int dead(void) { return 2; }')
    const inputs = [join(folder, 'one.o'), join(folder, 'two.o'), libSystem]
    const more = { outputType: 'dylib', deadStrip: true, unexportedSymbols: ['_dead'], checkPatches: true } as const
    const session = context({ ...targetOptions(target), inputs, output, ...more })
    await session.rebuild()
    put('two', 'int dead(void) { return 2; } int alive(void) { return 3; }')
    const { mode, reason } = await session.rebuild()
    assert.equal(mode, 'warm')
    assert.match(reason, /a section of which nothing was in the image$/)
    verifyImage(target, output)
    assert.match(mustRun('llvm-nm-22', ['-m', output]), /\(__TEXT,__text\) external _alive$/m)
    await session.dispose()
  })
})
