import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { type BlockImage, createImage, openImage } from '../../src/blocks.ts'
import { compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { type Arch, archs, createTarget, forEachTarget } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, save, textOf } from './build.ts'
import { linkAndRun } from './linkAndRun.ts'
import { edit, type Editor } from './editModel.ts'
import { addImport, buildAfresh, finish, newModel, resultOf } from './model.ts'

function newObject(arch: Arch): BlockImage {
  return createImage({ arch, outputType: 'object' })
}

forEachTarget((target) => {
  test(`a random program becomes an object that both linkers link alike (${target.name})`, async () => {
    const model = newModel(target.arch, false)
    const image = newObject(target.arch)
    const handles = { blocks: new Map(), imports: new Map() }
    for (const name of ['_printf', '_exit', '_abs']) {
      model.imports.set(`${name} of ${LIBSYSTEM}`, [name, LIBSYSTEM])
      addImport(image, handles, name, LIBSYSTEM)
    }
    const editor: Editor = { model, image, handles, random: randomFrom(5), object: true }
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 200; i++) edit(editor)
      finish(model, image, handles)
      const result = image.flush()
      assert.deepEqual(image.flush().ranges, [])
      const fresh = newObject(target.arch)
      finish(model, fresh, buildAfresh(model, fresh, editor.random))
      assert.ok(Buffer.from(result.contents!).equals(fresh.flush().contents!))
      assert.ok(Buffer.from(result.contents!).equals(openImage(result.contents!).flush().contents!))
      assert.equal(await linkAndRun(target, [save(result, 'program.o')]), `${resultOf(model, 0)}\n`)
    }
  })

  test(`objects define, share and leave names to others (${target.name})`, async () => {
    const { arch } = target
    const unsigned = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    const subtractor = unsigned.replace('UNSIGNED', 'SUBTRACTOR')
    const image = newObject(arch)
    const [twice, hidden, weak, table, common, zero] = ['_twice', '_hidden', '_weak', '_table', '_common', '_zero'].map(
      image.declareBlock,
    )
    const other = image.declareUndefined('_other')
    image.updateBlock(hidden, functionOf(arch, [{ add: 1 }]))
    image.updateBlock(weak, functionOf(arch, [{ add: 1000 }]))
    image.updateBlock(twice, functionOf(arch, [{ call: hidden }, { call: other }, { callThroughGot: weak }]))
    image.updateBlock(zero, { section: '__DATA,__bss', code: 24 })
    image.updateBlock(common, { section: '__DATA,__common', code: 64, align: 32 })
    image.updateBlock(table, {
      section: '__DATA,__data',
      code: new Uint8Array(28).fill(0xee),
      relocations: [
        { offset: 0, type: unsigned, target: zero, addend: 16 },
        { offset: 8, type: unsigned, target: other, addend: -4 },
        { offset: 16, type: subtractor, target: table },
        { offset: 16, type: unsigned, target: zero, addend: 5 },
        { offset: 24, type: subtractor, target: zero },
        { offset: 24, type: unsigned, target: table, addend: -7, size: 4 },
      ],
    })
    for (const block of [twice, table, common]) image.exportSymbol(block)
    image.exportSymbol(hidden, { hidden: true })
    image.exportSymbol(weak, { weak: true })
    const { messages, contents } = image.flush()
    assert.deepEqual(messages, [])
    const object = save({ contents, messages, ranges: [] }, 'blocks.o')
    const user = compile(
      arch,
      `int printf(const char *, ...);
       int twice(int); int other(int x) { return x * 2; } int weak(int x) { return x + 3; }
       struct { char *zero, *other; long long there; int back; } extern table; extern char common[64] __attribute__((aligned(32)));
       int main() {
         printf("%d %d %d\\n", twice(20), table.other + 4 == (char *)other, ((long long)common & 31) == 0);
         printf("%d %d\\n", table.zero - (char *)&table - 16 == table.there - 5, table.there - 5 == -table.back - 7);
         return 0; }`,
    )
    assert.equal(await linkAndRun(target, [user, object]), '45 1 1\n1 1\n')
  })
})

test('addends stand where each architecture has them', async () => {
  for (const arch of archs) {
    const image = newObject(arch)
    const [main, text] = ['_main', '_text'].map(image.declareBlock)
    const puts = image.addImport('_puts', LIBSYSTEM)
    image.updateBlock(text, textOf('unseen, seen'))
    const update = functionOf(arch, [{ print: text, with: puts }], 'zero')
    const near = update.relocations!.filter(({ target }) => target === text)
    for (const relocation of near) Object.assign(relocation, { addend: 8 })
    if (arch === 'x86_64') {
      // movb $33, text+8+3(%rip) writes to constants and is never run; its field stands a byte before its end.
      const at = (update.code as Uint8Array).length
      const code = Uint8Array.of(...(update.code as Uint8Array), 0xc6, 5, 0xff, 0xff, 0xff, 0xff, 33)
      const relocations = [
        ...update.relocations!,
        { offset: at + 2, type: 'X86_64_RELOC_SIGNED_1', target: text, addend: 11 },
      ]
      image.updateBlock(main, { code, relocations })
    } else image.updateBlock(main, update)
    image.exportSymbol(main)
    assert.equal(await linkAndRun(createTarget(arch, 'chained'), [save(image.flush(), 'main.o')]), 'seen\n')
  }
})

test('an object is written by write, has no addresses, and says what it cannot hold', () => {
  const output = join(tempFolder(), 'written.o')
  const image = createImage({ arch: 'arm64', outputType: 'object', output, write: true, host })
  assert.equal(image.flush().contents!.length, readFileSync(output).length)
  const [block, missing] = ['_block', '_missing'].map(image.declareBlock)
  image.updateBlock(block, functionOf('arm64', [{ call: missing }]))
  assert.deepEqual(
    image.flush().messages.map(({ text }) => text),
    ['undefined block: _missing'],
  )
  image.updateBlock(missing, functionOf('arm64', []))
  for (const call of [image.addressOf, image.gotAddressOf, image.stubAddressOf])
    assert.throws(() => call(block), /an object has no addresses/)
  const page = { offset: 0, type: 'ARM64_RELOC_PAGE21', target: missing, addend: 2 ** 24 }
  image.updateBlock(block, { code: new Uint8Array(4), relocations: [page] })
  assert.deepEqual(
    image.flush().messages.map(({ id, text }) => [id, text]),
    [['relocation-out-of-range', 'ARM64_RELOC_PAGE21 at _block+0 does not take an addend of 16777216']],
  )
  image.updateBlock(block, functionOf('arm64', []))
  image.compact()
  assert.ok(Buffer.from(image.flush().contents!).equals(readFileSync(output)))
  writeFileSync(output, 'something else')
  assert.ok(Buffer.from(image.flush().contents!).equals(readFileSync(output)))
  image.dispose()
})

forEachTarget((target) => {
  test(`thread-local variables of an object (${target.name})`, async () => {
    const { arch } = target
    const image = newObject(arch)
    const [main, one, zeros] = ['_main', '_one', '_zeros'].map(image.declareBlock)
    const theirs = image.declareUndefined('_theirs')
    image.updateBlock(one, { threadLocal: true, code: Uint8Array.of(5, 0, 0, 0), align: 4 })
    image.updateBlock(zeros, { threadLocal: true, code: 4, align: 4 })
    const variables = [one, zeros, theirs]
    const steps = [3, 0].flatMap((set) => variables.map((thread) => ({ thread, set })))
    const format = image.declareBlock('_format')
    image.updateBlock(format, textOf('%d\n'))
    const printf = image.addImport('_printf', LIBSYSTEM)
    image.updateBlock(
      main,
      functionOf(
        arch,
        [...steps, { print: format, with: printf }, { call: image.addImport('_exit', LIBSYSTEM) }],
        'zero',
      ),
    )
    for (const block of [main, one]) image.exportSymbol(block)
    const result = image.flush()
    assert.deepEqual(result.messages, [])
    const user = compile(
      arch,
      '_Thread_local int theirs = 20; extern _Thread_local int one; int *address() { return &one; }',
    )
    const stdout = await linkAndRun(target, [save(result, 'variables.o'), user], 34)
    assert.equal(stdout, '34\n')
  })
})
