import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { archive, assemble, compile } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { command, mustRun } from '../helpers/command.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'

const FLAGS = ['-arch', 'x86_64', '-platform_version', 'macos', '13.0', '13.0', '-o', '/dev/null', libSystem]

/** What both linkers say, without the program's name. */
function said(args: readonly string[]): { ours: string; theirs: string; out: string } {
  const ours = colonnade([...FLAGS, ...args])
  const theirs = lld([...FLAGS, ...args])
  const plain = (text: string) => text.replace(/^ld64\.(colonnade|lld(-22)?): /gm, '')
  return { ours: plain(ours.stderr), theirs: plain(theirs.stderr), out: ours.stdout }
}

const asm = (text: string, name: string): string => assemble('x86_64', text, { name })
const main = asm('.globl _main\n_main: callq _zot\n ret\n', 'main')

test('undefined symbols name who refers to them, options first', () => {
  const many = asm('.globl _main\n_main: callq _a\n callq _a\n callq _a\n callq _a\n ret\n', 'many')
  const { ours, theirs } = said([many, '-u', '_q', '-e', '_start', '-exported_symbol', '_x'])
  assert.equal(ours, theirs)
  assert.match(ours, /referenced 1 more times/)
})

test('an undefined symbol that is one edit away from a defined one gets a suggestion', () => {
  const near = asm('.globl _main,_zott\n_main: callq _zot\n ret\n_zott: ret\n', 'near')
  const { ours, theirs } = said([near])
  assert.equal(ours, theirs)
  assert.match(ours, /did you mean: _zott/)
})

test('source lines stand in front of places where the object has DWARF', () => {
  const source = compile('x86_64', 'int missing();\nint main() {\n  return missing();\n}\n', {
    name: 'lines',
    flags: ['-g'],
  })
  const { ours } = said([source])
  assert.match(ours, /referenced by lines\.c:3 \(.*lines\.c:3\)\n>>> {15}.*lines\.o:\(symbol _main\+0x/)
})

test('duplicate symbols name both files and are demangled on demand', () => {
  const one = asm('.globl __Z1fv\n__Z1fv: ret\n', 'one')
  const two = asm('.globl __Z1fv\n__Z1fv: ret\n', 'two')
  const { ours, theirs } = said(['-dylib', one, two, '-demangle'])
  assert.equal(ours, theirs)
  assert.match(ours, /duplicate symbol: f\(\)/)
})

test('the names of the image header cannot be defined', () => {
  const header = asm('.globl ___dso_handle\n___dso_handle: .quad 0\n', 'handle')
  const { ours, theirs } = said(['-dylib', header])
  assert.equal(ours, theirs)
})

test('a member of a thin archive that is missing is an error when wanted, else a warning', () => {
  const zot = asm('.globl _zot\n_zot: ret\n', 'gone')
  const folder = tempFolder()
  const copy = join(folder, 'gone.o')
  command('cp', [zot, copy])
  const thin = join(folder, 'thin.a')
  command('llvm-ar-22', ['rcsT', thin, copy])
  rmSync(copy)
  const wanted = said([main, thin])
  assert.match(
    wanted.ours,
    /thin\.a: could not get the member defining symbol _zot: '.*gone\.o': No such file or directory/,
  )
  const forced = said([main, '-U', '_zot', '-force_load', thin])
  assert.match(forced.ours, /warning: .*thin\.a: -force_load failed to load archive member: '.*gone\.o': No such file/)
  assert.equal(dirname(thin), folder)
})

test('-why_load and -t tell which members were loaded and why', () => {
  const zot = archive('zot.a', [asm('.globl _zot\n_zot: ret\n', 'zot')], 'rcs')
  assert.match(said([main, zot, '-why_load']).out, /^_zot forced load of .*zot\.a\(zot\.o\)\n$/)
  assert.match(said([main, '-force_load', zot, '-why_load']).out, /^-force_load forced load of .*zot\.a\(zot\.o\)\n$/)
  assert.match(said([main, zot, '-t']).out, /main\.o\n.*zot\.a\(zot\.o\)\n/)
})

test('an archive for another processor is left out with a warning', () => {
  const foreign = archive('foreign.a', [assemble('arm64', '.globl _zot\n_zot: ret\n', { name: 'foreign' })], 'rcs')
  assert.match(
    said([main, foreign]).ours,
    /foreign\.a has architecture arm64 which is incompatible with target architecture x86_64/,
  )
})

test('objects for another processor are left out with a warning, whatever the form of their headers', () => {
  for (const triple of [
    'i386-apple-macos10.6',
    'armv7-apple-ios',
    'armv7k-apple-watchos',
    'arm64_32-apple-watchos',
    'arm64e-apple-macos11',
  ]) {
    const folder = tempFolder()
    const object = join(folder, 'foreign.o')
    writeFileSync(join(folder, 'foreign.s'), '.globl _foreign\n_foreign: .long 0\n')
    mustRun('clang-22', ['-target', triple, '-c', join(folder, 'foreign.s'), '-o', object])
    for (const inputs of [[object], ['--start-lib', object, '--end-lib']]) {
      const { ours, theirs } = said([main, ...inputs])
      assert.match(ours, new RegExp(`foreign\\.o has architecture ${triple.split('-')[0]} which is incompatible`))
      assert.equal(ours, theirs)
    }
  }
})

test('libraries that an object asks for and nobody has are told of when something is undefined', () => {
  const asks = asm('.globl _main\n_main: callq _zot\n ret\n.linker_option "-lnosuch"\n', 'asks')
  const { ours, theirs } = said([asks])
  const sorted = (text: string) => text.split('\n').filter(Boolean).sort()
  assert.deepEqual(sorted(ours), sorted(theirs))
  assert.equal(said([asks, '-U', '_zot']).ours, '')
})

test('only allowed clients may link a dylib that names them', () => {
  const zot = asm('.globl _zot\n_zot: ret\n', 'client')
  const dylib = join(tempFolder(), 'libclient.dylib')
  assert.equal(
    colonnade([...FLAGS, '-dylib', zot, '-allowable_client', 'friend', '-umbrella', 'Um', '-o', dylib]).status,
    0,
  )
  const { ours, theirs } = said([main, dylib, '-client_name', 'other'])
  assert.equal(ours.replace(`${dylib}: `, ''), theirs)
  assert.match(ours, /because other is not an allowed client/)
  const json = colonnade([...FLAGS, main, dylib, '-client_name', 'other', '--message-format=json'])
  assert.equal(JSON.parse(json.stderr.split('\n')[0]!).location.file, dylib)
  assert.equal(said([main, dylib, '-client_name', 'friend']).ours, '')
})

test('an entry point that is no place in the image is an error', () => {
  const { ours } = said([asm('.globl _start\n_start = 4096\n', 'start'), '-e', '_start'])
  assert.match(ours, /error: entry point _start is absolute, not code/)
})
