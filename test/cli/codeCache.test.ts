import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Script } from 'node:vm'
import { helloInputs } from '../../bench/jobs.ts'
import { root } from '../helpers/paths.ts'

let folder: string
let cache: Buffer

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'colonnade-cache-'))
  cpSync(join(root, 'dist'), folder, { recursive: true })
  cache = readFileSync(join(folder, 'ld64.cache'))
})

after(() => rmSync(folder, { recursive: true }))

/** Links the example with the command in the folder; its bytes. */
function linked(flags: readonly string[] = []): Buffer {
  const args = ['-arch', 'arm64', '-platform_version', 'macos', '13.0', '13.0', ...helloInputs('arm64'), '-lSystem']
  const output = join(folder, 'out')
  execFileSync(process.execPath, [...flags, join(folder, 'ld64.js'), ...args, '-o', output])
  const bytes = readFileSync(output)
  rmSync(output)
  return bytes
}

for (const name of ['ld64.cache', 'ld64.incremental.cache'])
  test(`V8 takes the code cache that the build has made (${name})`, () => {
    const made = readFileSync(join(folder, name))
    const source = readFileSync(join(folder, 'ld64.program.js'), 'latin1')
    const key = new RegExp(`[0-9a-f]{16} ${process.version} ${process.arch}$`).exec(made.toString('latin1'))
    assert.ok(key !== null)
    const script = new Script(source, { cachedData: made.subarray(0, key.index) })
    assert.equal(script.cachedDataRejected, false)
  })

test('the command links the same bytes whatever stands in the place of its code cache, and writes none', () => {
  const expected = linked()
  const path = join(folder, 'ld64.cache')
  const names = readdirSync(folder)
  const otherBuild = Buffer.concat([cache.subarray(0, 1000), Buffer.from('0123456789abcdef v20.0.0 x64')])
  for (const contents of [Buffer.alloc(0), Buffer.from('x'), cache.subarray(0, 5000), otherBuild]) {
    writeFileSync(path, contents)
    assert.deepEqual(linked(), expected)
    assert.deepEqual(readFileSync(path), contents)
  }
  writeFileSync(path, cache)
  assert.deepEqual(linked(['--no-opt']), expected)
  assert.deepEqual(readdirSync(folder), names)
  rmSync(path)
  assert.deepEqual(linked(), expected)
  assert.deepEqual(
    readdirSync(folder),
    names.filter((name) => name !== 'ld64.cache'),
  )
})

test('what few links ask for stands beside the program, and is found there', () => {
  const program = readFileSync(join(folder, 'ld64.program.js'), 'latin1')
  assert.match(readFileSync(join(folder, 'ld64.stubs.js'), 'latin1'), /_mach_absolute_time/)
  assert.doesNotMatch(program, /_mach_absolute_time/)
  assert.match(readFileSync(join(folder, 'ld64.yaml.js'), 'latin1'), /Unresolved alias/)
  assert.doesNotMatch(program, /Unresolved alias/)
  const stub = join(folder, 'libSystem.tbd')
  const symbols = 'symbols: [ _puts, _strlen, _memset, _printf, ___stack_chk_fail, ___stack_chk_guard ]'
  const exports = `exports: [ { targets: *all, ${symbols} } ]`
  const head = ['--- !tapi-tbd', 'tbd-version: 4', 'targets: &all [ arm64-macos ]']
  writeFileSync(stub, [...head, "install-name: '/usr/lib/libSystem.B.dylib'", exports, '...', ''].join('\n'))
  const args = ['-arch', 'arm64', '-platform_version', 'macos', '13.0', '13.0', ...helloInputs('arm64'), stub]
  execFileSync(process.execPath, [join(folder, 'ld64.js'), ...args, '-o', join(folder, 'aliased')])
  rmSync(stub)
})

test('the command finds its program from links to it, also where Node leaves them as they are', () => {
  const path = join(mkdtempSync(join(folder, 'bin-')), 'ld64.js')
  symlinkSync(join(folder, 'ld64.js'), path)
  const args = ['-arch', 'arm64', '-platform_version', 'macos', '13.0', '13.0', ...helloInputs('arm64'), '-lSystem']
  for (const flags of [[], ['--preserve-symlinks-main']]) {
    assert.match(execFileSync(process.execPath, [...flags, path, '--version'], { encoding: 'utf8' }), /colonnade/i)
    // The lists of system libraries stand in a file of their own.
    execFileSync(process.execPath, [...flags, path, ...args, '-o', join(folder, 'linked')])
  }
  rmSync(join(folder, 'linked'))
})

test('a build whose files have the size and the time of another is told apart by what goes on from its snapshots', () => {
  const args = ['-arch', 'arm64', '-platform_version', 'macos', '13.0', '13.0', ...helloInputs('arm64'), '-lSystem']
  const link = [join(folder, 'ld64.js'), ...args, '-o', join(folder, 'kept'), '--incremental']
  const run = () => spawnSync(process.execPath, link, { encoding: 'utf8' })
  assert.equal(run().stderr, '')
  assert.equal(run().stderr, '')
  const path = join(folder, 'ld64.js')
  const { atime, mtime } = statSync(path)
  const text = readFileSync(path, 'utf8')
  const id = /[0-9a-f]{16}(?= )/.exec(text)![0]
  writeFileSync(path, text.replace(id, '0123456789abcdef'))
  utimesSync(path, atime, mtime)
  assert.match(run().stderr, /was written by another build of the linker/)
  writeFileSync(path, text)
})
