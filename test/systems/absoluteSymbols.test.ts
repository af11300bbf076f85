import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verify } from '../../src/verify.ts'
import { readFileSync } from 'node:fs'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

// ld64.lld has dyld slide absolute values, and counts those of the export trie from the image's base.

const LOAD = {
  arm64: ' adrp x0, _fixed@GOTPAGE\n ldr x0, [x0, _fixed@GOTPAGEOFF]\n lsr x0, x0, #12\n ret\n',
  x86_64: ' movq _fixed@GOTPCREL(%rip), %rax\n shrq $12, %rax\n ret\n',
}

forEachTarget((target) => {
  test(`absolute values do not slide, in slots, pointers and the export trie (${target.name})`, () => {
    const main = assemble(
      target.arch,
      `.globl _main\n.p2align 2\n_main:\n${LOAD[target.arch]}.data\n.p2align 3\n.globl _pointer\n_pointer: .quad _fixed\n`,
    )
    const value = assemble(target.arch, '.globl _fixed\n_fixed = 42 << 12\n.subsections_via_symbols\n')
    const output = linkFor(target, [value, main, libSystem, '-export_dynamic'])
    verifyImage(target, output)
    assert.deepEqual(
      verify(readFileSync(output)).map(({ text }) => text),
      [],
    )
    assert.equal(runImage(target, output).status, 42)
    assert.match(mustRun('llvm-objdump-22', ['--macho', '--indirect-symbols', output]), /LOCAL ABSOLUTE|ABSOLUTE/)
    assert.match(mustRun('llvm-objdump-22', ['--macho', '--exports-trie', output]), /_fixed \[absolute\]/)
  })
})
