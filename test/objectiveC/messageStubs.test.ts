import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { verifyImage } from '../helpers/run.ts'
import { type Arch, createTarget, forEachTarget } from '../helpers/targets.ts'
import { RUNTIME, sectionLines, sectionSizes, symbols } from './objects.ts'

const call = (arch: Arch, selector: string): string =>
  `${arch === 'arm64' ? 'bl' : 'callq'} "_objc_msgSend$${selector}"\n`

const sender = (arch: Arch): string => `.subsections_via_symbols
.globl _main, _unused
_main:
${call(arch, 'foo')}${call(arch, 'bar:')}${call(arch, 'foo')}ret
_unused:
${call(arch, 'dead')}ret
.section __TEXT,__objc_methname,cstring_literals
l_bar: .asciz "bar:"
.section __DATA,__objc_selrefs,literal_pointers,no_dead_strip
.p2align 3
.quad l_bar
`

forEachTarget((target) => {
  test(`a message to a selector gets a stub, a string and a pointer to it (${target.name})`, () => {
    const image = linkFor(target, [assemble(target.arch, sender(target.arch)), assemble(target.arch, RUNTIME)])
    verifyImage(target, image)
    const sizes = sectionSizes(image)
    assert.equal(sizes.get('__objc_stubs'), 3 * (target.arch === 'arm64' ? 32 : 13))
    assert.equal(sizes.get('__objc_methname'), 'foo.bar:.dead.'.length)
    assert.equal(sizes.get('__objc_selrefs'), 4 * 8)
    assert.ok(symbols(image).includes('s _objc_msgSend$bar:'))
  })

  test(`stubs that only dead code calls are stripped (${target.name})`, () => {
    const objects = [assemble(target.arch, sender(target.arch)), assemble(target.arch, RUNTIME)]
    const image = linkFor(target, ['-dead_strip', ...objects])
    verifyImage(target, image)
    assert.equal(sectionSizes(image).get('__objc_stubs'), 2 * (target.arch === 'arm64' ? 32 : 13))
    assert.ok(!symbols(image).includes('s _objc_msgSend$dead'))
  })

  test(`objc_msgSend of a library is bound for the stubs (${target.name})`, () => {
    const image = linkFor(target, [assemble(target.arch, sender(target.arch)), '-lobjc'])
    verifyImage(target, image)
    assert.ok(symbols(image).includes('U _objc_msgSend'))
  })
})

test('a fast stub loads the selector and jumps through the GOT', () => {
  const target = createTarget('arm64', 'opcodes')
  const image = linkFor(target, [assemble('arm64', sender('arm64')), assemble('arm64', RUNTIME)])
  const words = sectionLines(image, '__TEXT', '__objc_stubs', '-v').map((line) => line.split(/\s+/)[1])
  assert.deepEqual(words.slice(1, 9), ['adrp', 'ldr', 'adrp', 'ldr', 'br', 'brk', 'brk', 'brk'])
})

test('a small stub loads the selector and branches', () => {
  const target = createTarget('arm64', 'chained')
  const image = linkFor(target, ['-objc_stubs_small', assemble('arm64', sender('arm64')), '-lobjc'])
  verifyImage(target, image)
  const words = sectionLines(image, '__TEXT', '__objc_stubs', '-v').map((line) => line.split(/\s+/)[1])
  assert.deepEqual(words.slice(1, 4), ['adrp', 'ldr', 'b'])
})

test('a message without objc_msgSend is an undefined symbol', () => {
  const target = createTarget('x86_64', 'chained')
  const output = join(tempFolder(), 'out')
  const { status, stderr } = colonnade([...target.flags, '-o', output, assemble('x86_64', sender('x86_64')), libSystem])
  assert.equal(status, 1)
  assert.match(stderr, /error: undefined symbol: _objc_msgSend\n>>> referenced by lazy binding/)
})
