import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agree } from '../helpers/agree.ts'
import { assemble } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, targets } from '../helpers/targets.ts'

const FAR = `
.globl _main
_main: ret
.zerofill __FAR,__bss,_middle,0x70000000,4
.zerofill __FAR,__last,_far,0x20000000,4
.zerofill __FAR,__last,_end,16,4
.data
.p2align 3
`

agree('differences of 8 bytes, and of 4 that just fit', ({ asm }) => [
  asm('main', `${FAR}.quad _end - _main\n.quad _main - _end + 5\n.long _far - _main\n.long _main - _far + 16`),
])

forEachTarget((target) => {
  test(`a difference of 4 bytes that does not fit is told as by ld64.lld (${target.name})`, () => {
    const cwd = tempFolder()
    copyFileSync(assemble(target.arch, `${FAR}.long _end - _main\n.long _main - _end`), join(cwd, 'main.o'))
    const args = [...target.flags, 'main.o', libSystem, '-o', 'out']
    const ours = colonnade(args, { cwd })
    assert.equal(ours.status, 1)
    assert.equal(existsSync(join(cwd, 'out')), false)
    assert.match(
      ours.stderr,
      /SUBTRACTOR is out of range: 24\d{8} is not in \[-2147483648, 2147483647\]; references _main/,
    )
    assert.equal(withoutProgram(ours.stderr), withoutProgram(lld(args, { cwd }).stderr))
  })
})

function withoutProgram(text: string): string {
  return text.replace(/^ld64[.\w-]*: /gm, '')
}

const POINTERS_TO_GOT = `
.text
.p2align 2
.globl _main
_main:
  stp x29, x30, [sp, #-32]!
  str x19, [sp, #16]
  adrp x19, _slots@PAGE
  add x19, x19, _slots@PAGEOFF
  ldr x8, [x19]
  ldr x8, [x8]
  adrp x0, L_text@PAGE
  add x0, x0, L_text@PAGEOFF
  blr x8
  ldr x8, [x19, #8]
  ldr x8, [x8]
  ldr w0, [x8]
  ldrsw x9, [x19, #16]
  add x9, x9, x19
  ldr x9, [x9, #16]
  ldr w9, [x9]
  add w0, w0, w9
  ldr x19, [sp, #16]
  ldp x29, x30, [sp], #32
  ret
.cstring
L_text: .asciz "through the table"
.data
.p2align 3
_slots: .quad _puts@GOT
  .quad _own@GOT
  .long _own@GOT - .
.globl _own
.p2align 2
_own: .long 3
.subsections_via_symbols
`

// <mach-o/arm64/reloc.h> has both widths of ARM64_RELOC_POINTER_TO_GOT; ld64.lld refuses the wide one.
for (const target of targets.filter(({ arch }) => arch === 'arm64')) {
  for (const kind of [[], ['-dead_strip']])
    test(`pointers to entries of the GOT, in 4 and 8 bytes ${kind} (${target.name})`, () => {
      const image = linkFor(target, [assemble('arm64', POINTERS_TO_GOT), ...kind])
      verifyImage(target, image)
      const { status, stdout } = runImage(target, image)
      assert.deepEqual({ status, stdout }, { status: 6, stdout: 'through the table\n' })
    })
}

test('a pointer to an entry of the GOT is PC-relative in 4 bytes, and not in 8', () => {
  const bytes = readFileSync(assemble('arm64', '.data\n_slot: .quad _slot@GOT\n'))
  // type 7, extern, 8 bytes, not PC-relative: the top byte of the record, and no other byte of the file.
  const at = bytes.indexOf(0x7e)
  assert.equal(bytes.indexOf(0x7e, at + 1), -1)
  const folder = tempFolder()
  for (const [form, said] of [
    [0x7f, /POINTER_TO_GOT relocation must not be PC-relative at offset 0 of __DATA,__data in .*bad\.o/],
    [0x7c, /POINTER_TO_GOT relocation must be PC-relative at offset 0 of __DATA,__data in .*bad\.o/],
  ] as const) {
    bytes[at] = form
    writeFileSync(join(folder, 'bad.o'), bytes)
    const { status, stderr } = colonnade([...targets[2].flags, '-dylib', 'bad.o', libSystem, '-o', 'out'], {
      cwd: folder,
    })
    assert.equal(status, 1)
    assert.match(stderr, said)
  }
})

const MISALIGNED = `
.globl _main
.p2align 2
_main:
  adrp x0, _data@PAGE
  ldr q0, [x0, _data+8@PAGEOFF]
  ldr x0, [x0, _data+4@PAGEOFF]
  str w0, [x0, _data+2@PAGEOFF]
  ldrh w0, [x0, _data+1@PAGEOFF]
  ldrb w0, [x0, _data+13@PAGEOFF]
  add x0, x0, _data+11@PAGEOFF
  ret
.data
.p2align 4
_data: .quad 1, 2
`

for (const target of targets.filter(({ arch }) => arch === 'arm64'))
  test(`loads and stores of what is not aligned are told as by ld64.lld (${target.name})`, () => {
    const cwd = tempFolder()
    copyFileSync(assemble('arm64', MISALIGNED), join(cwd, 'main.o'))
    const args = [...target.flags, 'main.o', libSystem, '-o', 'out']
    const ours = colonnade(args, { cwd })
    assert.equal(ours.status, 1)
    assert.equal(existsSync(join(cwd, 'out')), false)
    assert.match(ours.stderr, /\(symbol _main\+0x4\): 128-bit LDR\/STR to 0x\w+ \(_data\) is not 16-byte aligned/)
    assert.equal(ours.stderr.trim().split('\n').length, 4)
    assert.equal(withoutProgram(ours.stderr), withoutProgram(lld(args, { cwd }).stderr))
  })
