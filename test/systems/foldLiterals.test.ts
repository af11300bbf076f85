import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { verifyImage } from '../helpers/run.ts'
import { targets } from '../helpers/targets.ts'

/** Larger than what an entry of the table has bits for. */
const LONG = 0x1000010

const target = targets[0]!

/** The same bytes as a string, as the name of a method and as a number. */
const SAME = `.section __TEXT,__cstring,cstring_literals\na: .asciz "literal"
.section __TEXT,__objc_methname,cstring_literals\nb: .asciz "literal"
.section __TEXT,__literal8,8byte_literals\nc: .ascii "literal\\0"
.data\n.quad a, b, c\n`

function sizes(image: string): Map<string, number> {
  const rows = mustRun('llvm-objdump-22', ['--section-headers', image]).split('\n')
  const found = rows.map((row) => /^ *\d+ (\S+) +([0-9a-f]{8,}) /.exec(row)).filter((row) => row !== null)
  return new Map(found.map((row) => [row[1]!, Number.parseInt(row[2]!, 16)]))
}

test('equal bytes of one kind are folded, those of others are not', () => {
  const main = assemble(target.arch, '.globl _main\n_main: ret\n.subsections_via_symbols\n')
  const image = linkFor(target, [main, assemble(target.arch, SAME), assemble(target.arch, SAME)])
  verifyImage(target, image)
  const found = sizes(image)
  assert.deepEqual(
    ['__cstring', '__objc_methname', '__literals'].map((name) => found.get(name)),
    [8, 8, 8],
  )
})

test('strings of 16 MiB and more are folded when they are equal, whatever their lengths have in common', () => {
  const long = (size: number) =>
    assemble(target.arch, `.section __TEXT,__cstring,cstring_literals\n.fill ${size}, 1, 0x61\n.byte 0\n`)
  const main = assemble(target.arch, '.globl _main\n_main: ret\n.subsections_via_symbols\n')
  const image = linkFor(target, [main, long(LONG), long(LONG + 8), long(LONG)])
  assert.equal(sizes(image).get('__cstring'), LONG + 1 + LONG + 9)
})
