import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FormatError, readU32, readU32be, readU64, writeU32, writeU32be, writeU64 } from '../src/core/bytes.ts'
import { readSignature } from '../src/formats/codesign.ts'
import { readFat } from '../src/formats/fat.ts'
import { LC_CODE_SIGNATURE } from '../src/formats/macho/constants.ts'
import { findSegment, readImage } from '../src/formats/macho/image.ts'
import { createNodeHost } from '../src/host/node.ts'
import { sign } from '../src/sign.ts'
import { verify } from '../src/verify.ts'
import { compile } from './helpers/clang.ts'
import { mustRun } from './helpers/command.ts'
import { lld } from './helpers/lld.ts'
import { libSystem, root, tempFolder } from './helpers/paths.ts'
import { runImage, verifyImage } from './helpers/run.ts'
import { forEachTarget, type Target, targets } from './helpers/targets.ts'

const program = `
extern int puts(const char *);
int table[2];
int *pointer = table;
int main(void) { puts("signed"); return *pointer; }
`

function link(target: Target, flags: readonly string[]): string {
  const output = join(tempFolder(), 'program')
  const { status, stderr } = lld([...target.flags, compile(target.arch, program), libSystem, '-o', output, ...flags])
  assert.equal(status, 0, stderr)
  return output
}

function bytesOf(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path))
}

function directoryOf(bytes: Uint8Array) {
  const range = readImage(bytes).tables.get(LC_CODE_SIGNATURE)
  assert.ok(range !== undefined)
  return readSignature(bytes, range.offset, range.size).directories[0]
}

function refuses(bytes: Uint8Array, id: string): void {
  assert.throws(
    () => sign(bytes),
    (error) => error instanceof FormatError && error.id === id && error.message !== '',
  )
}

forEachTarget((target) => {
  test(`an unsigned program is signed, checks out and runs (${target.name})`, () => {
    const output = link(target, ['-no_adhoc_codesign'])
    const before = bytesOf(output)
    assert.equal(readImage(before).tables.has(LC_CODE_SIGNATURE), false)
    const after = sign(before, { identifier: 'program' })
    writeFileSync(output, after)
    assert.deepEqual(verify(after), [])
    verifyImage(target, output)
    const { status, stdout } = runImage(target, output)
    assert.deepEqual([status, stdout], [0, 'signed\n'])
  })

  test(`signing again in the same shape gives ld64.lld's bytes back (${target.name})`, () => {
    const bytes = bytesOf(link(target, ['-adhoc_codesign']))
    assert.deepEqual(sign(bytes, { pageShift: 12 }), bytes)
  })

  test(`only the header, __LINKEDIT's size and the signature differ (${target.name})`, () => {
    const before = bytesOf(link(target, ['-no_adhoc_codesign']))
    const after = sign(before)
    const image = readImage(before)
    assert.equal(readImage(after).commands.length, image.commands.length + 1)
    assert.deepEqual(
      after.slice(32 + image.commandsSize + 16, before.length),
      before.slice(32 + image.commandsSize + 16),
    )
    const linkedit = findSegment(readImage(after), '__LINKEDIT')
    assert.equal(linkedit && linkedit.fileOffset + linkedit.fileSize, after.length)
    assert.ok(linkedit !== null && linkedit.vmSize >= linkedit.fileSize)
  })
})

test('arm64 gets pages of 16 KiB and x86_64 pages of 4 KiB unless told otherwise', () => {
  for (const target of targets) {
    const bytes = bytesOf(link(target, ['-adhoc_codesign']))
    assert.equal(directoryOf(sign(bytes)).pageShift, target.arch === 'arm64' ? 14 : 12)
    assert.equal(directoryOf(sign(bytes, { pageShift: 13 })).pageShift, 13)
  }
})

test('the identifier is the one given, else the old one, else from the install name', () => {
  const flags = ['-dylib', '-install_name', '@rpath/libnamed.1.dylib', '-no_adhoc_codesign']
  const bytes = bytesOf(link(targets[0], flags))
  assert.equal(directoryOf(sign(bytes)).identifier, 'libnamed.1.dylib')
  const given = sign(bytes, { identifier: 'com.example.länge' })
  assert.equal(directoryOf(given).identifier, 'com.example.länge')
  assert.deepEqual(sign(given), given)
  assert.equal(directoryOf(sign(bytesOf(link(targets[0], ['-no_adhoc_codesign'])))).identifier, 'a.out')
})

test('a host gives the same signature as the built-in hash', () => {
  const bytes = bytesOf(link(targets[3], ['-adhoc_codesign']))
  assert.deepEqual(sign(bytes, { host: createNodeHost() }), sign(bytes))
})

test('each slice of a universal file is signed and stays aligned', () => {
  const thin = targets.filter((target) => target.fixups === 'chained').map((t) => link(t, ['-no_adhoc_codesign']))
  const output = join(tempFolder(), 'universal')
  mustRun('llvm-lipo-22', ['-create', ...thin, '-output', output])
  const before = bytesOf(output)
  const after = sign(before, { identifier: 'universal' })
  assert.deepEqual(verify(after), [])
  const slices = readFat(after)
  assert.equal(slices.length, 2)
  for (const slice of slices) {
    assert.equal(slice.offset % 2 ** slice.align, 0)
    const part = after.slice(slice.offset, slice.offset + slice.size)
    assert.equal(directoryOf(part).identifier, 'universal')
  }
  assert.equal(slices[1].offset + slices[1].size, after.length)
  mustRun('llvm-objdump-22', ['--macho', '--universal-headers', '--private-headers', '--arch', 'all', writeOut(after)])
})

function writeOut(bytes: Uint8Array): string {
  const path = join(tempFolder(), 'out')
  writeFileSync(path, bytes)
  return path
}

test('slices that overlap are refused', () => {
  const thin = targets.filter((target) => target.fixups === 'chained').map((t) => link(t, []))
  const output = join(tempFolder(), 'universal')
  mustRun('llvm-lipo-22', ['-create', ...thin, '-output', output])
  const bytes = bytesOf(output)
  writeU32be(bytes, 8 + 20 + 8, readU32be(bytes, 8 + 8) + 16)
  writeU32be(bytes, 8 + 20 + 12, 0x1000)
  refuses(bytes, 'fat-slice-overlap')
})

test('what cannot be signed says why', () => {
  const bytes = bytesOf(link(targets[0], ['-adhoc_codesign']))
  refuses(new Uint8Array(0), 'not-mach-o')
  refuses(bytes.slice(0, 100), 'truncated-header')
  const trailing = new Uint8Array(bytes.length + 1)
  trailing.set(bytes)
  refuses(trailing, 'sign-trailing-data')
  refuses(new Uint8Array(readFileSync(compile('arm64', program))), 'sign-no-linkedit')
  const early = bytes.slice()
  const at = readImage(early).commands.find((command) => command.cmd === LC_CODE_SIGNATURE)?.at ?? 0
  writeU32(early, at + 8, readU32(early, at + 8) - 256)
  writeU32(early, at + 12, 16)
  refuses(early, 'sign-signature-not-last')
  const high = bytes.slice()
  const data = findSegment(readImage(high), '__DATA')
  assert.ok(data !== null)
  writeU64(high, data.at + 24, readU64(high, data.at + 24) + 0x100000000)
  refuses(high, 'sign-linkedit-not-last')
})

test('without room after the load commands nothing is overwritten', () => {
  const bytes = bytesOf(link(targets[0], ['-no_adhoc_codesign', '-headerpad', '0']))
  const section = readImage(bytes).segments[1].sections[0]
  const end = 32 + readImage(bytes).commandsSize
  // Where lld leaves room, pretend that the first section begins at once.
  if (section.offset - end >= 16) writeU32(bytes, readImage(bytes).segments[1].at + 72 + 48, end + 8)
  refuses(bytes, 'sign-no-header-room')
})

test("modules built by Apple's linker are signed anew", () => {
  for (const arch of ['darwin-arm64', 'darwin-x64']) {
    const bytes = bytesOf(join(root, 'node_modules/crc-native/prebuilds', arch, 'crc-native.node'))
    const signed = sign(bytes, { identifier: 'crc' })
    assert.deepEqual(verify(signed), [])
    assert.equal(directoryOf(signed).identifier, 'crc')
    assert.deepEqual(sign(signed), signed)
  }
})

test('a universal file that would end past 4 GiB is refused', () => {
  const thin = targets.filter((target) => target.fixups === 'chained').map((t) => link(t, []))
  const output = join(tempFolder(), 'universal')
  mustRun('llvm-lipo-22', ['-create', ...thin, '-output', output])
  const bytes = bytesOf(output)
  writeU32be(bytes, 8 + 20 + 16, 32)
  refuses(bytes, 'sign-too-large')
})
