import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

const NAMES = 600

/** Each name is the end of the longest: an assembler keeps one string for all of them. */
function nested(): string {
  const names = Array.from({ length: NAMES }, (_, i) => 'a'.repeat(i + 1))
  const labels = names.map((name) => `${name}: .byte 0`).join('\n')
  return `.globl _main\n.text\n_main: ret\n.data\n${labels}\n`
}

forEachTarget((target) => {
  test(`names that share their bytes in an object outgrow its string table and all arrive (${target.name})`, () => {
    const object = assemble(target.arch, nested())
    assert.ok(readFileSync(object).length < 16 * (NAMES + 1) + 16384)
    const image = linkFor(target, [object, '-adhoc_codesign'])
    verifyImage(target, image)
    const listed = mustRun('llvm-nm-22', ['-j', image]).split('\n')
    assert.equal(listed.filter((name) => /^a+$/.test(name)).length, NAMES)
    assert.equal(new Set(listed).has('a'.repeat(NAMES)), true)
  })
})
