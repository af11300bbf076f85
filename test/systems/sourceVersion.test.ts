import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSourceVersion } from '../../src/cli/parseVersion.ts'
import { assemble } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem } from '../helpers/paths.ts'
import { forEachTarget } from '../helpers/targets.ts'

const SOURCE = '.globl _main\n_main: ret\n'

forEachTarget((target) => {
  const versionOf = (...args: string[]) => {
    const image = linkFor(target, [assemble(target.arch, SOURCE), ...args])
    return /LC_SOURCE_VERSION\n.*\n +version (.*)\n/.exec(mustRun('llvm-objdump-22', ['--macho', '-p', image]))?.[1]
  }

  test(`the source version is written when it is given, or asked for (${target.name})`, () => {
    assert.equal(versionOf(), undefined)
    assert.equal(versionOf('-add_source_version'), '0.0')
    assert.equal(versionOf('-source_version', '1319.100.3'), '1319.100.3')
    assert.equal(
      versionOf('-add_source_version', '-source_version', '16777215.1023.1022.1021.1020'),
      '16777215.1023.1022.1021.1020',
    )
    assert.equal(versionOf('-source_version', '7.2', '-no_source_version'), undefined)
  })
})

test('a source version has up to five parts, the first of 24 bits and the others of 10', () => {
  assert.deepEqual(parseSourceVersion('3'), [3])
  for (const text of ['', 'a', '1.', '1.2.3.4.5.6', '16777216', '1.1024'])
    assert.equal(parseSourceVersion(text), null, text)
  const { status, stderr } = colonnade([
    '-arch',
    'arm64',
    '-platform_version',
    'macos',
    '13',
    '13',
    '-source_version',
    '1.x',
    libSystem,
  ])
  assert.equal(status, 1)
  assert.match(stderr, /malformed source version: 1\.x/)
})
