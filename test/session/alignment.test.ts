import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context } from '../../src/node.ts'
import { assemble } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { verifyImage } from '../helpers/run.ts'
import { type Arch, forEachTarget, targetOptions } from '../helpers/targets.ts'

/** `_live` stands behind `bytes` of dead code in a section that is aligned to 64. */
function source(arch: Arch, bytes: number): string {
  const nop = arch === 'arm64' ? '0xd503201f' : '0x90909090'
  return `.subsections_via_symbols\n.text\n.globl _dead, _live\n.no_dead_strip _live\n.p2align 6
    _dead: .fill ${bytes / 4}, 4, ${nop}\n_live: .fill 16, 4, ${nop}\n`
}

forEachTarget((target) => {
  test(`a section whose first live block comes to be less aligned is so in the output too (${target.name})`, async () => {
    const folder = tempFolder()
    const [file, output] = ['one.o', 'out.dylib'].map((name) => join(folder, name))
    const put = (bytes: number) => copyFileSync(assemble(target.arch, source(target.arch, bytes)), file)
    const alignment = () =>
      /sectname __text\n(?:.*\n){4}\s+align 2\^(\d)/.exec(mustRun('llvm-otool-22', ['-l', output]))![1]
    put(64)
    const more = { outputType: 'dylib', deadStrip: true, unexportedSymbols: ['_dead'], checkPatches: true } as const
    const session = context({ ...targetOptions(target), inputs: [file, libSystem], output, ...more })
    await session.rebuild()
    assert.equal(alignment(), '6')
    put(60)
    await session.rebuild()
    assert.equal(alignment(), '2')
    verifyImage(target, output)
    await session.dispose()
  })
})
