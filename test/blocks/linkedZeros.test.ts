// Contents for variables of a linked file that are zero by their section: it gets bytes for them, once.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { link, openImage } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { forEachTarget, type Target, targetOptions } from '../helpers/targets.ts'
import { functionOf } from './build.ts'
import { outputOf } from './check.ts'

const PROGRAM = `
int printf(const char *, ...);
int two = 2;
int zero;
int *pointer;
static int many[3000];
_Thread_local int first = 10;
_Thread_local int local;
__attribute__((optnone, noinline)) int step(int x) { return x; }
int main() {
  many[2999] = zero;
  printf("%d %d %d %d %d\\n", zero, pointer ? *pointer : 0, many[2999], first + local, step(1));
  return 0;
}`

async function linked(target: Target, linker: 'ours' | 'lld'): Promise<Uint8Array> {
  const output = join(tempFolder(), 'linked')
  const inputs = [compile(target.arch, PROGRAM), libSystem]
  if (linker === 'ours') await link({ inputs, output, ...targetOptions(target), headerPad: 4096 })
  else assert.equal(lld([...target.flags, ...inputs, '-o', output]).status, 0)
  return readFileSync(output)
}

const four = (value: number) => Uint8Array.of(value, 0, 0, 0)

forEachTarget((target) => {
  for (const linker of ['ours', 'lld'] as const)
    test(`what is zero by its section gets other contents (${target.name}, ${linker})`, async () => {
      const file = await linked(target, linker)
      const image = openImage(file)
      const [zero, pointer, two, local, step] = ['_zero', '_pointer', '_two', '_local', '_step'].map(
        (name) => image.lookup(name)!,
      )
      image.updateBlock(step, functionOf(target.arch, [{ add: 4 }]))
      const before = image.addressOf(zero)
      assert.throws(() => image.updateBlock(zero, { code: new Uint8Array(100_000) }), /do not fit/)
      assert.equal(outputOf(target, image), '0 0 0 10 5\n')
      const plain = image.flush().contents!.length
      image.updateBlock(zero, { code: four(7) })
      const type = target.arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
      image.updateBlock(pointer, { code: new Uint8Array(8), relocations: [{ offset: 0, type, target: two }] })
      image.updateBlock(local, { threadLocal: true, code: four(30) })
      assert.equal(outputOf(target, image), '7 2 7 40 5\n')
      assert.equal(image.addressOf(zero), before)
      const again = openImage(Uint8Array.from(image.flush({ record: true }).contents!))
      assert.equal(outputOf(target, again), '7 2 7 40 5\n')
      image.updateBlock(step, {
        ...functionOf(target.arch, [{ add: 5 }]),
        unwind: { encoding: 0x04000000 >> (target.arch === 'arm64' ? 0 : 2) },
      })
      assert.equal(outputOf(target, image), '7 2 7 40 6\n')
      image.updateBlock(step, functionOf(target.arch, [{ add: 4 }]))
      image.compact()
      again.compact()
      assert.ok(Buffer.from(image.flush().contents!).equals(again.flush().contents!))
      for (const block of [zero, pointer, local]) image.freeBlock(block)
      assert.equal(outputOf(target, image), '0 0 0 10 5\n')
      image.compact()
      assert.ok(image.flush().contents!.length <= plain)
      const fresh = openImage(file)
      fresh.updateBlock(fresh.lookup('_step')!, functionOf(target.arch, [{ add: 4 }]))
      fresh.compact()
      assert.ok(Buffer.from(fresh.flush().contents!).equals(image.flush().contents!))
    })
})
