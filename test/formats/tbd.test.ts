import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { FormatError, fromText, toText } from '../../src/core/bytes.ts'
import type { DylibFile } from '../../src/formats/dylib.ts'
import {
  EXPORT_REEXPORT,
  EXPORT_THREAD_LOCAL,
  EXPORT_WEAK,
  type ExportTable,
  findExportText,
} from '../../src/formats/exportTable.ts'
import { readYamlSubset } from '../../src/formats/tbd/yamlSubset.ts'
import { applyLdDirectives, isTbd, readTbd, type TbdWanted } from '../../src/formats/tbd.ts'

const ARM_MAC: TbdWanted = { arch: 'arm64', platform: 'macos' }
const INTEL_MAC: TbdWanted = { arch: 'x86_64', platform: 'macos' }

function names(table: ExportTable): string[] {
  const list: string[] = []
  for (let row = 0; row < table.count; row++)
    list.push(toText(table.bytes, table.offset[row], table.offset[row] + table.length[row]))
  return list.sort()
}

function flagsOf(dylib: DylibFile, name: string): number {
  const row = findExportText(dylib.exports, name)
  assert.ok(row >= 0, name)
  return dylib.exports.flags[row]
}

const V4 = `--- !tapi-tbd
tbd-version:     4
targets:         [ x86_64-macos, x86_64-maccatalyst, arm64-macos, arm64e.x1-macos, arm64-neweros ]
uuids:
  - target:          x86_64-macos
    value:           00000000-0000-0000-0000-000000000000
flags:           [ not_app_extension_safe ]
install-name:    '/usr/lib/libV4.dylib'
current-version: 1.10.3
compatibility-version: 2
swift-abi-version: 5
parent-umbrella:
  - targets:         [ x86_64-macos, arm64-macos ]
    umbrella:        System
allowable-clients:
  - targets:         [ arm64-macos ]
    clients:         [ ClientA, 'Client B' ]
reexported-libraries:
  - targets:         [ x86_64-macos, arm64-macos ]
    libraries:       [ '/usr/lib/libOther.dylib' ]
  - targets:         [ x86_64-maccatalyst ]
    libraries:       [ '/usr/lib/libCatalyst.dylib', /usr/lib/system/libsystem_kernel.dylib ]
exports:
  - targets:         [ x86_64-macos ]
    symbols:         [ _intel ]
  - targets:         [ x86_64-macos, arm64-macos ] # both
    symbols:         [ _a, '_it''s', "_quoted",
                       '$ld$hide$os11.0$_a', _b ]
    weak-symbols:    [ _weak ]
    thread-local-symbols: [ _tlv ]
    objc-classes:    [ Foo ]
    objc-eh-types:   [ Foo ]
    objc-ivars:      [ Foo._bar ]
  - targets:         [ arm64e.x1-macos, arm64-neweros ]
    symbols:         [ _future ]
reexports:
  - targets:         [ arm64-macos ]
    symbols:         [ _moved ]
undefineds:
  - targets:         [ arm64-macos ]
    symbols:         [ _needed ]
--- !tapi-tbd
tbd-version:     4
targets:         [ arm64-macos ]
install-name:    /usr/lib/libOther.dylib
exports:
  - targets:         [ arm64-macos ]
    symbols:         [ _other ]
...
`

const SHARED_NAMES = [
  '_OBJC_CLASS_$_Foo',
  '_OBJC_EHTYPE_$_Foo',
  '_OBJC_IVAR_$_Foo._bar',
  '_OBJC_METACLASS_$_Foo',
  '_a',
  '_b',
]

function expectV4(dylib: DylibFile): void {
  assert.deepEqual(names(dylib.exports), [...SHARED_NAMES, "_it's", '_moved', '_quoted', '_tlv', '_weak'])
  assert.equal(flagsOf(dylib, '_weak'), EXPORT_WEAK)
  assert.equal(flagsOf(dylib, '_tlv'), EXPORT_THREAD_LOCAL)
  assert.equal(flagsOf(dylib, '_moved'), EXPORT_REEXPORT)
  assert.deepEqual(dylib.directives, ['$ld$hide$os11.0$_a'])
  assert.deepEqual(dylib.reexports.sort(), ['/usr/lib/libOther.dylib', '/usr/lib/system/libsystem_kernel.dylib'])
  assert.deepEqual(dylib.allowableClients.sort(), ['Client B', 'ClientA'])
  assert.equal(dylib.umbrella, 'System')
  assert.equal(dylib.currentVersion, 0x10a03)
  assert.equal(dylib.compatibilityVersion, 0x20000)
  assert.equal(dylib.appExtensionSafe, false)
}

test('version 4 gives what is for the wanted target, and skips what it does not know', async () => {
  const [main, other] = await readTbd(V4, ARM_MAC)
  assert.equal(main.compatible, true)
  assert.deepEqual(main.targets, ['x86_64-macos', 'x86_64-mac-catalyst', 'arm64-macos'])
  assert.equal(main.installName, '/usr/lib/libV4.dylib')
  expectV4(main.dylib)
  assert.equal(other.installName, '/usr/lib/libOther.dylib')
  assert.deepEqual(names(other.dylib.exports), ['_other'])
  const [intel, notIntel] = await readTbd(V4, INTEL_MAC)
  assert.ok(names(intel.dylib.exports).includes('_intel'))
  assert.equal(notIntel.compatible, false)
})

test('the yaml package reads what the quick reader refuses, into the same', async () => {
  const anchored = V4.replace('[ x86_64-macos, arm64-macos ] # both', '&both [ x86_64-macos, arm64-macos ]')
  assert.throws(() => readYamlSubset(anchored), { id: 'tbd-syntax' })
  const [main] = await readTbd(anchored, ARM_MAC)
  expectV4(main.dylib)
  assert.ok(readYamlSubset(V4).length === 2)
})

test('the quick reader and the yaml package agree on a stub of every construct', async () => {
  const { parseAllDocuments } = await import('yaml')
  const documents = parseAllDocuments(V4, { schema: 'failsafe' })
  assert.ok(Array.isArray(documents))
  const quick = readYamlSubset(V4)
  assert.deepEqual(
    JSON.parse(JSON.stringify(quick.map((document) => document.value))),
    documents.map((document) => document.toJS()),
  )
  assert.deepEqual(
    quick.map((document) => document.tag),
    documents.map((document) => document.contents?.tag),
  )
})

test('a missing target is told with the targets there are', async () => {
  const [main] = await readTbd(V4, { arch: 'arm64', platform: 'ios' })
  assert.equal(main.compatible, false)
  assert.ok(main.targets.includes('arm64-macos'))
  assert.ok(findExportText(main.dylib.exports, '_a') >= 0)
  const [any] = await readTbd(V4, { arch: 'arm64', platform: null })
  assert.equal(any.compatible, true)
})

test('arm64e serves arm64 and x86_64h serves x86_64', async () => {
  const text = V4.replaceAll('arm64-macos', 'arm64e-macos').replaceAll('x86_64-macos', 'x86_64h-macos')
  expectV4((await readTbd(text, ARM_MAC))[0].dylib)
  assert.equal((await readTbd(text, INTEL_MAC))[0].compatible, true)
})

function oldStub(version: string, name: (plain: string) => string, clients: string): string {
  return `---${version}
archs:           [ i386, x86_64, arm64, arm64e ]
uuids:           [ 'i386: 00000000-0000-0000-0000-000000000000' ]
platform:        zippered
install-name:    /usr/lib/libOld.dylib
current-version: 1.2
exports:
  - archs:           [ i386 ]
    symbols:         [ _i386 ]
  - archs:           [ arm64e ]
    re-exports:      [ /usr/lib/libSub.dylib ]
    ${clients}: [ Client ]
    symbols:         [ _a, _b, '_OBJC_EHTYPE_$_Foo' ]
    weak-def-symbols: [ _weak ]
    thread-local-symbols: [ _tlv ]
    objc-classes:    [ ${name('Foo')} ]
    objc-ivars:      [ ${name('Foo._bar')} ]
undefineds:
  - archs:           [ arm64 ]
    symbols:         [ _needed ]
...
`
}

const OLD: [string, string][] = [
  ['version 1', oldStub('', (name) => `_${name}`, 'allowed-clients')],
  ['version 2', oldStub(' !tapi-tbd-v2', (name) => `_${name}`, 'allowable-clients')],
  ['version 3', oldStub(' !tapi-tbd-v3', (name) => name, 'allowable-clients')],
]

for (const [version, text] of OLD) {
  test(`${version} with archs and a platform is read`, async () => {
    assert.equal(isTbd(fromText(text)), true)
    for (const platform of ['macos', 'mac-catalyst'] as const) {
      const [main] = await readTbd(text, { arch: 'arm64', platform })
      assert.equal(main.compatible, true)
      assert.deepEqual(names(main.dylib.exports), [...SHARED_NAMES, '_tlv', '_weak'])
      assert.deepEqual(main.dylib.reexports, ['/usr/lib/libSub.dylib'])
      assert.deepEqual(main.dylib.allowableClients, ['Client'])
      assert.equal(main.dylib.currentVersion, 0x10200)
      assert.equal(main.dylib.compatibilityVersion, 0x10000)
    }
    assert.equal((await readTbd(text, { arch: 'arm64', platform: 'ios' }))[0].compatible, false)
  })
}

test('an Intel slice for ios in version 3 is for the simulator', async () => {
  const text = OLD[2][1].replace('zippered', 'ios')
  assert.equal((await readTbd(text, { arch: 'x86_64', platform: 'ios-simulator' }))[0].compatible, true)
  assert.equal((await readTbd(text, { arch: 'arm64', platform: 'ios' }))[0].compatible, true)
  assert.equal((await readTbd(text, { arch: 'arm64', platform: 'ios-simulator' }))[0].compatible, false)
})

test('version 5 as llvm-readtapi writes it is read like the version 4 it came from', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tbd-'))
  try {
    const known = V4.replace(', arm64e.x1-macos, arm64-neweros', '').replace(/ {2}- targets:.*x1-.*\n.*_future.*\n/, '')
    writeFileSync(join(directory, 'v4.tbd'), known)
    execFileSync('llvm-readtapi-22', ['--filetype=tbd-v5', 'v4.tbd', '-o', 'v5.tbd'], { cwd: directory })
    const text = readFileSync(join(directory, 'v5.tbd'), 'utf8')
    assert.equal(isTbd(fromText(text)), true)
    const [main, other] = await readTbd(text, ARM_MAC)
    expectV4(main.dylib)
    assert.deepEqual(main.targets.sort(), ['arm64-macos', 'x86_64-mac-catalyst', 'x86_64-macos'])
    assert.deepEqual(names(other.dylib.exports), ['_other'])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('version 5 has minimum versions, rpaths and libraries that share the targets', async () => {
  const value = {
    tapi_tbd_version: 5,
    main_library: {
      target_info: [{ target: 'arm64-macos', min_deployment: '13.1' }, { target: 'arm64e.x1-macos' }],
      install_names: [{ name: '/usr/lib/libV5.dylib' }],
      rpaths: [{ targets: ['arm64-macos'], paths: ['@loader_path'] }],
      exported_symbols: [{ text: { global: ['_f'] }, data: { global: ['_d'], objc_class: ['C'] } }],
    },
    libraries: [{ install_names: [{ name: '/inner' }], exported_symbols: [{ text: { global: ['_inner'] } }] }],
  }
  const [main, inner] = await readTbd(JSON.stringify(value), ARM_MAC)
  assert.deepEqual(main.dylib.platforms, [{ name: 'macos', minVersion: 0xd0100, sdkVersion: 0 }])
  assert.deepEqual(main.dylib.rpaths, ['@loader_path'])
  assert.deepEqual(names(main.dylib.exports), ['_OBJC_CLASS_$_C', '_OBJC_METACLASS_$_C', '_d', '_f'])
  assert.equal(inner.compatible, true)
  assert.deepEqual(names(inner.dylib.exports), ['_inner'])
})

async function withSymbols(...symbols: string[]): Promise<DylibFile> {
  const quoted = symbols.map((symbol) => `'${symbol}'`).join(', ')
  const text = `--- !tapi-tbd\ntbd-version: 4\ntargets: [ arm64-macos ]\ninstall-name: /now\ncurrent-version: 5\nexports:
  - targets: [ arm64-macos ]\n    symbols: [ ${quoted} ]\n...\n`
  return (await readTbd(text, ARM_MAC))[0].dylib
}

test('$ld$previous without a symbol renames the library in a range of versions of its platform', async () => {
  const dylib = await withSymbols('$ld$previous$/old$1.2.3$1$3.0$14.0$$', '_x')
  const { dylib: old, previous } = applyLdDirectives(dylib, 'macos', 0xd0000)
  assert.equal(old.installName, '/old')
  assert.equal(old.compatibilityVersion, 0x10203)
  assert.equal(old.currentVersion, 0x50000)
  assert.deepEqual(previous, [])
  assert.equal(applyLdDirectives(dylib, 'macos', 0xe0000).dylib.installName, '/now')
  assert.equal(applyLdDirectives(dylib, 'ios', 0xd0000).dylib.installName, '/now')
  assert.equal(dylib.installName, '/now')
})

test('$ld$previous with a symbol binds it to the library it came from', async () => {
  const dylib = await withSymbols(
    '$ld$previous$/old$$1$3.0$14.0$_x$',
    '$ld$previous$/old$$1$3.0$14.0$_y$y$',
    '_x',
    '_z',
  )
  const { dylib: now, previous } = applyLdDirectives(dylib, 'macos', 0xd0000)
  assert.deepEqual(names(now.exports), ['_z'])
  assert.equal(previous.length, 1)
  assert.equal(previous[0].installName, '/old')
  assert.equal(previous[0].currentVersion, 0x50000)
  assert.deepEqual(names(previous[0].exports), ['_x', '_y$y'])
})

test('install_name, compatibility_version, add and hide hold for exactly their version', async () => {
  const dylib = await withSymbols(
    '$ld$install_name$os10.5$/ten',
    '$ld$compatibility_version$os10.5$7.1',
    '$ld$add$os10.5$_added',
    '$ld$hide$os10.5$_x$y',
    '$ld$hide$_always',
    '$ld$weak$os10.5$_z',
    '_x$y',
    '_always',
    '_z',
  )
  const ten = applyLdDirectives(dylib, 'macos', 0xa0500)
  assert.equal(ten.dylib.installName, '/ten')
  assert.equal(ten.dylib.compatibilityVersion, 0x70100)
  assert.deepEqual(names(ten.dylib.exports), ['_added', '_z'])
  const later = applyLdDirectives(dylib, 'macos', 0xa0501)
  assert.equal(later.dylib.installName, '/now')
  assert.deepEqual(names(later.dylib.exports), ['_x$y', '_z'])
  assert.deepEqual(later.hidden, ['_always'])
})

test('directives that cannot be read are warnings in the words of ld64.lld', async () => {
  const dylib = await withSymbols('$ld$previous$/New$1.2.3$1$3.a$14.0$$', '$ld$install_name$os11.a$/New', '$ld$', '_x')
  assert.deepEqual(applyLdDirectives(dylib, 'macos', 0xd0000).warnings, [
    "failed to parse start version, symbol '$ld$previous$/New$1.2.3$1$3.a$14.0$$' ignored",
    "failed to parse os version, symbol '$ld$install_name$os11.a$/New' ignored",
  ])
})

test('stubs are told from other files', () => {
  assert.equal(isTbd(fromText('--- !tapi-tbd-v3\narchs: []')), true)
  assert.equal(isTbd(fromText('---\narchs: []')), true)
  assert.equal(isTbd(fromText('{"main_library"')), true)
  assert.equal(isTbd(fromText('---\nfoo: []')), false)
  assert.equal(isTbd(fromText('!<arch>\n')), false)
})

async function expectError(id: string, text: string): Promise<FormatError> {
  try {
    await readTbd(text, ARM_MAC)
  } catch (error) {
    assert.ok(error instanceof FormatError, String(error))
    assert.equal(error.id, id)
    return error
  }
  assert.fail(`no error for ${text}`)
}

test('malformed stubs are errors that tell where', async () => {
  const open = await expectError('tbd-syntax', '--- !tapi-tbd\ntargets: [ a, b\n')
  assert.ok(open.offset >= 23)
  assert.equal((await expectError('tbd-syntax', '{ "main_library": [')).offset, 19)
  assert.equal((await expectError('tbd-version', '--- !tapi-tbd\ntbd-version: 9\n...\n')).offset, 0)
  await expectError('tbd-version', '--- !other\na: b\n')
  await expectError('tbd-version', '{ "tapi_tbd_version": 6 }')
  await expectError('tbd-syntax', '')
  await expectError('tbd-shape', V4.replace(/install-name: .*/, ''))
  await expectError('tbd-shape', V4.replace('1.10.3', 'one'))
  await expectError('tbd-shape', V4.replace('[ _weak ]', '_weak'))
  await expectError('tbd-shape', '{ "tapi_tbd_version": 5, "main_library": [] }')
})

test('aliases that multiply and brackets without end are errors', async () => {
  const lines = Array.from({ length: 30 }, (_, i) => `k${i + 1}: &a${i + 1} [ *a${i}, *a${i}, *a${i} ]`)
  await expectError('tbd-syntax', `--- !tapi-tbd\nk0: &a0 [ x ]\n${lines.join('\n')}\n`)
  await expectError('tbd-syntax', `--- !tapi-tbd\nk: ${'['.repeat(20000)}`)
})

test('mutated stubs give a value or a FormatError', async () => {
  const inputs = [V4, OLD[0][1], JSON.stringify({ tapi_tbd_version: 5, main_library: { target_info: [] } })]
  const piece = fc.constantFrom(
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '-',
    ' ',
    '\n',
    "'",
    '"',
    '&a',
    '*a',
    '#',
    '\t',
    '!',
    '|',
    'x',
  )
  const change = fc.tuple(fc.nat(3000), fc.nat(3), piece)
  await fc.assert(
    fc.asyncProperty(fc.nat(2), fc.array(change, { minLength: 1, maxLength: 4 }), async (which, changes) => {
      let text = inputs[which]
      for (const [at, removed, put] of changes) {
        const place = at % text.length
        text = text.slice(0, place) + put + text.slice(place + removed)
      }
      try {
        for (const { dylib } of await readTbd(text, ARM_MAC)) applyLdDirectives(dylib, 'macos', 0xb0000)
      } catch (error) {
        assert.ok(error instanceof FormatError, error instanceof Error ? error.stack : String(error))
      }
    }),
    { seed: 4, numRuns: 1000 },
  )
})
