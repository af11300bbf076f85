import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { runImage } from '../helpers/run.ts'
import { createTarget } from '../helpers/targets.ts'

const targets = [createTarget('arm64', 'chained'), createTarget('arm64', 'opcodes')]

const PROGRAM = `
.globl _main
_main:
Lloh0: adrp x8, _value@PAGE
Lloh1: add x8, x8, _value@PAGEOFF
  ldr w9, [x8]
Lloh2: adrp x10, _value@GOTPAGE
Lloh3: ldr x10, [x10, _value@GOTPAGEOFF]
Lloh4: ldr w10, [x10]
  add w0, w9, w10
  ret
.loh AdrpAdd Lloh0, Lloh1
.loh AdrpLdrGotLdr Lloh2, Lloh3, Lloh4
.data
.p2align 2
_value: .long 21
.subsections_via_symbols
`

function mnemonics(image: string): string[] {
  const text = mustRun('llvm-objdump-22', ['-d', '--no-show-raw-insn', '--no-leading-addr', image])
  return [...text.matchAll(/^\s+([a-z]+)\b.*$/gm)].map((match) => match[1])
}

for (const target of targets) {
  test(`hinted addresses become short and mean the same (${target.name})`, () => {
    const image = linkFor(target, [assemble('arm64', PROGRAM)])
    assert.deepEqual(mnemonics(image), ['adr', 'nop', 'ldr', 'nop', 'nop', 'ldr', 'add', 'ret'])
    assert.equal(runImage(target, image).status, 42)
  })

  test(`-ignore_optimization_hints leaves instructions as they are (${target.name})`, () => {
    const image = linkFor(target, [assemble('arm64', PROGRAM), '-ignore_optimization_hints'])
    assert.deepEqual(mnemonics(image), ['adrp', 'add', 'ldr', 'adrp', 'add', 'ldr', 'add', 'ret'])
    assert.equal(runImage(target, image).status, 42)
  })
}

const FAR_INTO_BLOCK = `
.globl _main
_main:
  .space 20000, 0
Lloh0: adrp x8, _value@PAGE
Lloh1: add x9, x8, _value@PAGEOFF
Lloh2: adrp x8, _value@PAGE
Lloh3: add x10, x8, _value@PAGEOFF
  ret
.loh AdrpAdrp Lloh0, Lloh2
.loh AdrpAdd Lloh2, Lloh3
.data
.p2align 2
_value: .long 21
.subsections_via_symbols
`

test('addresses of hints may take some bytes, and two adrp come after what needs the second of them', () => {
  const image = linkFor(targets[0], [assemble('arm64', FAR_INTO_BLOCK)])
  assert.deepEqual(mnemonics(image).slice(-5), ['adrp', 'add', 'adr', 'nop', 'ret'])
})

test('a hint over two blocks is an error that names the file', () => {
  const source =
    '.globl _main\n_main:\nL1: adrp x0, _a@PAGE\n_a:\nL2: add x0, x0, _a@PAGEOFF\n.loh AdrpAdd L1, L2\n.subsections_via_symbols\n'
  const object = assemble('arm64', source)
  const { status, stderr } = colonnade([...targets[0].flags, object, '-o', '/dev/null'])
  assert.notEqual(status, 0)
  assert.match(stderr, /error: .*test\.o: linker optimization hint spans multiple sections/)
})
