import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { forEachTarget } from '../helpers/targets.ts'

const COUNT = 100
const LONG = `shared_${'x'.repeat(3000)}`
const SOURCE = `
.globl _main
_main: ret
.data
${LONG}: .quad 0
${Array.from({ length: COUNT }, (_, i) => `other_${i}: .quad ${i}`).join('\n')}
.subsections_via_symbols
`

/** Gives the other local symbols the longest name, as a table with shared strings does. */
function shareNames(object: string): void {
  const bytes = readFileSync(object)
  let at = 32
  while (bytes.readUInt32LE(at) !== 2) at += bytes.readUInt32LE(at + 4)
  const [symbols, count, strings] = [8, 12, 16].map((field) => bytes.readUInt32LE(at + field))
  const long = bytes.indexOf(LONG, strings) - strings
  for (let at = symbols; at < symbols + count * 16; at += 16) {
    const name = strings + bytes.readUInt32LE(at)
    if (bytes.toString('latin1', name, name + 6) === 'other_') bytes.writeUInt32LE(long, at)
  }
  writeFileSync(object, bytes)
}

forEachTarget((target) => {
  test(`local symbols that share a long name each keep it (${target.name})`, () => {
    const object = assemble(target.arch, SOURCE)
    shareNames(object)
    const names = mustRun('llvm-nm-22', ['-p', linkFor(target, [object])]).split('\n')
    assert.equal(names.filter((line) => line.endsWith(` d ${LONG}`)).length, COUNT + 1)
    assert.ok(names.some((line) => line.endsWith(' T _main')))
  })
})
