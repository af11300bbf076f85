import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { link } from '../../src/node.ts'
import { archive, assemble } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { archs } from '../helpers/targets.ts'

for (const arch of archs) {
  const word = (name: string, count: number) =>
    assemble(arch, `.globl _${name}\n.data\n.p2align 3\n_${name}: .fill ${count}, 8, 1\n.subsections_via_symbols\n`, {
      name,
    })
  const main = () =>
    assemble(
      arch,
      '.globl _main\n.p2align 2\n_main: nop\n.data\n.p2align 3\n.quad _used\n.zerofill __DATA,__bss,_z,4096,4\n',
      {
        name: 'main',
      },
    )

  test(`the metafile says what came from where, and how many bytes (${arch})`, async () => {
    const members = archive('libm.a', [word('used', 5), word('other', 7)], 'rcs')
    const output = join(tempFolder(), 'out')
    const result = await link({ inputs: [main(), members, libSystem], arch, output, write: false, metafile: true })
    const { inputs, outputs } = result.metafile!
    const short = Object.entries(inputs).map(([path, { kind, loaded }]) => [basename(path), kind, loaded])
    assert.deepEqual(short, [
      ['main.o', 'object', true],
      ['libm.a', 'archive', true],
      ['libm.a(used.o)', 'object', true],
      ['libm.a(other.o)', 'object', false],
      ['libSystem.tbd', 'dylib', true],
    ])
    assert.equal(inputs[members]!.bytes, readFileSync(members).length)
    const [image] = Object.values(outputs)
    assert.deepEqual(Object.keys(outputs), [output])
    assert.equal(image!.bytes, result.outputFiles[0]!.contents.length)
    assert.equal(image!.inputs[`${members}(used.o)`]!.bytesInOutput, 40)
    assert.equal(image!.inputs[main()]!.bytesInOutput, (arch === 'arm64' ? 4 : 1) + 8)
    assert.equal(
      Object.values(image!.segments).reduce((sum, bytes) => sum + bytes, 0),
      image!.bytes,
    )
    assert.deepEqual(Object.keys(image!.segments), ['__PAGEZERO', '__TEXT', '__DATA', '__LINKEDIT'])
  })

  test(`--metafile= writes it as JSON, and a link without it has none (${arch})`, async () => {
    const folder = tempFolder()
    const flags = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0', '-o', join(folder, 'out')]
    const file = join(folder, 'meta.json')
    const { status } = colonnade([...flags, main(), word('used', 5), libSystem, `--metafile=${file}`])
    assert.equal(status, 0)
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(file, 'utf8'))), ['inputs', 'outputs'])
    const plain = await link({ inputs: [main(), word('used', 5), libSystem], arch, write: false })
    assert.equal(plain.metafile, undefined)
  })
}
