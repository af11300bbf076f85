import assert from 'node:assert/strict'
import { test } from 'node:test'
import { link } from '../../src/node.ts'
import { assemble } from '../helpers/clang.ts'
import { libSystem } from '../helpers/paths.ts'
import { forEachTarget, MACOS_13 } from '../helpers/targets.ts'

const source = (kept: string) => `
  .globl _main
  _main: ret
  .data
  .globl _asks
  ${kept}
  _asks: .quad section$start$__TEXT$__mine, section$end$__DATA$__none
  .section __TEXT,__mine
  _mine: .quad 1
  .subsections_via_symbols
`

forEachTarget(({ arch, fixups, name }) => {
  for (const layout of ['tight', 'padded'] as const)
    test(`sections whose bounds only dead data asks for are left out, ${layout} (${name})`, async () => {
      const linked = async (kept: string) => {
        const inputs = [assemble(arch, source(kept)), libSystem]
        const form = { arch, platform: MACOS_13, fixupChains: fixups === 'chained', layout }
        const { outputFiles } = await link({ ...form, inputs, deadStrip: true, write: false })
        const text = Buffer.from(outputFiles[0].contents).toString('latin1')
        return ['__mine', '__none'].map((section) => text.includes(`${section}\0`))
      }
      assert.deepEqual(await linked('.no_dead_strip _asks'), [true, true])
      assert.deepEqual(await linked(''), [false, false])
    })
})
