import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import type { Progress } from '../../src/types.ts'
import { assemble } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { createTarget, forEachTarget, MACOS_13, targetOptions, type Target } from '../helpers/targets.ts'

/** Links `objects` with each version of another one in turn, all but the first by warm rebuilds, which must write what fresh links do. */
async function edit(target: Target, objects: readonly string[], versions: readonly string[]): Promise<void> {
  const folder = tempFolder()
  const path = join(folder, 'edited.o')
  const put = (source: string) => copyFileSync(assemble(target.arch, source, { name: 'edited' }), path)
  const inputs = [...objects.map((source, i) => assemble(target.arch, source, { name: `object${i}` })), path, libSystem]
  const fixupChains = target.fixups === 'chained'
  const output = join(folder, 'out')
  const session = context({ arch: target.arch, platform: MACOS_13, fixupChains, output, inputs, checkPatches: true })
  for (const [i, version] of versions.entries()) {
    put(version)
    const { mode, reason } = await session.rebuild()
    assert.equal(mode, i === 0 ? 'full' : 'warm', reason)
  }
  await session.dispose()
}

forEachTarget((target) => {
  const isArm = target.arch === 'arm64'
  test(`code that reads the GOT entry of a symbol of this image follows the table (${target.name})`, async () => {
    const read = isArm ? '.long _near@GOT - .' : 'cmpq $0, _near@GOTPCREL(%rip)'
    const main = `.globl _main, _near\n_main: ret\n_near: ret\n_reads: ${read}\n ret\n.subsections_via_symbols`
    // As many pages more before the table as fewer behind it: the image keeps its size.
    const edited = (data: number, text: number, more: string) =>
      `.data\n.space ${data}\n.section __TEXT,__const\n.space ${text}\n${more}`
    // An absolute symbol is nothing that a patch begins with.
    const [data, text] = [edited(40960, 8, ''), edited(8192, 32768, '.globl _mark\n_mark = 7\n')]
    await edit(target, [main], [data, text, data])
  })

  test(`a warm rebuild that stops once the image is taken over leaves the output, and the next one is a fresh link (${target.name})`, async () => {
    const folder = tempFolder()
    const path = join(folder, 'edited.o')
    const put = (value: number) =>
      copyFileSync(assemble(target.arch, `.globl _mark\n_mark = ${value}\n`, { name: 'edited' }), path)
    const main = assemble(target.arch, '.globl _main\n_main: ret\n.space 4096\n.data\n.quad _main\n', { name: 'main' })
    let stopAt = ''
    const options = {
      ...targetOptions(target),
      layout: 'padded',
      output: join(folder, 'out'),
      inputs: [main, path, libSystem],
      onProgress: ({ system }: Progress) => {
        if (system === stopAt) throw new Error(`stopped at ${system}`)
      },
    } as const
    const session = context(options)
    put(1)
    await session.rebuild()
    for (const [i, system] of ['writeIndirect', 'sign'].entries()) {
      const before = readFileSync(options.output)
      put(i * 2 + 2)
      stopAt = system
      await assert.rejects(session.rebuild(), /stopped at/)
      stopAt = ''
      assert.ok(readFileSync(options.output).equals(before))
      for (const value of [i * 2 + 2, i * 2 + 3]) {
        put(value)
        const { mode } = await session.rebuild()
        assert.equal(mode, value % 2 === 0 ? 'full' : 'warm')
        const { outputFiles } = await link({ ...options, write: false })
        assert.ok(readFileSync(options.output).equals(outputFiles[0].contents))
      }
    }
    await session.dispose()
  })
})

test('room before code whose bounds are asked for is no room of the layout any more (x86_64)', async () => {
  const code = (name: string, size: number) =>
    `.globl ${name}\n.p2align 4\n${name}: ret\n.space ${size - 1}, 0x90\n.subsections_via_symbols`
  const objects = [code('_main', 4093), code('_other', 4096)]
  const asks = (what: string) => `.data\n.globl _asks\n_asks: .quad ${what}\n`
  const versions = [asks('_main'), asks('section$start$__TEXT$__text'), asks('_main')]
  for (const fixups of ['chained', 'opcodes'] as const) await edit(createTarget('x86_64', fixups), objects, versions)
})
