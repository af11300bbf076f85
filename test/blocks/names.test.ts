import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { BlockImage } from '../../src/blocks.ts'
import { link } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { command } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, newImage, type Step } from './build.ts'
import { flushed, statusOf } from './check.ts'

function symbolsOf(path: string): string[] {
  return command('llvm-nm-22', ['-m', path])
    .stdout.split('\n')
    .map((line) => line.replace(/^[0-9a-f ]{17}/, ''))
}

const messagesOf = (image: BlockImage) => image.flush().messages.map(({ id, text, notes }) => [id, text, notes])
const add = (value: number): Step => ({ add: value })

forEachTarget((target) => {
  const { arch } = target
  for (const calls of ['got', 'direct'] as const) {
    test(`a name is referred to before anything defines it (${target.name}, calls: ${calls})`, () => {
      const image = newImage(target, { calls })
      const [main, cell] = ['_main', '_cell'].map(image.declareBlock)
      const later = image.declareUndefined('_later')
      const data = image.declareUndefined('_data')
      assert.equal(image.declareUndefined('_later', { weak: true }), later)
      const pointer = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
      image.updateBlock(cell, {
        section: '__DATA,__data',
        code: new Uint8Array(8),
        relocations: [{ offset: 0, type: pointer, target: data }],
      })
      const steps = [{ call: later }, { callThroughGot: later }, { load: cell }]
      image.updateBlock(main, functionOf(arch, steps, 'zero'))
      assert.deepEqual(
        messagesOf(image).map(([id, text]) => [id, text]),
        [
          ['undefined-symbol', 'undefined symbol: _later'],
          ['undefined-symbol', 'undefined symbol: _data'],
        ],
      )
      assert.deepEqual(messagesOf(image)[1][2], ['referenced by _cell+0'])

      const local = image.declareBlock('_later')
      image.updateBlock(local, functionOf(arch, [add(90)]))
      const number = image.declareBlock('_data')
      image.updateBlock(number, { section: '__DATA,__data', code: Uint8Array.of(3, 0, 0, 0) })
      image.exportSymbol(number, { hidden: true })
      assert.deepEqual(
        messagesOf(image).map(([id]) => id),
        ['undefined-symbol'],
      )
      const one = image.declareBlock('_later')
      image.exportSymbol(one)
      image.updateBlock(one, functionOf(arch, [add(7)]))
      assert.equal(statusOf(target, image), 17)
      assert.equal(image.addressOf(later), image.addressOf(one))

      // It moves, goes, and comes again as another one.
      image.updateBlock(one, functionOf(arch, [...Array(60).fill(add(1)), add(-52)]))
      assert.equal(statusOf(target, image), 19)
      image.freeBlock(one)
      assert.deepEqual(
        messagesOf(image).map(([, text]) => text),
        ['undefined symbol: _later'],
      )
      assert.throws(() => image.addressOf(later), TypeError)
      image.exportSymbol(local)
      image.updateBlock(local, functionOf(arch, [add(2)]))
      assert.equal(statusOf(target, image), 7)
      image.renameBlock(local, '_other')
      assert.equal(messagesOf(image).length, 1)
      image.renameBlock(later, '_other')
      assert.equal(statusOf(target, image), 7)
    })
  }

  test(`a name is that of an import, and of a block as soon as there is one (${target.name})`, () => {
    const image = newImage(target)
    const [main, cell] = ['_main', '_cell'].map(image.declareBlock)
    const abs = image.declareUndefined('_abs')
    const pointer = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    const relocations = [{ offset: 8, type: pointer, target: abs, addend: 4 }]
    image.updateBlock(cell, { section: '__DATA,__data', code: new Uint8Array(16), relocations })
    image.updateBlock(main, functionOf(arch, [add(-5), { call: abs }, { callThroughGot: abs }], 'zero'))
    const made = image.addImport('_abs', LIBSYSTEM)
    assert.equal(statusOf(target, image), 5)
    assert.match(symbolsOf(flushed(target, image)).join('\n'), /\(undefined\) external _abs \(from libSystem\)/)
    const own = image.declareBlock('_abs')
    image.exportSymbol(own)
    image.updateBlock(own, functionOf(arch, [add(9)]))
    assert.equal(statusOf(target, image), 13)
    image.freeImport(made)
    assert.equal(statusOf(target, image), 13)
    image.addImport('_abs', LIBSYSTEM)
    image.unexportSymbol(own)
    assert.equal(statusOf(target, image), 5)
  })

  test(`names that nothing defines are looked up at run time (${target.name})`, () => {
    const image = newImage(target, { undefined: 'dynamic_lookup' })
    const main = image.declareBlock('_main')
    const [abs, missing] = [image.declareUndefined('_abs'), image.declareUndefined('_missing', { weak: true })]
    const steps = [add(-5), { call: abs }, { callThroughGot: abs }]
    image.updateBlock(main, functionOf(arch, steps, 'zero'))
    const cell = image.declareBlock('_cell')
    const pointer = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    image.updateBlock(cell, {
      section: '__DATA,__data',
      code: new Uint8Array(8),
      relocations: [{ offset: 0, type: pointer, target: missing }],
    })
    assert.equal(statusOf(target, image), 5)
    const symbols = symbolsOf(flushed(target, image)).join('\n')
    assert.match(symbols, /\(undefined\) external _abs \(dynamically looked up\)/)
    assert.match(symbols, /\(undefined\) weak external _missing \(dynamically looked up\)/)
    const own = image.declareBlock('_abs')
    image.updateBlock(own, functionOf(arch, [add(9)]))
    image.exportSymbol(own)
    assert.equal(statusOf(target, image), 13)
    assert.doesNotMatch(symbolsOf(flushed(target, image)).join('\n'), /external _abs \(dyn/)
  })

  test(`of tentative definitions the largest counts, and a real one takes over (${target.name})`, () => {
    const image = newImage(target)
    const [main, small, large, pointer] = ['_main', '_common', '_common', '_pointer'].map(image.declareBlock)
    const type = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    const named = image.declareUndefined('_common')
    image.updateBlock(small, { section: '__DATA,__common', code: 4 })
    image.updateBlock(large, { section: '__DATA,__common', code: 64, align: 32 })
    for (const block of [small, large]) image.exportSymbol(block)
    image.updateBlock(pointer, {
      section: '__DATA,__data',
      code: new Uint8Array(16),
      relocations: [
        { offset: 0, type, target: small },
        { offset: 8, type, target: named },
      ],
    })
    image.updateBlock(main, functionOf(arch, [add(1), { load: pointer }], 'zero'))
    assert.equal(statusOf(target, image), 1)
    assert.equal(image.addressOf(small), image.addressOf(large))
    assert.equal(image.addressOf(named) % 32, 0)
    const listed = () => symbolsOf(flushed(target, image)).filter((line) => line.endsWith(' _common'))
    assert.deepEqual(listed(), ['(__DATA,__common) external _common'])
    const real = image.declareBlock('_common')
    image.updateBlock(real, { section: '__DATA,__data', code: Uint8Array.of(41, 0, 0, 0) })
    image.exportSymbol(real)
    assert.equal(statusOf(target, image), 42)
    assert.deepEqual(listed(), ['(__DATA,__data) external _common'])
    assert.throws(
      () => image.updateBlock(large, { section: '__DATA,__data', code: new Uint8Array(4) }),
      /_common is exported already/,
    )
    image.freeBlock(real)
    image.freeBlock(large)
    assert.equal(statusOf(target, image), 1)
    assert.deepEqual(listed(), ['(__DATA,__common) external _common'])
  })

  test(`weak definitions of an image are one, and a strong one takes over (${target.name})`, () => {
    for (const calls of ['got', 'direct'] as const) {
      const image = newImage(target, { calls })
      const [main, first, second] = ['_main', '_inline', '_inline'].map(image.declareBlock)
      image.updateBlock(main, functionOf(arch, [{ call: first }, { call: second }, { callThroughGot: second }], 'zero'))
      image.updateBlock(first, functionOf(arch, [add(1)]))
      image.updateBlock(second, functionOf(arch, [add(10)]))
      image.exportSymbol(first, { weak: true })
      image.exportSymbol(second, { weak: true })
      assert.equal(statusOf(target, image), 3)
      const path = flushed(target, image)
      assert.deepEqual(
        symbolsOf(path).filter((line) => line.endsWith(' _inline')),
        ['(__TEXT,__text) weak external _inline'],
      )
      const header = command('llvm-objdump-22', ['--macho', '--private-header', path]).stdout
      assert.match(header, /WEAK_DEFINES/)
      assert.match(header, /BINDS_TO_WEAK/)
      assert.match(command('llvm-objdump-22', ['--macho', '--exports-trie', path]).stdout, /_inline \[weak_def\]/)
      image.freeBlock(main)
      const again = image.declareBlock('_main')
      image.freeBlock(first)
      image.updateBlock(again, functionOf(arch, [{ call: second }, { callThroughGot: second }], 'zero'))
      assert.equal(statusOf(target, image), 20)
      const strong = image.declareBlock('_inline')
      image.exportSymbol(strong)
      image.updateBlock(strong, functionOf(arch, [add(50)]))
      assert.equal(statusOf(target, image), 100)
      const after = command('llvm-objdump-22', ['--macho', '--private-header', flushed(target, image)]).stdout
      assert.doesNotMatch(after, /WEAK/)
      image.unexportSymbol(second)
      assert.equal(statusOf(target, image), 20)
    }
  })

  test(`dyld takes one weak definition for several images (${target.name})`, async () => {
    const folder = tempFolder()
    const path = join(folder, 'libweak.dylib')
    const image = newImage(target, { outputType: 'dylib', installName: path })
    const [shared, user, cell, hidden] = ['_shared', '_viaLibrary', '_cell', '_hidden'].map(image.declareBlock)
    const type = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    image.updateBlock(shared, { section: '__DATA,__data', code: Uint8Array.of(1, 0, 0, 0) })
    image.updateBlock(hidden, { section: '__DATA,__data', code: Uint8Array.of(2, 0, 0, 0) })
    const relocations = [{ offset: 0, type, target: shared }]
    image.updateBlock(cell, { section: '__DATA,__data', code: new Uint8Array(8), relocations })
    image.updateBlock(user, functionOf(arch, [{ load: cell }]))
    image.exportSymbol(shared, { weak: true })
    image.exportSymbol(hidden, { weak: true, hidden: true })
    image.exportSymbol(user)
    const libraryPath = flushed(target, image, 'libweak.dylib')
    assert.match(symbolsOf(libraryPath).join('\n'), /\(__DATA,__data\) non-external \(was a private external\) _hidden/)
    command('cp', [libraryPath, path])
    const main = compile(
      arch,
      `__attribute__((weak)) int shared = 40; int viaLibrary(int);
       int main() { return viaLibrary(0) + (&shared != 0); }`,
    )
    const output = join(folder, 'main')
    const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
    const fixupChains = target.fixups === 'chained'
    await link({ inputs: [main, path, { library: 'System' }], arch, platform, output, fixupChains })
    assert.equal(runImage(target, output).status, 41)
  })

  test(`an import of a weak definition is bound to that of any image (${target.name})`, () => {
    const image = newImage(target)
    const main = image.declareBlock('_main')
    const abs = image.addImport('_abs', LIBSYSTEM, { weakDefinition: true })
    assert.throws(() => image.addImport('_abs', LIBSYSTEM), /its definition weak/)
    image.updateBlock(main, functionOf(arch, [add(-5), { call: abs }, { callThroughGot: abs }], 'zero'))
    const own = image.declareBlock('_abs')
    image.updateBlock(own, functionOf(arch, [add(9)]))
    image.exportSymbol(own)
    const path = flushed(target, image)
    assert.match(command('llvm-objdump-22', ['--macho', '--private-header', path]).stdout, /WEAK_DEFINES BINDS_TO_WEAK/)
    if (target.fixups === 'chained')
      assert.match(command('llvm-objdump-22', ['--macho', '--chained-fixups', path]).stdout, /weak|-3/)
    else assert.match(command('llvm-objdump-22', ['--macho', '--weak-bind', path]).stdout, /strong +_abs/)
  })
})

test('wrong use of names is refused', () => {
  const target = createTarget('arm64', 'chained')
  const image = newImage(target)
  const name = image.declareUndefined('_a')
  const other = image.declareUndefined('_b')
  assert.throws(() => image.declareUndefined(''), TypeError)
  assert.throws(() => image.updateBlock(name, functionOf('arm64', [])), /has no contents/)
  assert.throws(() => image.exportSymbol(name), TypeError)
  assert.throws(() => image.addressOf(name), TypeError)
  assert.throws(() => image.renameBlock(other, '_a'), /_a is a name already/)
  image.freeBlock(name)
  assert.throws(() => image.freeBlock(name), TypeError)
  image.renameBlock(other, '_a')
  const main = image.declareBlock('_main')
  const page = { offset: 0, type: 'ARM64_RELOC_PAGE21', target: other }
  image.updateBlock(main, { code: new Uint8Array(4), relocations: [page] })
  image.addImport('_a', LIBSYSTEM)
  assert.deepEqual(
    image.flush().messages.map(({ text }) => text),
    ['ARM64_RELOC_PAGE21 at _main+0 cannot reach _a, whose address is known at run time only'],
  )
})
