import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { ld64 } from './helpers/colonnade.ts'
import { command } from './helpers/command.ts'
import { ran } from './helpers/count.ts'
import { minidyldFolder } from './helpers/paths.ts'
import { forEachTarget } from './helpers/targets.ts'

forEachTarget(({ arch, fixups, name }) => {
  test(`the loader's own programs link, verify and run (${name})`, () => {
    const env = { LD: `${process.execPath} ${ld64}`, MODES: fixups }
    const { status, stdout, stderr } = command(join(minidyldFolder, 'selftest'), [arch], { env, timeout: 900_000 })
    const verdict = /^(\d+) passed, (\d+) failed$/m.exec(stdout)
    assert.ok(
      verdict && verdict[2] === '0' && Number(verdict[1]) > 0 && status === 0,
      stdout.slice(-8000) + stderr.slice(-8000),
    )
    ran(arch, fixups)
  })
})
