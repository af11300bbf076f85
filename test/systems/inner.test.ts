import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { innerCode } from '../../bench/bundle/inner.ts'
import { randomFrom } from '../../bench/random.ts'
import { CONTENT_DROPPED, CONTENT_REGULAR } from '../../components/sections.ts'
import { hashBytes } from '../../src/core/hash.ts'
import { createInner, type Inner } from '../../systems/inner/inner.ts'
import { releaseRoom, reserveRoom } from '../../systems/load/room.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { ld64, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, root, tempFolder } from '../helpers/paths.ts'
import { forEachTarget } from '../helpers/targets.ts'

const SIZE = 1 << 20
const SYMBOLS = 300
const TEXT = 4096

test('the code is that of the loops', async () => {
  assert.equal(readFileSync(join(root, 'systems/inner/code.ts'), 'utf8'), await innerCode(), 'npm run inner')
})

/** The loops in JavaScript. */
function plainInner(): Inner {
  const host = globalThis as { WebAssembly?: unknown }
  const wasm = host.WebAssembly
  delete host.WebAssembly
  const inner = createInner(SIZE)
  host.WebAssembly = wasm
  return inner
}

/** Reads, sorts, measures and splits the symbols of a section; returns all that was returned. */
function load({ loops, buffer }: Inner, random: () => number): number[] {
  const at = (place: number) => place << 14
  const words = (place: number) => new Uint32Array(buffer, at(place), 2048)
  const text = new Uint8Array(buffer, at(1), TEXT + 8)
  const [content, flags] = [new Uint8Array(buffer, at(2), 258), new Uint16Array(buffer, at(3), SYMBOLS)]
  const [records, offset, row, start, odd] = [words(0), words(4), words(5), words(6), words(7)]
  for (let i = 0; i < TEXT; i++) text[i] = random() < 0.1 ? 0 : Math.floor(random() * 256)
  text[TEXT - 1] = random() < 0.9 ? 0 : 1
  for (let section = 1; section <= 3; section++) content[section] = random() < 0.1 ? CONTENT_DROPPED : CONTENT_REGULAR
  for (let i = 0; i < SYMBOLS; i++) randomRecord(records, i, text, random)
  const hidden = random() < 0.2 ? 1 : 0
  const found = loops.readSymbols(records, SYMBOLS, text, TEXT, hidden, content, 3, flags, offset, row, start, odd)
  if (found < 0) return [found]
  const [starts, order, bases] = [words(8), words(10), words(17).fill(4096)]
  loops.groupSymbols(records, SYMBOLS, flags, offset, bases, starts, words(9), order)
  const view = new DataView(buffer, at(1), TEXT + 8)
  const most = random() < 0.5 ? TEXT * 64 : 100
  const spelled = loops.measureNames(view, TEXT, found, most, 5, 1 << 20, 7, row, start, words(11), words(12))
  const [from, to] = [starts[1], starts[2]]
  const aligns = new Uint8Array(buffer, at(18), SYMBOLS + 1)
  const split = random() < 0.8 ? 1 : 0
  const [blockOf, offsetOf, first, size] = [words(13), words(14), words(15), words(16)]
  const range = [records, order, from, to, 4096, 60000, split, 4, 2, 100] as const
  const blocks = loops.splitAtSymbols(...range, flags, blockOf, offsetOf, first, size, aligns)
  const names = new Uint8Array(buffer, at(20), 1 << 14)
  const into = new DataView(buffer, at(20), 1 << 14)
  const kept = loops.gatherLocals(records, SYMBOLS, flags, view, text, TEXT, into, names, 16000)
  return [found, spelled, blocks, kept]
}

function randomRecord(records: Uint32Array, i: number, text: Uint8Array, random: () => number): void {
  const types = random() < 0.002 ? [0x0c] : [0x0e, 0x0f, 0x0e, 0x0f, 0x1f, 0x01, 0x64, 0x03]
  const type = types[Math.floor(random() * types.length)]
  const section = type === 0x01 ? 0 : 1 + Math.floor(random() * (random() < 0.002 ? 4 : 3))
  let name = Math.floor(random() * (random() < 0.002 ? TEXT + 9 : TEXT))
  // Few are empty.
  if (random() < 0.998) while (text[name] === 0) name--
  records[i * 4] = name
  records[i * 4 + 1] = type | (section << 8) | (Math.floor(random() * 0x800) << 16)
  records[i * 4 + 2] = type === 0x01 ? 0 : 4096 + Math.floor(random() * (random() < 0.002 ? 70000 : 60000))
  records[i * 4 + 3] = 0
}

test('WebAssembly and JavaScript do the same', () => {
  const results = new Set<string>()
  for (let seed = 1; seed <= 400; seed++) {
    const [compiled, plain] = [createInner(SIZE), plainInner()]
    assert.notEqual(compiled.loops, plain.loops)
    const result = load(compiled, randomFrom(seed))
    assert.deepEqual(load(plain, randomFrom(seed)), result, `seed ${seed}`)
    const bytes = Buffer.from(compiled.buffer, 1024, SIZE - 1024)
    assert.equal(Buffer.compare(bytes, Buffer.from(plain.buffer, 1024, SIZE - 1024)), 0, `seed ${seed}`)
    for (const [i, value] of result.entries()) results.add(`${i} ${value < 0}`)
  }
  assert.deepEqual([...results].sort(), ['0 false', '0 true', '1 false', '1 true', '2 false', '2 true', '3 false'])
})

test('names have the hashes of the other kernels', () => {
  const { loops, buffer } = createInner(SIZE)
  const text = Buffer.from('\0_a\0_main\0__ZN5names4hashEPKc\0')
  new Uint8Array(buffer, 4096).set(text)
  const words = (at: number, ...values: number[]) => {
    const view = new Uint32Array(buffer, at, 8)
    view.set(values)
    return view
  }
  const starts = [1, 4, 10]
  const [row, start, place, hash] = [words(8192, 0, 1, 2), words(8448, ...starts), words(8704), words(8960)]
  const view = new DataView(buffer, 4096)
  assert.equal(loops.measureNames(view, text.length, 3, 1000, 2, 50, 10, row, start, place, hash), 2 + 5 + 19)
  assert.deepEqual([...row.subarray(0, 3)], [10, 11, 12])
  assert.deepEqual([...start.subarray(0, 3)], [51, 54, 60])
  for (const [i, from] of starts.entries()) {
    const end = text.indexOf(0, from)
    assert.deepEqual([place[i], hash[i]], [(end - from) | (2 << 24), hashBytes(text, from, end)])
  }
})

test('one room serves objects with many symbols and those with long strings, and a large one is not kept', () => {
  releaseRoom()
  reserveRoom(10_000, 200_000)
  const room = reserveRoom(3000, 1_000_000)
  for (const [symbols, strings] of [
    [10_000, 200_000],
    [3000, 1_000_000],
    [10_000, 1_000_000],
  ] as const)
    assert.equal(reserveRoom(symbols, strings), room)
  releaseRoom()
  assert.equal(reserveRoom(1, 1), room)
  const large = reserveRoom(1 << 20, 1)
  releaseRoom()
  assert.notEqual(reserveRoom(1, 1), large)
})

forEachTarget((target) => {
  test(`symbols of a section that begins below 4 GiB and ends above are in order (${target.name})`, () => {
    const source = ['_a,0xc0000000', '_b,0x30000000', '_c,0x20000000', '_d,0x10000000'].map(
      (variable, i) => `.zerofill __DATA,__bss${Math.min(i, 1)},${variable},0\n`,
    )
    const object = assemble(target.arch, `${source.join('')}.globl _b, _c, _d\n.subsections_via_symbols\n`)
    const flags = ['-dylib', '-dead_strip', '-install_name', 'x', object]
    const [b, c, d] = mustRun('llvm-nm-22', ['-gUn', linkFor(target, flags)])
      .trim()
      .split('\n')
    const address = (line: string, name: string) =>
      line.endsWith(` ${name}`) ? Number(`0x${line.slice(0, 16)}`) : Number.NaN
    assert.equal(address(c, '_c') - address(b, '_b'), 0x30000000)
    assert.equal(address(d, '_d') - address(b, '_b'), 0x50000000)
  })

  test(`a host without WebAssembly links the same (${target.name})`, () => {
    const object = compile(target.arch, readFileSync(join(root, 'test/fixtures/tables.c'), 'utf8'))
    const library = ['-dylib', '-undefined', 'dynamic_lookup', '-install_name', 'x', object]
    const compiled = linkFor(target, library)
    const output = join(tempFolder(), 'out')
    mustRun(process.execPath, ['--jitless', ld64, ...target.flags, '-o', output, ...library, libSystem])
    assert.deepEqual(readFileSync(output), readFileSync(compiled))
  })
})
