import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { type Arch, createTarget, forEachTarget, type Target } from '../helpers/targets.ts'

const answer = (arch: Arch, name: string, value: number) =>
  `.globl ${name}\n.p2align 2\n${name}:\n  ${arch === 'arm64' ? `mov w0, #${value}` : `movl $${value}, %eax`}\n  ret\n`

const call = (arch: Arch, name: string) =>
  arch === 'arm64'
    ? `.globl _main\n.p2align 2\n_main:\n  stp x29, x30, [sp, #-16]!\n  bl ${name}\n  ldp x29, x30, [sp], #16\n  ret\n`
    : `.globl _main\n_main:\n  pushq %rax\n  callq ${name}\n  popq %rcx\n  ret\n`

const END = '.subsections_via_symbols\n'

function nm(image: string): Map<string, string> {
  const lines = mustRun('llvm-nm-22', [image]).trim().split('\n')
  return new Map(lines.map((line) => [line.slice(19), line.slice(0, 18)]))
}

function objects(target: Target, called: string): string[] {
  const { arch } = target
  const aliases = '.globl _also\n.private_extern _hidden\n_also = _real\n_hidden = _real\n_own = _real\n'
  return [
    assemble(arch, call(arch, called) + END, { name: 'main' }),
    assemble(arch, aliases + END, { name: 'aliases' }),
    assemble(arch, answer(arch, '_real', 42) + END, { name: 'real' }),
  ]
}

forEachTarget((target) => {
  test(`a symbol may be another name of one in a different object (${target.name})`, () => {
    const image = linkFor(target, objects(target, '_also'))
    const symbols = nm(image)
    const address = symbols.get('_real')!.slice(0, 16)
    assert.equal(symbols.get('_also'), `${address} T`)
    assert.equal(symbols.get('_hidden'), `${address} t`)
    assert.equal(symbols.has('_own'), false)
    verifyImage(target, image)
    assert.equal(runImage(target, image).status, 42)
  })

  test(`-alias gives a definition one more name, which -dead_strip keeps (${target.name})`, () => {
    const real = assemble(target.arch, answer(target.arch, '_real', 43) + END, { name: 'real' })
    const image = linkFor(target, ['-dead_strip', '-alias', '_real', '_main', '-alias', '_real', '_other', real])
    const symbols = nm(image)
    assert.equal(symbols.get('_main'), symbols.get('_real'))
    assert.equal(symbols.get('_other'), symbols.get('_real'))
    assert.equal(runImage(target, image).status, 43)
  })
})

test('an alias that nothing refers to goes with its dead definition', () => {
  const target = createTarget('x86_64', 'chained')
  const main = assemble('x86_64', answer('x86_64', '_main', 0) + END, { name: 'alone' })
  const image = linkFor(target, ['-dead_strip', main, ...objects(target, '_also').slice(1)])
  assert.deepEqual([...nm(image).keys()].sort(), ['__mh_execute_header', '_main', 'dyld_stub_binder'])
})

test('an alias of nothing is a warning', () => {
  const target = createTarget('x86_64', 'chained')
  const main = assemble('x86_64', answer('x86_64', '_main', 0) + END, { name: 'alone' })
  const { status, stderr } = colonnade([...target.flags, '-alias', '_missing', '_bar', main, '-o', '/dev/null'])
  assert.equal(status, 0)
  assert.match(stderr, /warning: undefined base symbol '_missing' for alias '_bar'/)
})
