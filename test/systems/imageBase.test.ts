import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { tempFolder } from '../helpers/paths.ts'
import { mustRun } from '../helpers/command.ts'
import { createTarget } from '../helpers/targets.ts'

const SOURCE = '.globl _main\n_main: ret\n.data\n.p2align 3\n_a: .quad _main\n_b: .quad _main\n'

for (const arch of ['arm64', 'x86_64'] as const) {
  const { flags } = createTarget(arch, 'chained')
  const output = `${tempFolder()}/out`

  test(`an image base within a page is rounded up (${arch})`, () => {
    const object = assemble(arch, SOURCE)
    const { status, stderr } = colonnade([...flags, object, '-image_base', '0x200000800', '-o', output])
    const base = arch === 'arm64' ? '200004000' : '200001000'
    assert.match(stderr, new RegExp(`warning: image base is not page aligned, rounding up to 0x${base}\\n`))
    assert.equal(status, 0)
    assert.match(mustRun('llvm-nm-22', [output]), new RegExp(`^0*${base} T __mh_execute_header$`, 'm'))
  })

  test(`an image base that chained pointers cannot hold is said for each of them (${arch})`, () => {
    const object = assemble(arch, SOURCE)
    const { status, stderr } = colonnade([...flags, object, '-image_base', '0x7fffffff0000', '-o', output])
    assert.equal(status, 1)
    assert.equal(stderr.match(/does not fit a chained fixup: 0x7fff/g)?.length, 2)
    assert.doesNotMatch(stderr, /internal error/)
  })
}
