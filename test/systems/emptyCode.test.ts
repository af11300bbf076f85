import { test } from 'node:test'
import assert from 'node:assert/strict'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

// What clang makes of an object of data: an empty section of code, at whose start a label stands.
const DATA = '.text\nltmp0:\n.data\n.globl _value\n.p2align 2\n_value: .long 0\n.subsections_via_symbols\n'

const MAIN = {
  arm64: '_main:\n.cfi_startproc\nadrp x8, _value@PAGE\nldr w0, [x8, _value@PAGEOFF]\nb _exit\n.cfi_endproc',
  x86_64: '_main:\n.cfi_startproc\npushq %rax\nmovl _value(%rip), %edi\ncallq _exit\n.cfi_endproc',
}

forEachTarget((target) => {
  test(`a label in an empty section of code stands within the unwind table, at whichever end of the code (${target.name})`, () => {
    const text = `.text\n.globl _main\n.p2align 2\n${MAIN[target.arch]}\n.subsections_via_symbols\n`
    const main = assemble(target.arch, text, { name: 'main', flags: ['-femit-compact-unwind-non-canonical'] })
    const data = assemble(target.arch, DATA, { name: 'data' })
    for (const inputs of [
      [main, data],
      [data, main],
    ]) {
      const image = linkFor(target, inputs)
      verifyImage(target, image)
      assert.equal(runImage(target, image).status, 0)
    }
  })
})
