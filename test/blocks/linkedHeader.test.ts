// What a file that is opened again and again, or is aligned beyond a page, must keep: alignment, UUID and signature.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FormatError, readU32, writeU32 } from '../../src/core/bytes.ts'
import { LC_FUNCTION_STARTS, LC_UUID } from '../../src/formats/macho/constants.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { UNWIND_SECOND_LEVEL_REGULAR } from '../../src/formats/unwind/constants.ts'
import { link, openImage } from '../../src/node.ts'
import { verify } from '../../src/verify.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, host } from './build.ts'
import { flushed } from './check.ts'

const macOS13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
const PROGRAM = `_Alignas(32768) int wide = 4; __attribute__((noinline)) int step(int x) { return x + wide; }
  __attribute__((optnone)) int main() { return ((unsigned long)&wide & 0x7fff) != 0 ? 1 : step(2); }`

async function linked(target: Target, headerPad = 0, object = compile(target.arch, PROGRAM)): Promise<Uint8Array> {
  const output = join(tempFolder(), 'linked')
  const inputs = [object, libSystem]
  const fixupChains = target.fixups === 'chained'
  await link({ inputs, output, adhocCodesign: true, arch: target.arch, platform: macOS13, fixupChains, headerPad })
  return readFileSync(output)
}

forEachTarget((target) => {
  test(`sections that are aligned beyond a page stay so when the file gets room for commands (${target.name})`, async () => {
    const image = openImage(await linked(target))
    image.updateBlock(image.lookup('_step')!, functionOf(target.arch, [{ add: 70 }]))
    assert.equal(runImage(target, flushed(target, image)).status, 72)
  })
})

test('a file is edited and opened again until its UUID is behind the first page, and its signature holds', async () => {
  const target = createTarget('x86_64', 'chained')
  let file = await linked(target)
  const uuids = new Set<string>()
  for (let i = 0; i < 6; i++) {
    const image = openImage(file)
    for (const add of [i, i + 20]) {
      image.updateBlock(image.lookup('_step')!, functionOf(target.arch, [{ add }]))
      file = Uint8Array.from(image.flush().contents!)
      assert.deepEqual(verify(file, { host }), [])
      uuids.add(readImage(file).uuid!.join())
    }
    assert.equal(runImage(target, flushed(target, image)).status, i + 22)
  }
  const { commands } = readImage(file)
  assert.ok(commands.some(({ cmd, at }) => cmd === LC_UUID && at > 4096))
  assert.equal(uuids.size, 12)
})

test('function starts that are cut off are told when the file is opened, not by an edit', async () => {
  const bytes = Uint8Array.from(await linked(createTarget('x86_64', 'chained'), 4096))
  const { commands } = readImage(bytes)
  const { at } = commands.find(({ cmd }) => cmd === LC_FUNCTION_STARTS)!
  const [offset, size] = [readU32(bytes, at + 8), readU32(bytes, at + 12)]
  bytes.fill(0xff, offset, offset + size)
  assert.throws(() => openImage(bytes), FormatError)
})

test('headerPad gives a linked file room for as many libraries', async () => {
  const bytes = await linked(createTarget('x86_64', 'opcodes'), 0, compile('x86_64', 'int main() { return 0; }'))
  const addAll = (headerPad?: number) => {
    const image = openImage(bytes, headerPad === undefined ? {} : { headerPad })
    for (let i = 0; i < 100; i++) image.addImport('_some', `/usr/lib/libWithAName${i}.dylib`)
    assert.deepEqual(verify(image.flush().contents!, { host }), [])
  }
  assert.throws(() => addAll(), /no room for the load command/)
  addAll(100 * 64)
})

test('a label at the end of a section does not stand for what follows it', async () => {
  const object = assemble(
    'x86_64',
    '.globl _main, _end, _last, _more\n_main: retq\n_end:\n.data\n.quad 1\n_last:\n.section __DATA,__more\n_more: .quad _main\n',
  )
  const image = openImage(await linked(createTarget('x86_64', 'opcodes'), 0, object))
  assert.equal(image.addressOf(image.lookup('_last')!), image.addressOf(image.lookup('_more')!))
  const code = new Uint8Array(8)
  assert.throws(() => image.updateBlock(image.lookup('_last')!, { code }), /_last of the linked file has no bytes/)
  assert.throws(() => image.updateBlock(image.lookup('_end')!, functionOf('x86_64', [])), /has no bytes/)
  image.updateBlock(image.lookup('_more')!, { code })
})

test('unwind information whose lists overlap leads nowhere else once the file has room for commands', async () => {
  const object = assemble('x86_64', '.globl _main\n_main: retq\n.section __TEXT,__unwind_inf\n.space 12288\n')
  const bytes = Uint8Array.from(await linked(createTarget('x86_64', 'chained'), 0, object))
  const sectionOf = (file: Uint8Array, text: string) => readImage(file).sections.find(({ name }) => name === text)!
  const { offset, size } = sectionOf(bytes, '__unwind_inf')
  const page = 64
  const words = [1, 28, 0, 28, 6, 28, 2, 0, page, 52, 0, 0, 52]
  for (const [i, word] of words.entries()) writeU32(bytes, offset + i * 4, word)
  // The personalities are the index: with room added to what it says, a page without entries is one of 1,000.
  for (const [i, count] of [0, 1000, 1000].entries()) {
    writeU32(bytes, offset + page + i * 4096, UNWIND_SECOND_LEVEL_REGULAR)
    writeU32(bytes, offset + page + i * 4096 + 4, 8 | (count << 16))
  }
  const nameAt = Buffer.from(bytes).indexOf('__unwind_inf\0')
  bytes.set(Buffer.from('__unwind_info'), nameAt)
  const written = openImage(bytes).flush().contents!
  const after = sectionOf(written, '__unwind_info').offset
  assert.ok(after > offset)
  assert.deepEqual(written.subarray(after + 56, after + size), bytes.subarray(offset + 56, offset + size))
})
