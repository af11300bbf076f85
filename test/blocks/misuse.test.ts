import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BlockUpdate, createImage, type ImageOptions } from '../../src/blocks.ts'
import { createTarget } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, newImage, textOf } from './build.ts'

const target = createTarget('arm64', 'chained')
const CALL = 'ARM64_RELOC_BRANCH26'
const POINTER = 'ARM64_RELOC_UNSIGNED'

function idsOf(image: ReturnType<typeof newImage>): string[] {
  return image.flush().messages.map(({ id }) => id)
}

test('options that make no image are refused', () => {
  const wrong: object[] = [
    { arch: 'i386' },
    { arch: 'arm64', outputType: 'bundle' },
    { arch: 'arm64', write: true },
    { arch: 'arm64', codeSize: -1 },
    { arch: 'arm64', symbolCount: Number.NaN },
    { arch: 'arm64', libraries: [''] },
  ]
  for (const options of wrong)
    assert.throws(() => createImage(options as ImageOptions), TypeError, JSON.stringify(options))
})

test('names that are none are refused', () => {
  const image = newImage(target)
  const block = image.declareBlock('_a')
  for (const name of ['', '_a\0b', 'x'.repeat(70000)]) {
    assert.throws(() => image.declareBlock(name), TypeError)
    assert.throws(() => image.renameBlock(block, name), TypeError)
    assert.throws(() => image.addImport(name, LIBSYSTEM), TypeError)
  }
})

test('handles of what is gone, or of another kind, are refused', () => {
  const image = newImage(target)
  const block = image.declareBlock('_a')
  const made = image.addImport('_puts', LIBSYSTEM)
  image.freeBlock(block)
  const again = image.declareBlock('_a')
  assert.notEqual(again, block)
  for (const handle of [block, 0, -1, 1.5, 1e12, Number.NaN, made as number])
    assert.throws(() => image.freeBlock(handle), TypeError, `${handle}`)
  assert.throws(() => image.freeImport(again as number), TypeError)
  image.freeImport(made)
  assert.throws(() => image.gotAddressOf(made), TypeError)
  assert.throws(() => image.addressOf(again), /no contents yet/)
})

test('updates that no image can hold are refused and change nothing', () => {
  const image = newImage(target)
  const main = image.declareBlock('_main')
  const puts = image.addImport('_puts', LIBSYSTEM)
  image.updateBlock(main, functionOf('arm64', [], 'zero'))
  const before = Buffer.from(image.flush().contents!)
  const code = new Uint8Array(32)
  const relocations = (...list: object[]) => list.map((one) => ({ offset: 0, type: CALL, target: main, ...one }))
  const data = '__DATA,__data'
  const wrong: object[] = [
    { code: new Uint8Array(0) },
    { code: 16 },
    { code: [1, 2] },
    { code, section: '__TEXT,__nothing' },
    { code, section: '__DATA,__bss' },
    { code: 1e12, section: '__DATA,__bss' },
    { code, align: 3 },
    { code, align: 8192 },
    { code, relocations: relocations({ offset: 30 }) },
    { code, relocations: relocations({ offset: 2 }) },
    { code, relocations: relocations({ offset: -4 }) },
    { code, relocations: relocations({ type: 'X86_64_RELOC_BRANCH' }) },
    { code, relocations: relocations({ type: 'ARM64_RELOC_ADDEND' }) },
    { code, relocations: relocations({ type: 'ARM64_RELOC_PAGE21', target: puts }) },
    { code, relocations: relocations({ type: POINTER }) },
    { code, relocations: relocations({ target: 12345 }) },
    { code, relocations: relocations({ addend: 0.5 }) },
    { code, section: data, relocations: relocations({}) },
    { code, section: data, relocations: relocations({ type: POINTER, offset: 4 }) },
    { code, section: data, relocations: relocations({ type: POINTER }, { type: POINTER }) },
    { code, section: data, relocations: relocations({ type: POINTER, target: puts, addend: 300 }) },
  ]
  for (const update of wrong)
    assert.throws(() => image.updateBlock(main, update as BlockUpdate), TypeError, JSON.stringify(update))
  const { contents, ranges } = image.flush()
  assert.ok(before.equals(contents!))
  assert.ok(ranges.length <= 2)
})

test('two exports of one name are refused, locals may share one', () => {
  const image = newImage(target)
  const [a, b, c] = ['_a', '_a', '_c'].map(image.declareBlock)
  image.exportSymbol(a)
  assert.throws(() => image.exportSymbol(b), /_a is exported already/)
  image.exportSymbol(c)
  assert.throws(() => image.renameBlock(c, '_a'), /_a is exported already/)
  image.unexportSymbol(a)
  image.exportSymbol(b)
})

test('an import that is referred to is not freed', () => {
  const image = newImage(target)
  const main = image.declareBlock('_main')
  const puts = image.addImport('_puts', LIBSYSTEM)
  image.updateBlock(main, functionOf('arm64', [{ call: puts }]))
  assert.throws(() => image.freeImport(puts), /1 references/)
  image.freeBlock(main)
  image.freeImport(puts)
  assert.throws(() => image.addImport('_puts', 2), TypeError)
})

test('what is missing is a message, and once it is there the image is', () => {
  const image = newImage(target)
  assert.deepEqual(idsOf(image), ['missing-entry-point'])
  const main = image.declareBlock('_main')
  assert.deepEqual(idsOf(image), ['missing-entry-point'])
  const called = image.declareBlock('_called')
  image.updateBlock(main, functionOf('arm64', [{ call: called }]))
  assert.deepEqual(idsOf(image), ['undefined-block'])
  image.updateBlock(called, functionOf('arm64', []))
  assert.deepEqual(idsOf(image), [])
  image.renameBlock(main, '_other')
  assert.deepEqual(idsOf(image), ['missing-entry-point'])
  image.renameBlock(called, '_main')
  assert.deepEqual(idsOf(image), [])
  image.freeBlock(called)
  assert.deepEqual(idsOf(image), ['undefined-block', 'missing-entry-point'])
  image.updateBlock(main, functionOf('arm64', []))
  image.renameBlock(main, '_main')
  assert.deepEqual(idsOf(image), [])
})

test('a relocation that does not fit is a message that names it', () => {
  const image = newImage(target)
  const main = image.declareBlock('_main')
  const text = image.declareBlock('_text')
  image.updateBlock(text, { ...textOf('abc'), align: 1 })
  const word = Uint8Array.of(0, 0, 0x40, 0xf9) // ldr x0, [x0]
  const load = { offset: 0, type: 'ARM64_RELOC_PAGEOFF12', target: text, addend: 1 }
  image.updateBlock(main, { code: word, relocations: [load] })
  assert.deepEqual(
    image.flush().messages.map(({ id, text }) => [id, text]),
    [['relocation-misaligned', 'ARM64_RELOC_PAGEOFF12 at _main+0 needs an aligned target, not _text']],
  )
  image.updateBlock(main, { code: word, relocations: [{ ...load, addend: 0 }] })
  assert.deepEqual(idsOf(image), [])
})
