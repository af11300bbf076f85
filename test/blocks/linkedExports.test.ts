// Re-exports and resolvers of what was linked, and such that edits of it bring.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { BlockHandle, BlockImage, BlockUpdate } from '../../src/blocks.ts'
import { link, openImage } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { command } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { type Arch, archs, createTarget, forEachTarget, type Target, targetOptions } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, newImage } from './build.ts'
import { flushed } from './check.ts'

/** A library of an image that was edited block by block, and flushed without record; or of a link. */
async function library(target: Target, from: 'blocks' | 'link', path: string): Promise<Uint8Array> {
  if (from === 'link') {
    const source = 'int abs(int); int own(int x) { return x + 1; } int uses(int x) { return abs(x); }'
    const inputs = [compile(target.arch, source), libSystem]
    const versions = { currentVersion: 0x10000, compatibilityVersion: 0x10000 }
    await link({ inputs, output: path, outputType: 'dylib', installName: path, ...versions, ...targetOptions(target) })
    return readFileSync(path)
  }
  const image = newImage(target, { outputType: 'dylib', installName: path })
  const own = image.declareBlock('_own')
  image.updateBlock(own, functionOf(target.arch, [{ add: 1 }]))
  image.exportSymbol(own)
  image.reexportSymbol(image.addImport('_abs', LIBSYSTEM), '_kept')
  return Uint8Array.from(image.flush().contents!)
}

function exportsOf(target: Target, image: BlockImage, path: string): string {
  writeFileSync(path, readFileSync(flushed(target, image)))
  return command('llvm-objdump-22', ['--macho', '--exports-trie', path]).stdout
}

async function statusWith(target: Target, path: string, source: string): Promise<number | null> {
  const output = join(tempFolder(), 'main')
  await link({ inputs: [compile(target.arch, source), path, libSystem], output, ...targetOptions(target) })
  return runImage(target, output).status
}

/** The same bytes again: compacted, and compacted after it was recorded and opened. */
function checkCompact(image: BlockImage): Uint8Array {
  const recorded = openImage(Uint8Array.from(image.flush({ record: true }).contents!))
  recorded.compact()
  image.compact()
  const packed = Uint8Array.from(image.flush().contents!)
  assert.ok(Buffer.from(packed).equals(recorded.flush().contents!))
  return packed
}

forEachTarget((target) => {
  for (const from of ['blocks', 'link'] as const)
    test(`edits of a linked library export imports again (${target.name}, ${from})`, async () => {
      const path = join(tempFolder(), 'libagain.dylib')
      const image = openImage(await library(target, from, path))
      const size = image.reexportSymbol(image.addImport('_abs', LIBSYSTEM), '_size')
      const same = image.reexportSymbol(image.addImport('_atoi', LIBSYSTEM))
      const listed = exportsOf(target, image, path)
      assert.match(listed, /\[re-export\] _size \(_abs from libSystem\)/)
      assert.match(listed, /\[re-export\] _atoi \(from libSystem\)/)
      if (from === 'blocks') assert.match(listed, /\[re-export\] _kept \(_abs from libSystem\)/)
      const kept = from === 'blocks' ? 'kept' : 'size'
      const source = `int size(int); int own(int); int atoi(const char *); int ${kept}(int);
        int main() { return size(-30) + own(1) + atoi("8") + ${kept}(-2); }`
      assert.equal(await statusWith(target, path, source), 42)
      writeFileSync(path, checkCompact(image))
      assert.equal(await statusWith(target, path, source), 42)
      assert.throws(() => image.reexportSymbol(image.addImport('_atoi', LIBSYSTEM), '_own'), /_own is exported already/)
      image.renameBlock(size, '_magnitude')
      image.freeBlock(same)
      const after = exportsOf(target, image, path)
      assert.match(after, /_magnitude \(_abs/)
      assert.doesNotMatch(after, /_atoi|_size/)
      // Another definition takes the place of a re-export that was linked.
      if (from === 'link') return
      const other = image.declareBlock('_kept')
      image.updateBlock(other, functionOf(target.arch, [{ add: 5 }]))
      image.exportSymbol(other)
      assert.doesNotMatch(exportsOf(target, image, path), /re-export\] _kept/)
      assert.equal(await statusWith(target, path, 'int kept(int); int main() { return kept(37); }'), 42)
    })
})

/** Gives the address of a block. */
function choose(arch: Arch, target: BlockHandle): BlockUpdate {
  if (arch === 'arm64') {
    const code = new Uint8Array(Uint32Array.of(0x90000000, 0x91000000, 0xd65f03c0).buffer) // adrp x0; add; ret
    const relocations = [
      { offset: 0, type: 'ARM64_RELOC_PAGE21', target },
      { offset: 4, type: 'ARM64_RELOC_PAGEOFF12', target },
    ]
    return { code, relocations }
  }
  const code = Uint8Array.of(0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3) // leaq target(%rip), %rax; ret
  return { code, relocations: [{ offset: 3, type: 'X86_64_RELOC_SIGNED', target }] }
}

for (const arch of archs) {
  const target = createTarget(arch, 'opcodes')

  test(`edits of a linked library have its functions resolved at run time (${arch})`, async () => {
    const path = join(tempFolder(), 'libpick.dylib')
    const image = openImage(await library(target, 'link', path))
    const own = image.lookup('_own')!
    const [resolver, two, pick] = ['_resolver', '_two', '_pick'].map(image.declareBlock)
    image.updateBlock(two, functionOf(arch, [{ add: 2 }]))
    image.updateBlock(pick, functionOf(arch, [{ add: -100 }]))
    image.updateBlock(resolver, choose(arch, two))
    image.exportSymbol(own, { resolver })
    const { lookup } = image
    image.exportSymbol(pick, { resolver: lookup('_uses')! })
    const listed = exportsOf(target, image, path)
    assert.match(listed, /_own \[resolver=0x/)
    assert.match(listed, /_pick \[resolver=0x/)
    const main = 'int own(int); int main() { return own(40); }'
    assert.equal(await statusWith(target, path, main), 42)
    writeFileSync(path, checkCompact(image))
    assert.equal(await statusWith(target, path, main), 42)
    image.updateBlock(resolver, { ...choose(arch, two), align: 4096 })
    exportsOf(target, image, path)
    assert.equal(await statusWith(target, path, main), 42)
    // A function of the file that resolves is replaced.
    image.updateBlock(lookup('_uses')!, choose(arch, two))
    exportsOf(target, image, path)
    assert.equal(await statusWith(target, path, 'int pick(int); int main() { return pick(40); }'), 42)
    image.exportSymbol(own)
    assert.doesNotMatch(exportsOf(target, image, path), /_own \[resolver/)
    assert.equal(await statusWith(target, path, main), 41)
  })

  test(`a resolver that was linked goes on resolving, wherever the file stands (${arch})`, async () => {
    const path = join(tempFolder(), 'libpick.dylib')
    const made = newImage(target, { outputType: 'dylib', installName: path, headerPad: 0 })
    const [pick, resolver, one] = ['_pick', '_resolver', '_one'].map(made.declareBlock)
    made.updateBlock(pick, functionOf(arch, [{ add: -100 }]))
    made.updateBlock(one, functionOf(arch, [{ add: 1 }]))
    made.updateBlock(resolver, choose(arch, one))
    made.exportSymbol(pick, { resolver })
    const image = openImage(Uint8Array.from(made.flush().contents!))
    const main = 'int pick(int); int main() { return pick(41); }'
    assert.match(exportsOf(target, image, path), /_pick \[resolver=0x/)
    assert.equal(await statusWith(target, path, main), 42)
    const two = image.declareBlock('_two')
    image.updateBlock(two, functionOf(arch, [{ add: -41 }, { call: image.lookup('_one')! }]))
    image.updateBlock(image.lookup('_resolver')!, choose(arch, two))
    exportsOf(target, image, path)
    assert.equal(await statusWith(target, path, main), 1)
    // Another resolver, none, and what was linked again.
    const other = image.declareBlock('_other')
    image.updateBlock(other, choose(arch, image.lookup('_one')!))
    image.exportSymbol(image.lookup('_pick')!, { resolver: other })
    exportsOf(target, image, path)
    assert.equal(await statusWith(target, path, main), 42)
    checkCompact(image)
    image.renameBlock(image.lookup('_pick')!, '_choice')
    const renamed = exportsOf(target, image, path)
    assert.match(renamed, /_choice \[resolver=0x/)
    assert.doesNotMatch(renamed, /_pick/)
    image.renameBlock(image.lookup('_choice')!, '_pick')
    image.unexportSymbol(image.lookup('_pick')!)
    assert.doesNotMatch(exportsOf(target, image, path), /_pick/)
  })
}
