import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context } from '../../src/node.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { forEachTarget, targetOptions } from '../helpers/targets.ts'

const ADDED = 'added_function_name'

/** A program whose functions, exported or static, have names of so many bytes together, with `_` and the null behind each. */
function source(bytes: number, isStatic: boolean, isAdded: boolean): string {
  const names = Array.from({ length: Math.floor(bytes / 10) }, (_, i) => `work${String(i).padStart(4, '0')}`)
  if (isAdded) names.push(ADDED)
  const kind = `__attribute__((used, noinline)) ${isStatic ? 'static ' : ''}`
  // The first is so large that the code has room for another function.
  const body = (i: number) => (i === 0 ? '__asm__ volatile(".space 9000"); return n;' : `return n * ${i + 3} + ${i};`)
  return names.map((name, i) => `${kind}int ${name}(int n) { ${body(i)} }\n`).join('')
}

forEachTarget((target) => {
  for (const isStatic of [false, true])
    test(`a file has room for one more ${isStatic ? 'local' : 'exported'} name (${target.name})`, async () => {
      const folder = tempFolder()
      const put = (name: string, code: string) => {
        const [from, to] = [join(folder, `${name}.c`), join(folder, `${name}.o`)]
        writeFileSync(from, code)
        mustRun('clang-22', ['-target', `${target.arch}-apple-macos13`, '-O1', '-c', from, '-o', to])
        return to
      }
      const main = put('main', 'int main(void) { return 0; }\n')
      const other = put('other', source(100, isStatic, false).replaceAll('work', 'rest'))
      for (const bytes of [50, 60, 180]) {
        const file = put('file', source(bytes, isStatic, false))
        const session = context({
          inputs: [main, other, file, { library: 'System' }],
          ...targetOptions(target),
          output: join(folder, 'out'),
          checkPatches: true,
        })
        await session.rebuild()
        put('file', source(bytes, isStatic, true))
        const { mode, reason } = await session.rebuild()
        assert.equal(mode, 'patch', `${bytes} bytes of names: ${reason}`)
        await session.dispose()
      }
    })
})
