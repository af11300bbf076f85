import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { type BlockImage, createImage, FormatError, type FlushResult, openImage } from '../../src/node.ts'
import { LC_NOTE } from '../../src/formats/macho/constants.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { verify } from '../../src/verify.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, newImage, save, textOf } from './build.ts'
import { edit, type Editor } from './editModel.ts'
import { addImport, finish, FORMAT, MAIN, MAIN_NAME, type Model, newModel, resultOf } from './model.ts'

function begin(target: Target, dylib: boolean, calls: 'got' | 'direct'): Editor {
  const outputType = dylib ? 'dylib' : 'execute'
  const image = newImage(target, {
    outputType,
    calls,
    headerPad: 0,
    rpaths: ['@loader_path/x'],
    currentVersion: 0x10203,
  })
  const model = newModel(target.arch, dylib)
  const handles = { blocks: new Map(), imports: new Map() }
  for (const name of ['_printf', '_exit', '_abs']) {
    model.imports.set(`${name} of ${LIBSYSTEM}`, [name, LIBSYSTEM])
    addImport(image, handles, name, LIBSYSTEM)
  }
  return { model, image, handles, random: randomFrom(31) }
}

function flush(image: BlockImage, record = false): FlushResult {
  const result = image.flush({ record })
  assert.deepEqual(result.messages, [])
  assert.deepEqual(
    verify(result.contents!, { host }).filter(({ id }) => id !== 'unsigned'),
    [],
  )
  return result
}

/** The same program in the image of a file: handles are found by name. */
function reopen({ model, random }: Editor, contents: Uint8Array): Editor {
  const image = openImage(contents)
  const handles: Editor['handles'] = { blocks: new Map(), imports: new Map() }
  for (const [name, library] of model.imports.values()) addImport(image, handles, name, library)
  for (const [number, { name }] of model.blocks) handles.blocks.set(number, image.lookup(name)!)
  handles.blocks.set(MAIN, image.lookup(MAIN_NAME[model.dylib ? 'dylib' : 'execute'])!)
  handles.blocks.set(FORMAT, image.lookup('_format')!)
  return { model, image, handles, random }
}

function check(target: Target, model: Model, result: FlushResult): void {
  const path = save(result)
  verifyImage(target, path)
  if (!model.dylib) assert.equal(runImage(target, path).stdout, `${resultOf(model, 0)}\n`)
}

forEachTarget((target) => {
  for (const dylib of [false, true]) {
    const calls = dylib === (target.fixups === 'chained') ? 'got' : 'direct'
    test(`an image is left and taken up again (${target.name}, ${dylib ? 'dylib' : 'execute'}, calls: ${calls})`, () => {
      let editor = begin(target, dylib, calls)
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 120; i++) edit(editor)
        finish(editor.model, editor.image, editor.handles)
        const left = flush(editor.image, true)
        check(target, editor.model, left)
        const contents = Uint8Array.from(left.contents!)
        const before = editor.image
        editor = reopen(editor, contents)
        check(target, editor.model, flush(editor.image))
        before.compact()
        const copy = openImage(contents)
        copy.compact()
        const packed = Buffer.from(flush(copy, true).contents!)
        assert.ok(packed.equals(flush(before, true).contents!))
        assert.ok(Buffer.from(flush(copy).contents!).length <= packed.length)
      }
    })
  }
})

test('what blocks may be is taken up again: weak, hidden, tentative, thread-local, undefined, exported again', () => {
  for (const fixups of ['chained', 'opcodes'] as const) {
    const target = createTarget('arm64', fixups)
    const options = { outputType: 'dylib', installName: '/usr/lib/libx.dylib', undefined: 'dynamic_lookup' } as const
    const image = newImage(target, {
      ...options,
      libraries: [LIBSYSTEM, { installName: '/usr/lib/liby.dylib', weak: true }],
    })
    const [weak, hidden, common, variable, difference] = [
      '_weak',
      '_hidden',
      '_common',
      '_variable',
      '_difference',
    ].map(image.declareBlock)
    const later = image.declareUndefined('_later', { weak: true })
    const puts = image.addImport('_puts', LIBSYSTEM)
    image.addImport('_operator', 2, { weakDefinition: true })
    image.reexportSymbol(puts, '_also_puts')
    image.declareBlock('_without_contents')
    image.updateBlock(variable, { threadLocal: true, code: Uint8Array.of(1, 2, 3, 4), align: 4 })
    image.updateBlock(common, { section: '__DATA,__common', code: 32, align: 32 })
    image.updateBlock(hidden, functionOf('arm64', [{ call: later }, { thread: variable, set: 1 }]))
    image.updateBlock(weak, functionOf('arm64', [{ call: hidden }, { callThroughGot: puts }]))
    image.updateBlock(difference, {
      section: '__DATA,__data',
      code: new Uint8Array(16),
      relocations: [
        { offset: 0, type: 'ARM64_RELOC_SUBTRACTOR', target: difference },
        { offset: 0, type: 'ARM64_RELOC_UNSIGNED', target: weak, addend: -4, size: 4 },
        { offset: 8, type: 'ARM64_RELOC_UNSIGNED', target: common, addend: 5 },
      ],
    })
    image.exportSymbol(weak, { weak: true })
    image.exportSymbol(hidden, { hidden: true })
    for (const block of [common, variable]) image.exportSymbol(block)
    if (fixups === 'opcodes') {
      const [asked, resolver] = ['_asked', '_resolver'].map(image.declareBlock)
      for (const block of [asked, resolver]) image.updateBlock(block, functionOf('arm64', []))
      image.exportSymbol(asked, { resolver })
    }
    const contents = Uint8Array.from(flush(image, true).contents!)
    const again = openImage(contents)
    verifyImage(target, save(flush(again)))
    for (const one of [image, again]) one.compact()
    assert.ok(Buffer.from(flush(again).contents!).equals(flush(image).contents!))
    assert.notEqual(again.lookup('_without_contents'), null)
    assert.equal(again.lookup('_nobody'), null)
  }
})

function program(): Uint8Array {
  const image = createImage({ arch: 'x86_64', fixupChains: false, output: 'program' })
  const [main, text] = ['_main', '_text'].map(image.declareBlock)
  image.updateBlock(text, textOf('hello'))
  const puts = image.addImport('_puts', LIBSYSTEM)
  image.updateBlock(main, functionOf('x86_64', [{ print: text, with: puts }], 'zero'))
  image.exportSymbol(main)
  return Uint8Array.from(flush(image, true).contents!)
}

/** Opens what may be anything; what is wrong with it is a FormatError within the file. */
function attempt(bytes: Uint8Array): FormatError | null {
  try {
    openImage(bytes).flush()
    return null
  } catch (trouble) {
    assert.ok(trouble instanceof FormatError, String(trouble instanceof Error ? trouble.stack : trouble))
    assert.ok(trouble.offset >= 0 && trouble.offset <= bytes.length + 8, `offset ${trouble.offset}`)
    return trouble
  }
}

test('whatever byte is wrong, it is told or does no harm', () => {
  const bytes = program()
  const image = readImage(bytes)
  const note = image.commands.find(({ cmd }) => cmd === LC_NOTE)!
  const view = new DataView(bytes.buffer)
  const [offset, size] = [view.getUint32(note.at + 24, true), view.getUint32(note.at + 32, true)]
  for (let at = 0; at < bytes.length; at++) {
    const inRecord = at >= offset && at < offset + size
    if (at >= 32 + image.commandsSize && !inRecord && at % 97 !== 0) continue
    for (const value of [bytes[at] ^ 1, bytes[at] ^ 0x80, 255]) {
      const wrong = Uint8Array.from(bytes)
      wrong[at] = value
      const told = attempt(wrong)
      if (inRecord && value !== bytes[at]) assert.equal(told?.id, 'bad-edit-record')
    }
  }
  for (let length = 0; length < bytes.length; length += 61) attempt(bytes.subarray(0, length))
})

test('a record whose hash is right is not trusted either', async () => {
  const { hashBytes } = await import('../../src/core/hash.ts')
  const bytes = program()
  const note = readImage(bytes).commands.find(({ cmd }) => cmd === LC_NOTE)!
  const view = new DataView(bytes.buffer)
  const [offset, size] = [view.getUint32(note.at + 24, true), view.getUint32(note.at + 32, true)]
  const random = randomFrom(3)
  let told = 0
  for (let i = 0; i < 3000; i++) {
    const wrong = Uint8Array.from(bytes)
    for (let changes = 1 + Math.floor(random() * 2); changes > 0; changes--)
      wrong[offset + 8 + Math.floor(random() * (size - 8))] = Math.floor(random() * 256)
    new DataView(wrong.buffer).setUint32(offset + 4, hashBytes(wrong, offset + 8, offset + size), true)
    if (attempt(wrong) !== null) told++
  }
  assert.ok(told > 1000, `${told}`)
})

test('an image without a record is opened as what was linked, and what is no image is refused', () => {
  const bytes = program()
  const plain = openImage(bytes)
  const without = Uint8Array.from(flush(plain).contents!)
  assert.equal(
    openImage(without).addressOf(openImage(without).lookup('_main')!),
    plain.addressOf(plain.lookup('_main')!),
  )
  assert.equal(attempt(new Uint8Array(4))?.id, 'not-mach-o')
  const object = createImage({ arch: 'arm64', outputType: 'object' })
  assert.throws(() => object.flush({ record: true }), /an object has no record/)
  assert.throws(() => openImage(bytes, { headerPad: -1 }), TypeError)
  assert.throws(() => plain.lookup(''), TypeError)
})

test('what is wrong with the options of a caller is said of them, not of the file', () => {
  const bytes = program()
  const wrong: [object, RegExp][] = [
    [{ output: 5 }, /expected output to be a string, got 5/],
    [{ output: '' }, /expected a path as output/],
    [{ host: null }, /expected host to be an object, got null/],
    [{ adhocCodesign: 'yes' }, /expected adhocCodesign to be a boolean/],
    [{ symbolCount: 2 ** 40 }, /expected symbolCount from 0 to/],
    [{ arch: 'sparc' }, /the file says what arch is/],
    [{ libraries: [''] }, /the file says what libraries is/],
  ]
  for (const [options, text] of wrong)
    assert.throws(
      () => openImage(bytes, options),
      (error: Error) => error instanceof TypeError && text.test(error.message),
    )
  assert.equal(openImage(bytes, { output: undefined } as object).flush().messages.length, 0)
})

test('a path is read, and written from then on', () => {
  const output = join(tempFolder(), 'program')
  writeFileSync(output, program(), { mode: 0o755 })
  assert.throws(() => openImage(join(tempFolder(), 'missing')), /no such file/)
  const image = openImage(output, { write: true })
  image.updateBlock(image.lookup('_text')!, textOf('again'))
  const { contents } = flush(image, true)
  assert.ok(readFileSync(output).equals(contents!))
  const target = createTarget('x86_64', 'opcodes')
  assert.equal(runImage(target, output).stdout, 'again\n')
  image.dispose()
  assert.equal(openImage(output).lookup('_nothing'), null)
})
