import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { BlockImage } from '../../src/blocks.ts'
import { link } from '../../src/node.ts'
import { verify } from '../../src/verify.ts'
import { compile } from '../helpers/clang.ts'
import { command } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, newImage } from './build.ts'

const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

/** Writes the library, checks it, and lists its exports. */
function exportsOf(target: Target, image: BlockImage, path: string): string {
  const { messages, contents } = image.flush()
  assert.deepEqual(messages, [])
  assert.deepEqual(
    verify(contents!, { host }).filter(({ id }) => id !== 'unsigned'),
    [],
  )
  verifyImage(target, path)
  return command('llvm-objdump-22', ['--macho', '--exports-trie', path]).stdout
}

async function linked(target: Target, path: string, source: string): Promise<string> {
  const output = join(tempFolder(), 'main')
  const fixupChains = target.fixups === 'chained'
  const inputs = [compile(target.arch, source), path, { library: 'System' }]
  await link({ inputs, arch: target.arch, platform, output, fixupChains })
  return output
}

forEachTarget((target) => {
  const { arch } = target
  test(`functions of a library are exported again, under their name or another (${target.name})`, async () => {
    const path = join(tempFolder(), 'libagain.dylib')
    const image = newImage(target, { outputType: 'dylib', installName: path, output: path, write: true })
    const own = image.declareBlock('_own')
    image.updateBlock(own, functionOf(arch, [{ add: 1 }]))
    image.exportSymbol(own)
    const [abs, atoi] = [image.addImport('_abs', LIBSYSTEM), image.addImport('_atoi', LIBSYSTEM)]
    const size = image.reexportSymbol(abs, '_size')
    const same = image.reexportSymbol(atoi)
    const listed = exportsOf(target, image, path)
    assert.match(listed, /\[re-export\] _size \(_abs from libSystem\)/)
    assert.match(listed, /\[re-export\] _atoi \(from libSystem\)/)
    const main = await linked(target, path, `int size(int); int own(int); int main() { return size(-40) + own(1); }`)
    assert.equal(runImage(target, main).status, 42)

    assert.throws(() => image.freeImport(abs), /1 references/)
    assert.throws(() => image.reexportSymbol(atoi, '_size'), /_size is exported already/)
    assert.throws(() => image.reexportSymbol(atoi, '_own'), /_own is exported already/)
    assert.throws(() => image.exportSymbol(image.declareBlock('_size')), /_size is exported already/)
    assert.throws(() => image.reexportSymbol(image.addImport('_flat', -2)), TypeError)
    for (const wrong of [
      () => image.exportSymbol(size),
      () => image.unexportSymbol(size),
      () => image.updateBlock(size, functionOf(arch, [])),
      () => image.gotAddressOf(size),
      () => image.addressOf(size),
      () => image.updateBlock(own, functionOf(arch, [{ call: size }])),
    ])
      assert.throws(wrong, TypeError)
    image.renameBlock(size, '_magnitude')
    image.freeBlock(same)
    const after = exportsOf(target, image, path)
    assert.match(after, /_magnitude \(_abs/)
    assert.doesNotMatch(after, /_atoi|_size/)
    image.freeBlock(size)
    image.freeImport(abs)
    assert.doesNotMatch(exportsOf(target, image, path), /re-export/)
    image.dispose()
  })

  test(`re-exports are packed as a fresh image has them (${target.name})`, () => {
    const build = (detour: boolean) => {
      const image = newImage(target, { outputType: 'dylib', installName: '/usr/lib/libx.dylib' })
      if (detour) image.freeBlock(image.reexportSymbol(image.addImport('_gone', LIBSYSTEM)))
      if (detour) image.freeImport(image.addImport('_gone', LIBSYSTEM))
      image.reexportSymbol(image.addImport('_abs', LIBSYSTEM), '_size')
      image.compact()
      return Buffer.from(image.flush().contents!)
    }
    assert.ok(build(true).equals(build(false)))
  })
})

for (const arch of ['x86_64', 'arm64'] as const) {
  test(`a resolver says at run time which function is called (${arch})`, async () => {
    const target = createTarget(arch, 'opcodes')
    const path = join(tempFolder(), 'libpick.dylib')
    const image = newImage(target, { outputType: 'dylib', installName: path, output: path, write: true })
    const [pick, resolver, one, two] = ['_pick', '_resolver', '_one', '_two'].map(image.declareBlock)
    image.updateBlock(pick, functionOf(arch, [{ add: -100 }]))
    image.updateBlock(one, functionOf(arch, [{ add: 1 }]))
    image.updateBlock(two, functionOf(arch, [{ add: 2 }]))
    const choose = (target_: number) => {
      if (arch === 'arm64') {
        const code = new Uint8Array(Uint32Array.of(0x90000000, 0x91000000, 0xd65f03c0).buffer) // adrp x0; add; ret
        const relocations = [
          { offset: 0, type: 'ARM64_RELOC_PAGE21', target: target_ },
          { offset: 4, type: 'ARM64_RELOC_PAGEOFF12', target: target_ },
        ]
        return { code, relocations }
      }
      const code = Uint8Array.of(0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3) // leaq target(%rip), %rax; ret
      return { code, relocations: [{ offset: 3, type: 'X86_64_RELOC_SIGNED', target: target_ }] }
    }
    image.exportSymbol(pick, { resolver })
    assert.deepEqual(
      image.flush().messages.map(({ text }) => text),
      ['undefined block: _resolver'],
    )
    image.updateBlock(resolver, choose(one))
    assert.match(exportsOf(target, image, path), /_pick \[resolver=0x/)
    const main = await linked(target, path, `int pick(int); int main() { return pick(40); }`)
    assert.equal(runImage(target, main).status, 41)
    image.updateBlock(resolver, choose(two))
    image.flush()
    assert.equal(runImage(target, main).status, 42)
    // It moves.
    const bigger = choose(one)
    image.updateBlock(resolver, { ...bigger, code: Uint8Array.from([...bigger.code, ...new Uint8Array(200)]) })
    exportsOf(target, image, path)
    assert.equal(runImage(target, main).status, 41)
    image.freeBlock(resolver)
    assert.deepEqual(
      image.flush().messages.map(({ text }) => text),
      ['undefined block: _resolver'],
    )
    image.exportSymbol(pick)
    assert.doesNotMatch(exportsOf(target, image, path), /resolver/)
    assert.throws(() => image.exportSymbol(pick, { resolver: pick }), TypeError)
    assert.throws(() => image.exportSymbol(pick, { resolver }), TypeError)
    assert.throws(() => image.exportSymbol(pick, { resolver: one, hidden: true }), TypeError)
    image.dispose()
  })
}

test('resolvers are refused where fixups are chained', () => {
  const image = newImage(createTarget('arm64', 'chained'))
  const [a, b] = ['_a', '_b'].map(image.declareBlock)
  assert.throws(() => image.exportSymbol(a, { resolver: b }), /opcodes/)
})
