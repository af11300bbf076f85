import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

/** A function that only a frame record describes (its CFA is an expression), behind one of `before` padding instructions. */
function odd(name: string, body: string, before: number): string {
  return `
    .text
    .p2align 4
    .space ${before * 4}
    .globl ${name}
  ${name}:
    .cfi_startproc
    .cfi_escape 0x0f, 0x02, 0x77, 0x08
    ${body}
    .cfi_endproc
    .subsections_via_symbols
  `
}

/** First addresses of the functions that frame records describe. */
function describedBy(image: string): number[] {
  const dump = mustRun('llvm-dwarfdump-22', ['--eh-frame', image])
  return [...dump.matchAll(/ FDE .*pc=([0-9a-f]+)\.\.\./g)]
    .map(([, pc]) => Number.parseInt(pc, 16))
    .sort((a, b) => a - b)
}

function addressOf(image: string, name: string): number {
  const line = mustRun('llvm-nm-22', [image])
    .split('\n')
    .find((each) => each.endsWith(` ${name}`))
  return Number.parseInt(line!, 16)
}

forEachTarget((target) => {
  test(`frame records that are kept lead to their functions, wherever these went (${target.name})`, () => {
    const zero = target.arch === 'arm64' ? 'mov w0, #0\nret' : 'xorl %eax, %eax\nret'
    const image = linkFor(target, [
      assemble(target.arch, odd('_main', zero, 0), { name: 'first' }),
      assemble(target.arch, odd('_second', zero, 40), { name: 'second' }),
    ])
    verifyImage(target, image)
    assert.equal(runImage(target, image).status, 0)
    const wanted = ['_main', '_second'].map((name) => addressOf(image, name)).sort((a, b) => a - b)
    assert.deepEqual(describedBy(image), wanted)
  })
})
