import assert from 'node:assert/strict'
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agree } from '../helpers/agree.ts'
import { assemble } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { forEachTarget } from '../helpers/targets.ts'

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
