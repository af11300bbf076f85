import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link, type LinkOptions } from '../../src/node.ts'
import { assemble } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { forEachTarget, targetOptions } from '../helpers/targets.ts'

/** Two functions; the last one of `size` bytes. */
function source(name: string, size: number): string {
  const code = (label: string, bytes: number) => `.globl ${label}\n.p2align 2\n${label}: .space ${bytes}\n`
  return `.text\n${code(`_${name}`, 100)}${code(`_${name}Last`, size)}.subsections_via_symbols\n`
}

forEachTarget((target) => {
  test(`neighbours that grow together leave the room that each alone stays within (${target.name})`, async () => {
    const folder = tempFolder()
    const put = (name: string, size: number) =>
      copyFileSync(assemble(target.arch, source(name, size)), join(folder, `${name}.o`))
    const names = ['a', 'b', 'c']
    for (const name of names) put(name, 120)
    // Of the 512 bytes of their room 64 are left, which one of them may take: by then nothing of b's moves.
    put('c', 9000)
    const options: LinkOptions = {
      inputs: names.map((name) => ({ path: join(folder, `${name}.o`) })),
      ...targetOptions(target),
      outputType: 'dylib',
      output: join(folder, 'out'),
    }
    const session = context(options)
    await session.rebuild()
    const modes: string[] = []
    for (const size of [128, 144, 160, 120]) {
      for (const name of ['a', 'b']) put(name, size)
      modes.push((await session.rebuild()).mode)
      const { outputFiles } = await link({ ...options, layout: 'padded', write: false })
      assert.ok(readFileSync(options.output!).equals(outputFiles[0].contents), `${size} bytes`)
    }
    assert.deepEqual(modes, ['patch', 'patch', 'warm', 'warm'])
    await session.dispose()
  })
})
