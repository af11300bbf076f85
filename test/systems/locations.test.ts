import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { forEachTarget } from '../helpers/targets.ts'

const COUNT = 64
const source = (gap: string): string => `
.globl _main
_main: ret
.data
.globl _first
_first:
${gap}
${Array.from({ length: COUNT }, () => '.quad _main').join('\n')}
`

forEachTarget((target) => {
  if (target.fixups === 'chained') return
  for (const gap of [0, 1, 4])
    test(`pointers ${gap} bytes behind an aligned place are rebased (${target.name})`, () => {
      const image = linkFor(target, [assemble(target.arch, source('.byte 0\n'.repeat(gap)))])
      const rebases = mustRun('llvm-objdump-22', ['--macho', '--rebase', image]).split('\n')
      const found = rebases.filter((line) => line.includes('__data')).map((line) => /0x([0-9A-F]+)/i.exec(line)![1])
      const first = Number.parseInt(found[0], 16)
      assert.equal(first % 8, gap)
      assert.deepEqual(
        found.map((address) => Number.parseInt(address, 16) - first),
        Array.from({ length: COUNT }, (_, i) => i * 8),
      )
    })
})
