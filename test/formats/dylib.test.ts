import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { FormatError, fromText, readU32, toText, writeU32 } from '../../src/core/bytes.ts'
import { hashBytes } from '../../src/core/hash.ts'
import { type DylibFile, readDylib } from '../../src/formats/dylib.ts'
import {
  addExportText,
  createExportTable,
  createExportTableBuilder,
  createTextExports,
  EXPORT_ABSOLUTE,
  EXPORT_THREAD_LOCAL,
  EXPORT_WEAK,
  type ExportTable,
  findExport,
  findExportText,
} from '../../src/formats/exportTable.ts'
import { LC_DYLD_EXPORTS_TRIE, LC_ID_DYLIB, MH_DYLIB_STUB } from '../../src/formats/macho/constants.ts'
import { applyLdDirectives } from '../../src/formats/tbd.ts'

let directory = ''

function run(tool: string, ...args: string[]): void {
  execFileSync(tool, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
}

const SOURCE = `
.globl _strong, _weak, _hidden, _tlv, _absolute, "$ld$hide$os13.0$_strong"
.weak_definition _weak
.private_extern _hidden
_strong: ret
_weak: ret
_hidden: ret
_absolute = 0x1234
"$ld$hide$os13.0$_strong": ret
.section __DATA,__thread_vars,thread_local_variables
_tlv: .quad 0, 0, 0
.subsections_via_symbols
`

function link(output: string, ...args: string[]): Uint8Array {
  run('ld64.lld-22', '-arch', 'arm64', '-platform_version', 'macos', '13.1', '14.2', 'a.o', '-o', output, ...args)
  return new Uint8Array(readFileSync(join(directory, output)))
}

const DYLIB = [
  '-dylib',
  '-install_name',
  '@rpath/libA.dylib',
  '-current_version',
  '3.2.1',
  '-compatibility_version',
  '2',
]
let plain: Uint8Array
let opcodes: Uint8Array

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'dylib-'))
  writeFileSync(join(directory, 'a.s'), SOURCE)
  run('llvm-mc-22', '-triple', 'arm64-apple-macos13', '-filetype=obj', 'a.s', '-o', 'a.o')
  plain = link('libA.dylib', ...DYLIB, '-rpath', '@loader_path/lib', '-fixup_chains', '-mark_dead_strippable_dylib')
  opcodes = link(
    'libB.dylib',
    ...DYLIB,
    '-no_fixup_chains',
    '-install_name',
    '/B',
    '-umbrella',
    'Roof',
    '-application_extension',
  )
})
after(() => rmSync(directory, { recursive: true }))

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

function expectExports(dylib: DylibFile): void {
  assert.deepEqual(names(dylib.exports), ['_absolute', '_strong', '_tlv', '_weak'])
  assert.equal(flagsOf(dylib, '_strong'), 0)
  assert.equal(flagsOf(dylib, '_weak'), EXPORT_WEAK)
  assert.equal(flagsOf(dylib, '_tlv'), EXPORT_THREAD_LOCAL)
  assert.equal(flagsOf(dylib, '_absolute'), EXPORT_ABSOLUTE)
  assert.deepEqual(dylib.directives, ['$ld$hide$os13.0$_strong'])
}

test('a dylib tells its identity, versions and platform', () => {
  const dylib = readDylib(plain)
  assert.equal(dylib.installName, '@rpath/libA.dylib')
  assert.equal(dylib.currentVersion, 0x30201)
  assert.equal(dylib.compatibilityVersion, 0x20000)
  assert.deepEqual(dylib.platforms, [{ name: 'macos', minVersion: 0xd0100, sdkVersion: 0xe0200 }])
  assert.deepEqual(dylib.rpaths, ['@loader_path/lib'])
  assert.equal(dylib.deadStrippable, true)
  assert.equal(dylib.appExtensionSafe, false)
})

test('exports come from the trie of chained fixups', () => expectExports(readDylib(plain)))

test('exports come from the trie of dyld info, in a file anywhere in an arena', () => {
  const arena = new Uint8Array(opcodes.length + 64)
  arena.set(opcodes, 32)
  const dylib = readDylib(arena, 32, 32 + opcodes.length)
  expectExports(dylib)
  assert.equal(dylib.umbrella, 'Roof')
  assert.equal(dylib.appExtensionSafe, true)
})

/** A copy in which the load commands of that kind are of a kind nobody knows. */
function without(bytes: Uint8Array, command: number): Uint8Array {
  const copy = bytes.slice()
  for (let i = 0, at = 32; i < readU32(copy, 16); i++, at += readU32(copy, at + 4))
    if (readU32(copy, at) === command) writeU32(copy, at, 0x7fffffff)
  return copy
}

test('exports come from the symbol table where there is no trie', () => {
  const bare = without(plain, LC_DYLD_EXPORTS_TRIE)
  const dylib = readDylib(bare)
  expectExports(dylib)
  writeU32(bare, 12, MH_DYLIB_STUB)
  expectExports(readDylib(bare))
})

test('re-exported libraries are told, and none under MH_NO_REEXPORTED_DYLIBS', () => {
  link('libD.dylib', '-dylib', '-install_name', '/D')
  const upper = link('libC.dylib', '-dylib', '-install_name', '/C', '-reexport_library', 'libD.dylib', 'libA.dylib')
  const dylib = readDylib(upper)
  assert.deepEqual(dylib.reexports, ['/D'])
  const bytes = upper.slice()
  writeU32(bytes, 24, readU32(bytes, 24) | 0x100000)
  assert.deepEqual(readDylib(bytes).reexports, [])
})

test('an executable is read for -bundle_loader', () => {
  const dylib = readDylib(link('main', '-e', '_strong', '-export_dynamic'))
  assert.equal(dylib.installName, null)
  assert.ok(findExportText(dylib.exports, '_strong') >= 0)
})

test('directives of a binary take effect', () => {
  const dylib = readDylib(plain)
  const directed = applyLdDirectives(dylib, 'macos', 0xd0000)
  assert.deepEqual(names(directed.dylib.exports), ['_absolute', '_tlv', '_weak'])
  assert.deepEqual(directed.hidden, ['_strong'])
  assert.equal(applyLdDirectives(dylib, 'macos', 0xd0100).dylib, dylib)
  expectExports(dylib)
})

test('files that are no dylib, or a damaged one, are errors', () => {
  const object = new Uint8Array(readFileSync(join(directory, 'a.o')))
  assert.throws(() => readDylib(object), { id: 'not-dylib', offset: 12 })
  assert.throws(() => readDylib(fromText('text')), { id: 'not-dylib', offset: 0 })
  assert.throws(() => readDylib(plain.subarray(0, 200)), { id: 'dylib-commands', offset: 20 })
  assert.throws(() => readDylib(plain.subarray(0, 32780)), { id: 'dylib-exports' })
  const nameless = without(plain, LC_ID_DYLIB)
  assert.throws(() => readDylib(nameless), { id: 'dylib-no-id' })
})

test('mutated dylibs give a value or a FormatError', () => {
  const inputs = [plain, opcodes, without(plain, LC_DYLD_EXPORTS_TRIE)]
  assert.ok(inputs.every((bytes) => bytes.length > 16384))
  const at = fc.oneof(fc.nat(1200), fc.integer({ min: 32768, max: 33800 }))
  const change = fc.tuple(at, fc.nat(255))
  fc.assert(
    fc.property(fc.nat(2), fc.array(change, { minLength: 1, maxLength: 6 }), (which, changes) => {
      const bytes = inputs[which].slice()
      for (const [place, value] of changes) bytes[place % bytes.length] = value
      try {
        assert.ok(readDylib(bytes).exports.count >= 0)
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { seed: 3, numRuns: 2000 },
  )
})

test('an export table finds every name of many and no other', () => {
  const builder = createExportTableBuilder(1)
  for (let i = 0; i < 20000; i++) addExportText(builder, `name_${i * 7919}`, i & 1, '_')
  const table = createExportTable(builder)
  assert.equal(table.count, 20000)
  const probe = fromText('xx_name_7919')
  assert.equal(findExport(table, probe, 2, 10, hashBytes(probe, 2, 12)), 1)
  for (let i = 0; i < 20000; i++) assert.equal(findExportText(table, `_name_${i * 7919}`), i)
  assert.equal(findExportText(table, '_name_'), -1)
  assert.equal(findExportText(createExportTable(createExportTableBuilder(0)), ''), -1)
})

test('names in a text become rows when they are asked for, those with flags at once', () => {
  const builder = createExportTableBuilder()
  addExportText(builder, '_weak', EXPORT_WEAK)
  const table = createTextExports(['\n_a _ab\n_weak _b c\n', '_own'], builder)
  assert.deepEqual(names(table), ['_weak'])
  for (const name of ['_own', '_b', '_ab', '_a', 'c']) assert.ok(findExportText(table, name) > 0, name)
  for (const name of ['', ' ', '_', 'b', '_a _ab', '_weak _b', 'own', '_owner'])
    assert.equal(findExportText(table, name), -1)
  assert.equal(findExportText(table, '_weak'), 0)
  assert.deepEqual(names(table), ['_a', '_ab', '_b', '_own', '_weak', 'c'])
})

test('a text that is asked for many names is read whole, and answers as before', () => {
  const builder = createExportTableBuilder()
  addExportText(builder, '_name_7', EXPORT_WEAK)
  const text = Array.from({ length: 200 }, (_, i) => `_name_${i}`).join('\n')
  const table = createTextExports([text], builder)
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 200; i++) {
      const row = findExportText(table, `_name_${i}`)
      assert.ok(row >= 0)
      assert.equal(table.flags[row], i === 7 ? EXPORT_WEAK : 0)
      assert.equal(findExportText(table, `_name_${i}_`), -1)
    }
  }
  assert.equal(table.count, 200)
  assert.equal(table.unread, null)
})

test('a repeated name keeps one row, and a strong definition wins over a weak one', () => {
  const builder = createExportTableBuilder()
  addExportText(builder, '_a', EXPORT_WEAK)
  addExportText(builder, '_é', 0)
  addExportText(builder, '_a', EXPORT_THREAD_LOCAL)
  addExportText(builder, '_a', EXPORT_WEAK)
  const table = createExportTable(builder)
  assert.deepEqual(names(table), ['_a', '_é'])
  assert.deepEqual([...table.flags], [EXPORT_THREAD_LOCAL, 0])
})
