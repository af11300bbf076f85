import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { FormatError, fromText, toText } from '../../src/core/bytes.ts'
import { type Archive, isArchive, memberName, readArchive } from '../../src/formats/archive.ts'

let directory = ''

function run(tool: string, ...args: string[]): void {
  execFileSync(tool, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
}

function assemble(name: string, symbols: string[]): void {
  const text = symbols.map((symbol) => `.globl ${symbol}\n${symbol}: ret\n`).join('')
  writeFileSync(join(directory, `${name}.s`), text)
  run('llvm-mc-22', '-triple', 'arm64-apple-macos13', '-filetype=obj', `${name}.s`, '-o', name)
}

const LONG = 'a-name-longer-than-sixteen-characters.o'

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'archive-'))
  assemble('one.o', ['_one', '_uno'])
  assemble(LONG, ['_long'])
  utimesSync(join(directory, 'one.o'), 1e9, 1e9)
})
after(() => rmSync(directory, { recursive: true }))

function load(name: string): Archive {
  const contents = readFileSync(join(directory, name))
  // Archives lie somewhere in the input arena, so `from` is seldom 0.
  const arena = new Uint8Array(contents.length + 48)
  arena.set(contents, 16)
  return readArchive(arena, 16, 16 + contents.length)
}

function names(archive: Archive): string[] {
  return Array.from({ length: archive.count }, (_, i) => memberName(archive, i))
}

function data(archive: Archive, member: number): Uint8Array {
  const start = archive.from + archive.offset[member]
  return archive.bytes.subarray(start, start + archive.size[member])
}

function symbols(archive: Archive): string[] {
  const { index, bytes, from } = archive
  return Array.from({ length: index.count }, (_, i) => {
    const start = from + index.nameOffset[i]
    return `${toText(bytes, start, start + index.nameLength[i])} ${memberName(archive, index.member[i])}`
  }).sort()
}

const EXPECTED_SYMBOLS = [`_long ${LONG}`, '_one one.o', '_uno one.o']

function expectWhole(archive: Archive): void {
  assert.deepEqual(names(archive), ['one.o', LONG])
  assert.equal(archive.hasIndex, true)
  assert.deepEqual(symbols(archive), EXPECTED_SYMBOLS)
  for (let i = 0; i < 2; i++) {
    const object = readFileSync(join(directory, memberName(archive, i)))
    assert.deepEqual([...data(archive, i).subarray(0, object.length)], [...object])
  }
}

test('a Darwin archive of llvm-libtool-darwin has its members, names and sorted index', () => {
  run('llvm-libtool-darwin-22', '-static', '-o', 'darwin.a', 'one.o', LONG)
  expectWhole(load('darwin.a'))
})

test('a GNU archive keeps long names in its // table', () => {
  run('llvm-ar-22', '--format=gnu', 'rcs', 'gnu.a', 'one.o', LONG)
  expectWhole(load('gnu.a'))
})

test('a BSD archive keeps long names before the data', () => {
  run('llvm-ar-22', '--format=bsd', 'rcs', 'bsd.a', 'one.o', LONG)
  expectWhole(load('bsd.a'))
})

test('modification times are kept', () => {
  run('llvm-ar-22', '--format=darwin', 'rcsU', 'times.a', 'one.o')
  assert.equal(load('times.a').mtime[0], 1e9)
})

test('an archive without an index says so', () => {
  run('llvm-ar-22', '--format=darwin', 'rcS', 'bare.a', 'one.o')
  const archive = load('bare.a')
  assert.equal(archive.hasIndex, false)
  assert.equal(archive.index.count, 0)
  assert.deepEqual(names(archive), ['one.o'])
})

test('a thin archive names files and their sizes but holds no data', () => {
  run('llvm-ar-22', '--thin', '--format=gnu', 'rcs', 'thin.a', 'one.o', LONG)
  const archive = load('thin.a')
  assert.equal(archive.thin, true)
  assert.deepEqual(names(archive), ['one.o', LONG])
  assert.deepEqual([...archive.offset], [0, 0])
  assert.equal(archive.size[0], readFileSync(join(directory, 'one.o')).length)
  assert.deepEqual(symbols(archive), EXPECTED_SYMBOLS)
})

function member(name: string, contents: Uint8Array, size = String(contents.length)): Uint8Array {
  const header = `${name.padEnd(16)}${'7'.padEnd(12)}0     0     644     ${size.padEnd(10)}\`\n`
  const pad = contents.length % 2 === 0 ? 0 : 1
  const bytes = new Uint8Array(header.length + contents.length + pad).fill(0x0a)
  bytes.set(fromText(header))
  bytes.set(contents, header.length)
  return bytes
}

function archiveOf(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from([...fromText('!<arch>\n'), ...parts.flatMap((part) => [...part])])
}

function words(values: number[], width: 4 | 8, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(values.length * width)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    if (width === 4) view.setUint32(i * 4, value, littleEndian)
    else view.setBigUint64(i * 8, BigInt(value), littleEndian)
  })
  return bytes
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

test('a 64-bit BSD index is read', () => {
  const index = concat(words([16, 0, 8 + 60 + 38], 8, true), words([6], 8, true), fromText('_wide\0'))
  assert.equal(index.length, 38)
  const archive = readArchive(archiveOf(member('__.SYMDEF_64', index), member('w.o', fromText('data'))))
  assert.deepEqual(symbols(archive), ['_wide w.o'])
})

test('a 64-bit GNU index is read', () => {
  const index = concat(words([1, 8 + 60 + 22], 8, false), fromText('_wide\0'))
  const archive = readArchive(archiveOf(member('/SYM64/', index), member('w.o/', fromText('data'))))
  assert.deepEqual(symbols(archive), ['_wide w.o'])
})

test('an odd member is padded to two, and the last one need not be', () => {
  const whole = archiveOf(member('a', fromText('odd')), member('b', fromText('odd')))
  const archive = readArchive(whole.subarray(0, whole.length - 1))
  assert.deepEqual([...archive.size], [3, 3])
  assert.equal(toText(data(archive, 1)), 'odd')
})

function expectError(id: string, offset: number, bytes: Uint8Array): void {
  assert.throws(
    () => readArchive(bytes),
    (error) => error instanceof FormatError && error.id === id && error.offset === offset,
  )
}

test('damaged members are errors that tell where', () => {
  expectError('not-archive', 0, fromText('!<arhc>\n'))
  expectError('archive-header', 8, archiveOf(fromText('short')))
  expectError('archive-header', 8, archiveOf(member('a', fromText('')).fill(0x20, 58)))
  expectError('archive-size', 8, archiveOf(member('a', fromText('xx'), '3')))
  expectError('archive-size', 8, archiveOf(member('a', fromText('xx'), '-2')))
  expectError('archive-name', 8, archiveOf(member('#1/5', fromText('four'))))
  expectError('archive-name', 8, archiveOf(member('/3', fromText('four'))))
})

test('damaged indices are errors that tell where', () => {
  const tooMany = words([0xffffffff, 0], 4, false)
  expectError('archive-index', 68, archiveOf(member('/', tooMany)))
  expectError('archive-index', 68, archiveOf(member('__.SYMDEF', words([0xfffffff8, 0], 4, true))))
  const nowhere = concat(words([1, 12], 4, false), fromText('_x\0\0'))
  expectError('archive-index', 76, archiveOf(member('/', nowhere)))
  const unterminated = concat(words([1, 80], 4, false), fromText('_xyz'))
  expectError('archive-index', 76, archiveOf(member('/', unterminated), member('a', fromText('data'))))
})

test('an index whose names overlap without end is refused', () => {
  const count = 400
  const ranlibs = Array.from({ length: count }, () => [0, 8 + 60 + 8 + count * 8 + 8000]).flat()
  const text = new Uint8Array(8000).fill(0x78)
  text[7999] = 0
  const index = concat(words([count * 8, ...ranlibs, 8000], 4, true), text)
  expectError('archive-index', 8 + 60 + 8 + count * 8, archiveOf(member('__.SYMDEF', index), member('a', text)))
})

test('archives are told from other files', () => {
  assert.equal(isArchive(fromText('!<arch>\n')), true)
  assert.equal(isArchive(fromText('!<thin>\n')), true)
  assert.equal(isArchive(fromText('!<arch>')), false)
  assert.equal(isArchive(fromText('xx!<arch>\n'), 2), true)
})

test('mutated archives give a value or a FormatError', () => {
  for (const format of ['gnu', 'darwin'])
    run('llvm-ar-22', `--format=${format}`, 'rcs', `${format}-fuzz.a`, 'one.o', LONG)
  const originals = ['gnu-fuzz.a', 'darwin-fuzz.a'].map((name) => new Uint8Array(readFileSync(join(directory, name))))
  const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 }))
  fc.assert(
    fc.property(fc.nat(1), fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(400), (which, changes, cut) => {
      const bytes = originals[which].slice(0, originals[which].length - cut)
      for (const [at, value] of changes) bytes[Math.floor(at * at * (bytes.length - 1))] = value
      try {
        const archive = readArchive(bytes)
        for (let i = 0; i < archive.count; i++) assert.ok(archive.offset[i] + archive.size[i] <= bytes.length)
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { seed: 1, numRuns: 2000 },
  )
})
