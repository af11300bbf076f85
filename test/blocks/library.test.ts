import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { link } from '../../src/node.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { verify } from '../../src/verify.ts'
import { compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, newImage } from './build.ts'

forEachTarget((target) => {
  test(`a library is built, written, used, edited and used again (${target.name})`, async () => {
    const { arch } = target
    const path = join(tempFolder(), 'libanswer.dylib')
    const image = newImage(target, { outputType: 'dylib', installName: path, output: path, write: true })
    const [answer, inner, cell, pointer] = ['_answer', '_inner', '_cell', '_pointer'].map(image.declareBlock)
    const type = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    const abs = image.addImport('_abs', LIBSYSTEM)
    image.updateBlock(cell, { section: '__DATA,__bss', code: 8 })
    image.updateBlock(pointer, {
      section: '__DATA_CONST,__const',
      code: new Uint8Array(16),
      relocations: [
        { offset: 0, type, target: cell, addend: 4 },
        { offset: 8, type, target: abs },
      ],
    })
    image.updateBlock(inner, functionOf(arch, [{ add: 2 }]))
    image.updateBlock(
      answer,
      functionOf(arch, [{ load: pointer }, { call: inner }, { call: abs }, { callThroughGot: abs }]),
    )
    image.exportSymbol(answer)
    const first = image.flush()
    assert.deepEqual(first.messages, [])
    assert.deepEqual(
      verify(first.contents!, { host }).filter(({ id }) => id !== 'unsigned'),
      [],
    )
    assert.equal(readImage(first.contents!).id?.name, path)
    verifyImage(target, path)

    const main = compile(
      arch,
      'int answer(int); int printf(const char *, ...); int main() { printf("%d\\n", answer(-44)); return 0; }',
    )
    const output = join(tempFolder(), 'main')
    const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
    await link({
      inputs: [main, path, { library: 'System' }],
      arch,
      platform,
      output,
      fixupChains: target.fixups === 'chained',
    })
    assert.equal(runImage(target, output).stdout, '42\n')

    image.updateBlock(inner, functionOf(arch, [...Array(50).fill({ add: 1 }), { add: -7 }]))
    image.flush()
    verifyImage(target, path)
    assert.equal(runImage(target, output).stdout, '1\n')
  })
})
