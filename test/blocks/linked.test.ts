// Edits of what was linked: it keeps its place, and new code, data and imports stand behind it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { BlockImage } from '../../src/blocks.ts'
import { link, openImage } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, textOf } from './build.ts'
import { flushed } from './check.ts'

const PROGRAM = `
int printf(const char *, ...);
int puts(const char *);
int counter = 5;
int zero;
int *pointer = &counter;
static int hidden(int x) { return x * 3; }
__attribute__((noinline)) int step(int x) { return hidden(x) + 1; }
__attribute__((noinline)) int other(int x) { return x + *pointer + zero; }
int (*table[])(int) = { step, other };
int main() {
  puts("linked");
  int sum = 0;
  for (int i = 0; i < 2; i++) sum += table[i](10);
  printf("%d %d\\n", sum, step(1));
  return 0;
}`

const macOS13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

async function linked(target: Target, source: string, options: Partial<LinkOptions> = {}): Promise<Uint8Array> {
  const output = join(tempFolder(), 'linked')
  const inputs = [compile(target.arch, source), { library: 'System' }]
  const common = { arch: target.arch, platform: macOS13, fixupChains: target.fixups === 'chained', headerPad: 1024 }
  await link({ inputs, output, adhocCodesign: true, ...common, ...options })
  return readFileSync(output)
}

function outputOf(target: Target, image: BlockImage): string {
  const { status, stdout, stderr } = runImage(target, flushed(target, image))
  assert.equal(status, 0, stderr)
  return stdout
}

forEachTarget((target) => {
  const { arch } = target
  test(`what was linked runs as before when it is opened and flushed (${target.name})`, async () => {
    const image = openImage(await linked(target, PROGRAM))
    assert.equal(outputOf(target, image), 'linked\n46 4\n')
    assert.deepEqual(image.flush().ranges, [])
  })

  test(`a linked function is replaced for all its callers, again and again, and put back (${target.name})`, async () => {
    const image = openImage(await linked(target, PROGRAM))
    const step = image.lookup('_step')!
    image.updateBlock(step, functionOf(arch, [{ add: 100 }]))
    assert.equal(outputOf(target, image), 'linked\n125 101\n')
    image.updateBlock(step, functionOf(arch, [...Array(80).fill({ add: 1 })]))
    assert.equal(outputOf(target, image), 'linked\n105 81\n')
    const before = image.addressOf(step)
    const helper = image.declareBlock('_helper')
    image.updateBlock(helper, functionOf(arch, [{ add: 1000 }]))
    image.updateBlock(step, functionOf(arch, [{ call: helper }, { call: image.lookup('_other')! }]))
    assert.equal(outputOf(target, image), 'linked\n1030 1006\n')
    assert.equal(image.addressOf(step), before)
    image.freeBlock(step)
    image.freeBlock(helper)
    assert.equal(outputOf(target, image), 'linked\n46 4\n')
    assert.throws(() => image.freeBlock(step), /was linked, and stays/)
  })

  test(`new code uses functions, variables and imports of what was linked, and new ones (${target.name})`, async () => {
    const image = openImage(await linked(target, PROGRAM))
    const [main, text, cell] = [image.lookup('_main')!, image.declareBlock('_text'), image.declareBlock('_cell')]
    const printf = image.addImport('_printf', LIBSYSTEM)
    const abs = image.addImport('_abs', LIBSYSTEM)
    image.updateBlock(text, textOf('edited %d\n'))
    const unsigned = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    image.updateBlock(cell, {
      section: '__DATA,__data',
      code: new Uint8Array(16),
      relocations: [
        { offset: 0, type: unsigned, target: image.lookup('_counter')! },
        { offset: 8, type: unsigned, target: abs },
      ],
    })
    const body = image.declareBlock('_body')
    image.exportSymbol(body)
    image.updateBlock(body, functionOf(arch, [{ add: -30 }, { callThroughGot: abs }, { load: cell }]))
    const exit = image.addImport('_exit', LIBSYSTEM)
    const steps = [{ call: image.declareUndefined('_step') }, { call: image.declareUndefined('_body') }]
    const ending = [{ print: text, with: printf }, { add: -34 }, { call: exit }]
    image.updateBlock(main, functionOf(arch, [...steps, ...ending], 'zero'))
    assert.equal(outputOf(target, image), 'edited 34\n')
  })

  test(`a linked variable gets other contents in place, pointers too (${target.name})`, async () => {
    const image = openImage(await linked(target, PROGRAM))
    image.updateBlock(image.lookup('_counter')!, { code: Uint8Array.of(50, 0, 0, 0) })
    assert.equal(outputOf(target, image), 'linked\n91 4\n')
    const type = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    const other = image.declareBlock('_other_counter')
    image.updateBlock(other, { section: '__DATA,__data', code: Uint8Array.of(7, 0, 0, 0) })
    const relocations = [{ offset: 0, type, target: other }]
    image.updateBlock(image.lookup('_pointer')!, { code: new Uint8Array(8), relocations })
    assert.equal(outputOf(target, image), 'linked\n48 4\n')
    const both = [0, 8].map((offset) => ({ offset, type, target: image.lookup('_other')! }))
    image.updateBlock(image.lookup('_table')!, { code: new Uint8Array(16), relocations: both })
    assert.equal(outputOf(target, image), 'linked\n34 4\n')
    assert.throws(() => image.updateBlock(image.lookup('_zero')!, { code: 4 }), /expected bytes/)
    assert.throws(() => image.updateBlock(image.lookup('_pointer')!, { code: new Uint8Array(4) }), /half a pointer/)
    assert.throws(() => image.updateBlock(image.lookup('_table')!, { code: new Uint8Array(64) }), /do not fit/)
    assert.equal(outputOf(target, image), 'linked\n34 4\n')
  })
})
