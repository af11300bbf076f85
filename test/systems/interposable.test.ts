import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { assemble, compile } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

const LOAD = {
  arm64: 'adrp x0, _value@GOTPAGE\n ldr x0, [x0, _value@GOTPAGEOFF]',
  x86_64: 'movq _value@GOTPCREL(%rip), %rax',
}
const MAIN =
  'int printf(const char *, ...);\nlong valueOf(void); extern long pointer;\nint main(void) { printf("%lx %lx\\n", valueOf(), pointer); return 0; }\n'
const absolute = (value: string) => `.globl _value\n_value = ${value}\n`

forEachTarget((target) => {
  test(`with -interposable another image may have its own absolute symbol of a name (${target.name})`, () => {
    const library = join(tempFolder(), 'libvalue.dylib')
    const code = `.globl _valueOf, _pointer\n.p2align 2\n_valueOf: ${LOAD[target.arch]}\n ret\n.data\n.p2align 3\n_pointer: .quad _value\n.subsections_via_symbols\n`
    const objects = [assemble(target.arch, absolute('0x1234')), assemble(target.arch, code)]
    const args = [...target.flags, '-dylib', '-interposable', '-install_name', library, '-o', library, ...objects]
    assert.deepEqual(colonnade([...args, libSystem]).stderr, '')
    verifyImage(target, library)
    const main = compile(target.arch, MAIN)
    const said = (more: readonly string[]) => runImage(target, linkFor(target, [main, ...more, library])).stdout
    assert.equal(said([]), '1234 1234\n')
    assert.equal(said([assemble(target.arch, absolute('0x4321'))]), '4321 4321\n')
  })
})
