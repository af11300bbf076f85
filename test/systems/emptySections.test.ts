import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

// The assembler puts a label of its own into every section that it is told of on arm64, empty ones too.
const EMPTY = [
  '__TEXT,__cstring,cstring_literals',
  '__TEXT,__literal8,8byte_literals',
  '__DATA,__cfstring',
  '__DATA,__objc_selrefs,literal_pointers,no_dead_strip',
  '__DATA,__mod_init_func,mod_init_funcs',
  '__DATA,__thread_bss,thread_local_zerofill',
  '__TEXT,__eh_frame,coalesced,no_toc+strip_static_syms+live_support',
]

const MAIN = {
  arm64: '_main: adrp x8, _value@PAGE\nldr w0, [x8, _value@PAGEOFF]\nb _exit',
  x86_64: '_main: pushq %rax\nmovl _value(%rip), %edi\ncallq _exit',
}

forEachTarget((target) => {
  test(`labels in empty sections of literals, records and frames stand for nothing (${target.name})`, () => {
    const labels = EMPTY.map((section, i) => `.section ${section}\nlabel${i}:\n`).join('')
    const empty = assemble(
      target.arch,
      `${labels}.data\n.globl _value\n.p2align 2\n_value: .long 7\n.subsections_via_symbols\n`,
    )
    const main = assemble(target.arch, `.globl _main\n.p2align 2\n${MAIN[target.arch]}\n.subsections_via_symbols\n`)
    for (const flags of [[], ['-dead_strip']]) {
      const image = linkFor(target, [...flags, empty, main])
      verifyImage(target, image)
      assert.equal(runImage(target, image).status, 7)
      assert.doesNotMatch(mustRun('llvm-nm-22', [image]), /label[013]/)
    }
  })
})
