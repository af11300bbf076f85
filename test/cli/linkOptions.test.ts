import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryHost } from '../../src/host/memory.ts'
import type { LinkOptions } from '../../src/types.ts'
import { runCommand, TARGET, type RunSetup } from './runCommand.ts'

async function options(line: string, setup: RunSetup = {}): Promise<LinkOptions> {
  const run = await runCommand([...TARGET, ...line.split(' ')], setup)
  assert.equal(run.stderr, '')
  assert.ok(run.options)
  return run.options
}

test('target, output and entry arrive in the options', async () => {
  const got = await options('a.o -o out -e _start')
  assert.equal(got.arch, 'arm64')
  assert.deepEqual(got.platform, { name: 'macos', minVersion: 0x0d0000, sdkVersion: 0x0e0200 })
  assert.equal(got.output, 'out')
  assert.equal(got.entry, '_start')
  assert.equal(got.outputType, 'execute')
})

test('the older version options name the platform too, and the SDK its version', async () => {
  const run = await runCommand('-arch x86_64 -iphoneos_version_min 12.1 -syslibroot /S/iPhoneOS16.4.sdk a.o'.split(' '))
  assert.deepEqual(run.options?.platform, { name: 'ios-simulator', minVersion: 0x0c0100, sdkVersion: 0x100400 })
  const mac = await runCommand('-arch arm64 -macosx_version_min 11 a.o'.split(' '))
  assert.deepEqual(mac.options?.platform, { name: 'macos', minVersion: 0x0b0000, sdkVersion: 0x0b0000 })
})

test('a zippered dylib has two platforms', async () => {
  const got = await options('-platform_version mac-catalyst 14 14 -dylib a.o')
  assert.equal(got.platform?.name, 'macos')
  assert.equal(got.secondaryPlatform?.name, 'mac-catalyst')
})

test('inputs keep their order and their flags', async () => {
  const got = await options(
    'a.o -lfoo -weak_framework Bar --start-lib b.o --end-lib -force_load c.a -needed-lq -upward-lr',
  )
  assert.deepEqual(got.inputs, [
    { path: 'a.o' },
    { library: 'foo' },
    { framework: 'Bar', weak: true },
    { path: 'b.o', lazy: true },
    { path: 'c.a', forceLoad: true },
    { library: 'q', needed: true },
    { library: 'r', upward: true },
  ])
})

test('file lists name inputs, below a directory where one is given', async () => {
  const host = createMemoryHost({ '/list': 'a.o\n  b.o \r\n\n', '/odd,list': 'c.o\n' })
  const got = await options('-filelist list -filelist list,/d -filelist odd,list', { host })
  assert.deepEqual(
    got.inputs.map((input) => (typeof input === 'string' ? input : input.path)),
    ['a.o', 'b.o', '/d/a.o', '/d/b.o', 'c.o'],
  )
})

test('absolute paths are looked for below the roots, objects are not', async () => {
  const host = createMemoryHost({ '/sdk/usr/lib/x.dylib': '', '/sdk/a.o': '' })
  const got = await options('-syslibroot /sdk /usr/lib/x.dylib /a.o /b.dylib', { host })
  assert.deepEqual(got.inputs, [{ path: '/sdk/usr/lib/x.dylib' }, { path: '/a.o' }, { path: '/b.dylib' }])
  assert.deepEqual((await options('-syslibroot /sdk -syslibroot / a.o', { host })).syslibroots, [])
})

test('lists of symbols come from files with comments', async () => {
  const host = createMemoryHost({ '/e': '# all\n_a # first\n\n_b*\n', '/al': '_x _y # z\n' })
  const got = await options('-exported_symbol _c -exported_symbols_list e -alias _r _s -alias_list al', { host })
  assert.deepEqual(got.exportedSymbols, ['_c', '_a', '_b*'])
  assert.deepEqual(got.aliases, [
    ['_r', '_s'],
    ['_x', '_y'],
  ])
})

test('the last of -x and the strip lists holds', async () => {
  const host = createMemoryHost({ '/l': '_a\n' })
  assert.equal((await options('-non_global_symbols_strip_list l -x', { host })).stripLocals, 'all')
  assert.deepEqual((await options('-x -non_global_symbols_strip_list l', { host })).stripLocals, { only: ['_a'] })
  assert.deepEqual((await options('-non_global_symbols_no_strip_list l', { host })).stripLocals, { except: ['_a'] })
})

test('numbers of layout options are hexadecimal', async () => {
  const got = await options(
    '-headerpad 11 -stack_size 0x100000 -seg1addr 4000 -dylib -segaddr __X 8000 -sectalign __A __b 10',
  )
  assert.equal(got.headerPad, 0x11)
  assert.equal(got.stackSize, 0x100000)
  assert.equal(got.imageBase, 0x4000)
  assert.deepEqual(got.segmentAddresses, [['__X', 0x8000]])
  assert.deepEqual(got.sectAlign, [{ segment: '__A', section: '__b', align: 16 }])
})

test('versions, names and search paths of a dylib', async () => {
  const line =
    '-dylib -current_version 1.2 -dylib_compatibility_version 1 -dylib_install_name @rpath/l -rpath a -rpath b'
  const got = await options(line)
  assert.equal(got.outputType, 'dylib')
  assert.equal(got.currentVersion, 0x10200)
  assert.equal(got.compatibilityVersion, 0x10000)
  assert.equal(got.installName, '@rpath/l')
  assert.deepEqual(got.rpaths, ['a', 'b'])
})

test('what is not given is left to the link', async () => {
  const got = await options('a.o')
  for (const field of [
    'fixupChains',
    'dataConst',
    'adhocCodesign',
    'encryptable',
    'icf',
    'installName',
    'pie',
  ] as const)
    assert.equal(got[field], undefined, field)
})

test('-oso_prefix expands a single dot and the home directory, and leaves what does not exist', async () => {
  const host = createMemoryHost({ '/home/me/x': new Uint8Array(0) }, '/work/dir')
  const env = { HOME: '/home/me' }
  assert.equal((await options('a.o -oso_prefix .', { host })).osoPrefix, '/work/dir/')
  assert.equal((await options('a.o -oso_prefix ~/x', { host, env })).osoPrefix, '/home/me/x')
  assert.equal((await options('a.o -oso_prefix ~/y', { host, env })).osoPrefix, '~/y')
})

test('the environment is read as ld64.lld reads it', async () => {
  assert.equal((await options('a.o', { env: { ZERO_AR_DATE: '1' } })).zeroArDate, true)
  assert.equal((await options('a.o', { env: { ZERO_AR_DATE: '0' } })).zeroArDate, undefined)
  assert.equal((await options('a.o', { env: {} })).zeroArDate, true)
  assert.equal((await options('a.o', { env: { RC_TRACE_DYLIB_SEARCHING: '' } })).printDylibSearch, true)
})

test('-o - is standard output', async () => {
  assert.equal((await options('a.o -o -')).output, '/dev/stdout')
})
