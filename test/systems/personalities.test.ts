import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

/** A function whose compact unwind entry names a personality. */
function user(name: string, personality: string): string {
  return `
    .globl ${name}
    .p2align 2
  ${name}:
    .cfi_startproc
    .cfi_personality 155, ${personality}
    .cfi_def_cfa_offset 16
    ret
    .cfi_endproc
  `
}

function personalities(image: string): string[] {
  const dump = mustRun('llvm-objdump-22', ['--macho', '--unwind-info', image])
  return dump.split('\n').filter((line) => /personality\[\d+\]:/.test(line))
}

const FLAGS = ['-femit-compact-unwind-non-canonical']
const END = '\n.subsections_via_symbols\n'

forEachTarget((target) => {
  test(`one personality reached by symbols of two objects takes one number (${target.name})`, () => {
    const home = `.text\n${user('_one', '_mine')}\n.globl _mine\n.data\n.p2align 2\n_mine: .long 0${END}`
    const away = `.text\n${user('_main', '_mine')}${END}`
    const image = linkFor(target, [
      assemble(target.arch, home, { name: 'home', flags: FLAGS }),
      assemble(target.arch, away, { name: 'away', flags: FLAGS }),
    ])
    verifyImage(target, image)
    assert.equal(personalities(image).length, 1)
  })

  test(`a local personality gives way to the global one of its name (${target.name})`, () => {
    const home = `.text\n${user('_one', '_mine')}\n.globl _mine\n.p2align 2\n_mine: ret${END}`
    const local = `.text\n${user('_main', '_mine')}\n.p2align 2\n_mine: ret${END}`
    const image = linkFor(target, [
      assemble(target.arch, home, { name: 'global', flags: FLAGS }),
      assemble(target.arch, local, { name: 'local', flags: FLAGS }),
    ])
    assert.equal(personalities(image).length, 1)
  })
})

/** Frames as `ld -r` writes them: symbols in front of the records, CIE pointers as differences of symbols. */
const RELOCATED_FRAMES = `
    .text
    .globl _main
    .p2align 2
  _main: ret
    .section __TEXT,__eh_frame,coalesced,no_toc+strip_static_syms+live_support
  EH_Frame1:
    .long 16
    .long 0
    .byte 1
    .asciz "zR"
    .byte 1, 0x78, 16, 1, 0x10, 0x0c, 7
    .byte 8
  func.eh:
    .long 28
    .long func.eh - EH_Frame1 + 4
    .quad _main - func.eh - 8
    .quad 4
    .byte 0, 0, 0, 0, 0, 0, 0, 0
`

forEachTarget((target) => {
  test(`frames whose CIE pointers are relocated are read (${target.name})`, () => {
    const image = linkFor(target, [assemble(target.arch, RELOCATED_FRAMES, { name: 'relocated' })])
    const frames = mustRun('llvm-dwarfdump-22', ['--eh-frame', image])
    const main = /([0-9a-f]+) T _main/.exec(mustRun('llvm-nm-22', [image]))?.[1]
    assert.match(frames, new RegExp(`FDE cie=\\S+ pc=0*${main?.replace(/^0+/, '')}`))
  })
})
