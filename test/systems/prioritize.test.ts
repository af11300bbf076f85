import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { orderByCalls } from '../../systems/prioritize/callGraph.ts'
import { orderOf, parseOrderFile } from '../../systems/prioritize/orderFile.ts'
import { archive, assemble, compile } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'

const FUNCTIONS = ['a', 'b', 'c', 'd']
const SOURCE = `${FUNCTIONS.map((name) => `int ${name}(int x) { return x * ${name.charCodeAt(0)}; }\n`).join('')}
int main(void) { return (a(1) + b(1) + c(1) + d(1)) % 256 == ${(97 + 98 + 99 + 100) % 256} ? 0 : 1; }`

function orderFile(text: string): string {
  const path = join(tempFolder(), 'order')
  writeFileSync(path, text)
  return path
}

/** Functions by address. */
function order(image: string): string[] {
  const lines = mustRun('llvm-nm-22', ['--numeric-sort', image]).split('\n')
  return lines.filter((line) => / [tT] _[a-d]$/.test(line)).map((line) => line.slice(-1))
}

forEachTarget((target) => {
  test(`-order_file puts its symbols first, the others after them as they were (${target.name})`, () => {
    const path = orderFile('# comment\n_d # last one first\n  _b\n_gone\n')
    const image = linkFor(target, ['-order_file', path, compile(target.arch, SOURCE)])
    assert.deepEqual(order(image), ['d', 'b', 'a', 'c'])
    verifyImage(target, image)
    assert.equal(runImage(target, image).status, 0)
  })
})

test('lines for another architecture or another file do not count', () => {
  const target = createTarget('arm64', 'chained')
  const object = compile('arm64', SOURCE)
  const link = (text: string) => order(linkFor(target, ['-order_file', orderFile(text), object]))
  assert.deepEqual(link('x86_64:_d\narm64:_c\n'), ['c', 'a', 'b', 'd'])
  assert.deepEqual(link(`other.o:_d\n${basename(object)}:_c\n`), ['c', 'a', 'b', 'd'])
})

test('a member of an archive is named with its archive', () => {
  const target = createTarget('x86_64', 'chained')
  const member = compile('x86_64', 'int a(void) { return 1; } int b(void) { return 2; }', { name: 'member' })
  const main = compile('x86_64', 'int b(void); int main(void) { return b() - 2; }', { name: 'main' })
  const library = archive('libm.a', [member])
  const link = (text: string) => order(linkFor(target, ['-order_file', orderFile(text), main, library]))
  assert.deepEqual(link('libm.a(member.o):_b\n'), ['b', 'a'])
  assert.deepEqual(link('member.o:_b\n'), ['a', 'b'])
})

test('a missing order file is an error', () => {
  const target = createTarget('x86_64', 'chained')
  const args = ['-order_file', '/nowhere/order', compile('x86_64', SOURCE), '-o', '/dev/null']
  const { status, stderr } = colonnade([...target.flags, ...args])
  assert.notEqual(status, 0)
  assert.match(stderr, /cannot open \/nowhere\/order/)
})

test('the first line of a name decides, for all files and for one', () => {
  const list = parseOrderFile('_b\n_a\nx.o:_b\n_b\nx.o:_c\n', 'arm64')
  const of = (name: string, file: number) => orderOf(list, Buffer.from(name), 0, name.length, file)
  assert.ok(of('_b', 0) > of('_a', 0))
  assert.equal(of('_b', 1), of('_b', 0))
  assert.equal(of('_c', 0), 0)
  assert.ok(of('_c', 1) > 0)
  assert.ok(of('_c', 1) < of('_a', 1))
  assert.equal(of('_missing', 1), 0)
})

test('callers and callees of the heaviest edges are laid together', () => {
  const graph = { from: [1, 1, 3], to: [2, 3, 4], weight: [10, 100, 60] }
  assert.deepEqual([...orderByCalls(graph, Uint32Array.of(0, 8, 8, 8, 8), 4096)], [1, 3, 4, 2])
})

test('clusters stay below a page', () => {
  const graph = { from: [1, 2], to: [2, 3], weight: [100, 100] }
  assert.deepEqual([...orderByCalls(graph, Uint32Array.of(0, 3000, 3000, 8), 4096)], [2, 3, 1])
})

test('a call profile orders functions unless an order file names them', () => {
  const target = createTarget('x86_64', 'chained')
  const text = (name: string) => `.globl _${name}\n_${name}: ret\n`
  const source = `${['d', 'c', 'b', 'a', 'main'].map(text).join('')}.subsections_via_symbols
.cg_profile _a, _b, 10\n.cg_profile _b, _c, 100\n`
  const object = assemble('x86_64', source)
  const symbols = join(tempFolder(), 'symbols')
  assert.deepEqual(order(linkFor(target, [object, `--print-symbol-order=${symbols}`])), ['a', 'b', 'c', 'd'])
  assert.equal(readFileSync(symbols, 'utf8'), '_a\n_b\n_c\n')
  assert.deepEqual(order(linkFor(target, [object, '--no-call-graph-profile-sort'])), ['d', 'c', 'b', 'a'])
  assert.deepEqual(order(linkFor(target, [object, '-order_file', orderFile('_c\n')])), ['c', 'a', 'b', 'd'])
})
