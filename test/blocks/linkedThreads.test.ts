// Thread-local variables that were linked: other contents for every thread to begin with.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { link, openImage } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { forEachTarget, type Target, targetOptions } from '../helpers/targets.ts'
import { outputOf } from './check.ts'

const PROGRAM = `
int printf(const char *, ...);
int one = 1, two = 2;
_Thread_local int first = 10;
_Thread_local int *pointer = &one;
_Thread_local char text[8] = "linked";
_Thread_local int zero;
int main() {
  printf("%d %d %s %d\\n", first, *pointer, text, zero++);
  return 0;
}`

async function linked(target: Target, options = {}): Promise<Uint8Array> {
  const output = join(tempFolder(), 'linked')
  await link({ inputs: [compile(target.arch, PROGRAM), libSystem], output, ...targetOptions(target), ...options })
  return readFileSync(output)
}

forEachTarget((target) => {
  test(`thread-local variables of a linked file begin with other contents (${target.name})`, async () => {
    const image = openImage(await linked(target))
    const [first, pointer, text, zero] = ['_first', '_pointer', '_text', '_zero'].map((name) => image.lookup(name)!)
    const address = image.addressOf(first)
    image.updateBlock(first, { threadLocal: true, code: Uint8Array.of(20, 0, 0, 0) })
    const type = target.arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    const relocations = [{ offset: 0, type, target: image.lookup('_two')! }]
    image.updateBlock(pointer, { threadLocal: true, code: new Uint8Array(8), relocations })
    image.updateBlock(text, { threadLocal: true, code: new TextEncoder().encode('edited\0') })
    assert.equal(outputOf(target, image), '20 2 edited 0\n')
    assert.equal(image.addressOf(first), address)
    const again = openImage(Uint8Array.from(image.flush({ record: true }).contents!))
    again.compact()
    image.compact()
    assert.ok(Buffer.from(image.flush().contents!).equals(again.flush().contents!))
    assert.equal(outputOf(target, image), '20 2 edited 0\n')
    image.freeBlock(pointer)
    again.freeBlock(again.lookup('_text')!)
    assert.equal(outputOf(target, image), '20 1 edited 0\n')
    assert.equal(outputOf(target, again), '20 2 linked 0\n')
    for (const block of [first, text]) image.freeBlock(block)
    assert.equal(outputOf(target, image), '10 1 linked 0\n')
    assert.throws(() => image.freeBlock(first), /was linked, and stays/)
    const code = new Uint8Array(4)
    assert.throws(() => image.updateBlock(zero, { threadLocal: true, code: 4 }), /expected bytes for what was linked/)
    assert.throws(() => image.updateBlock(first, { threadLocal: true, code: new Uint8Array(64) }), /do not fit/)
    assert.throws(() => image.updateBlock(first, { code }), /entries that belong together/)
    assert.throws(() => image.updateBlock(image.lookup('_one')!, { threadLocal: true, code }), /no thread-local/)
    const stripped = openImage(await linked(target, { stripLocals: 'all' }))
    assert.throws(
      () => stripped.updateBlock(stripped.lookup('_first')!, { threadLocal: true, code }),
      /does not name what _first begins with/,
    )
  })
})
