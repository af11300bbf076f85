import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { createNodeHost } from '../../src/host/node.ts'
import { runCommand, TARGET } from './runCommand.ts'

const REFERENCE = 'ld64.lld-22'

/** Command lines that ld64.lld refuses or warns about before it has read an input. */
const LINES: readonly string[] = [
  '',
  '-arch arm64 a.o',
  '-arch i386 -platform_version macos 1 2',
  '-arch foo -platform_version macos 1 2',
  '-arch arm64 -platform_version foo 1 2',
  '-arch arm64 -platform_version macos 1.2.3.4 2.x',
  '-arch arm64 -platform_version macos 1 1 -platform_version ios 1 1 -platform_version tvos 1 1',
  '-arch arm64 -platform_version macos 1 1 -platform_version mac-catalyst 1 1',
  '-foo -deadstrip --icf -o',
  '-error-limit=zz --helm -dylb',
  '-platform_version macos',
  'T -dylib -current_version 1.2.3.4 -compatibility_version 70000',
  'T -current_version 1 -o x',
  'T -headerpad zz',
  'T -O z',
  'T --threads=0',
  'T -dylib -segprot A q r -sectalign a b c -sectalign a b 3 -sectalign a b zz',
  'T -segprot __LINKEDIT rw rw',
  'T -rename_section a- b c d -dyld_env foo -dylib -dyld_env a=b',
  'T -fixup_chains -no_exported_symbols -exported_symbol foo -unexported_symbol x',
  'T -exported_symbols_list none',
  'T -arch x86_64 -fixup_chains -no_pie',
  'T -arch x86_64 --icf=safe_thunks',
  'T -filelist none',
  'T --color-diagnostics=foo',
  'T -bundle --warn-dylib-install-name -install_name b -rpath a -rpath a --threads=0',
  'T -umbrella x -mark_dead_strippable_dylib -why_live x -pagezero_size 1234 --threads=0',
  'T --icf=foo -undefined bar -no_pie -L/nowhere -F/nowhere --threads=0',
  'T --icf=foo -fatal_warnings --threads=0',
  'T --icf=foo -w --threads=0',
  'T --start-lib --start-lib --end-lib --end-lib',
]

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'colonnade-wording-'))
process.chdir(directory)
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }))

/** ld64.lld goes on to the link after bad options and complains of what it then lacks; we stop. */
function comparable(stderr: string): string[] {
  const later = /cannot open none: No such file or directory$|undefined symbol|>>>|^$/
  const lines = stderr.split('\n').filter((line) => !later.test(line))
  return lines.sort()
}

for (const line of LINES) {
  test(`the words for \`${line}\` are ld64.lld's`, async () => {
    const argv = line.split(' ').flatMap((word) => (word === 'T' ? TARGET : word))
    const expected = spawnSync(REFERENCE, argv, { encoding: 'utf8' })
    const run = await runCommand(argv, { program: REFERENCE, host: createNodeHost() })
    assert.equal(run.options, null)
    assert.equal(run.status, expected.status)
    assert.deepEqual(comparable(run.stderr), comparable(expected.stderr))
  })
}
