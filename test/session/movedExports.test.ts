import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context } from '../../src/node.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { type Arch, forEachTarget, targetOptions } from '../helpers/targets.ts'

const MAIN = `int printf(const char *, ...); int shared(int), strong(void); int (*pointer)(int) = shared;
  int main(void) { printf("%d %d %d\\n", shared(1), pointer(2), strong()); return 0; }`

/** `_before` has bytes of code to grow by; `_shared` stands behind it and is bound by name, to this definition or another image's. */
function library(arch: Arch, bytes: number): string {
  const [plus, seven, leave] =
    arch === 'arm64' ? ['add w0, w0, #10', 'mov w0, #7', 'ret'] : ['leal 10(%rdi), %eax', 'movl $7, %eax', 'retq']
  const code = (bytes: number) => `.fill ${bytes / 4}, 4, ${arch === 'arm64' ? '0xd503201f' : '0x90909090'}`
  return `.subsections_via_symbols\n.text\n.globl _before, _shared, _strong, _after\n.weak_definition _shared\n.p2align 2
    _before: ${code(bytes)}\n${leave}\n.p2align 2\n_shared: ${plus}\n${leave}\n.p2align 2
    _strong: ${seven}\n${leave}\n.p2align 2
    _after: ${code(900)}\n${leave}\n`
}

forEachTarget((target) => {
  for (const interposable of [false, true])
    test(`an exported weak function that moves has its new address everywhere (${target.name}${interposable ? ', -interposable' : ''})`, async () => {
      const folder = tempFolder()
      const [main, other, output] = ['main.o', 'other.o', 'out'].map((name) => join(folder, name))
      const put = (path: string, source: string) =>
        copyFileSync((path === main ? compile : assemble)(target.arch, source), path)
      put(main, MAIN)
      put(other, library(target.arch, 20))
      const inputs = [main, other, libSystem]
      const options = {
        ...targetOptions(target),
        inputs,
        output,
        interposable,
        exportDynamic: true,
        checkPatches: true,
      }
      const session = context(options)
      await session.rebuild()
      const places = new Set<string>()
      for (const bytes of [40, 20, 40]) {
        put(other, library(target.arch, bytes))
        const { mode, reason } = await session.rebuild()
        assert.equal(mode, 'patch', reason)
        verifyImage(target, output)
        assert.equal(runImage(target, output).stdout, '11 12 7\n')
        places.add(/^(\w+) .* _shared$/m.exec(mustRun('llvm-nm-22', [output]))![1])
      }
      assert.equal(places.size, 2)
      await session.dispose()
    })
})
