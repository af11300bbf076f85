import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { type BlockImage, type FlushResult, type ImageOptions, openImage } from '../../src/blocks.ts'
import { link } from '../../src/node.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { verify } from '../../src/verify.ts'
import { compareImages, type Difference } from '../compare/compareImages.ts'
import { describeDifferences } from '../compare/describeDifferences.ts'
import { compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, newImage, save } from './build.ts'
import { type Editor, editTimes } from './editModel.ts'
import { linkedDifferences, linkObject, objectOf } from './freshLink.ts'
import { addImport, buildAfresh, finish, newModel, resultOf } from './model.ts'

/** 8 programs, and with them 104 calls of compact after 100 edits each that change the image. */
const COMPACTIONS = 13
const EDITS = 100
/** Of so many images one is also held against what ld64.lld links. */
const PEER_EVERY = 4

const CALLER = 'int answer(int); int printf(const char *, ...); int main() { printf("%d\\n", answer(0)); return 0; }'

interface Subject {
  target: Target
  options: Partial<ImageOptions>
  editor: Editor
  library: string
  /** Calls the library, where it is one. */
  caller: string | null
}

function begin(target: Target, outputType: 'execute' | 'dylib', calls: 'got' | 'direct', seed: number): Subject {
  const dylib = outputType === 'dylib'
  const library = join(tempFolder(), 'libanswer.dylib')
  const options = { calls, outputType, ...(dylib ? { installName: library } : {}) }
  const image = newImage(target, options)
  const model = newModel(target.arch, dylib)
  const handles = { blocks: new Map(), imports: new Map() }
  for (const name of ['_printf', '_exit', '_abs']) {
    model.imports.set(`${name} of ${LIBSYSTEM}`, [name, LIBSYSTEM])
    addImport(image, handles, name, LIBSYSTEM)
  }
  return { target, options, editor: { model, image, handles, random: randomFrom(seed) }, library, caller: null }
}

/** Checks and runs what was flushed; its standard output. */
async function run(subject: Subject, result: FlushResult): Promise<string> {
  const { target, options, library } = subject
  const found = verify(result.contents!, { host }).filter(({ id }) => id !== 'unsigned')
  assert.deepEqual(found, [])
  const path = save(result)
  verifyImage(target, path)
  if (options.outputType === 'execute') return runImage(target, path).stdout
  writeFileSync(library, result.contents!)
  subject.caller ??= await linkCaller(target, library)
  return runImage(target, subject.caller).stdout
}

async function linkCaller(target: Target, library: string): Promise<string> {
  const output = join(tempFolder(), 'caller')
  const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
  const inputs = [compile(target.arch, CALLER), library, { library: 'System' }]
  await link({ inputs, arch: target.arch, platform, output, fixupChains: target.fixups === 'chained' })
  return output
}

function flush(image: BlockImage): FlushResult {
  const result = image.flush()
  assert.deepEqual(result.messages, [])
  return result
}

/** Kinds of facts that are places, not meaning. */
const LAYOUT = new Set(['order', 'alignment', 'section header'])

/** What an image says without what only the history of its edits has left: stubs of calls that were weak once, imports asked for. */
function meaning(text: string | null): string | null {
  return text?.replace(/stub\(__got\(rebase (.*)\)\)$/, '$1').replace(', not bound', '') ?? null
}

function isHistory({ kind, subject, ours, theirs }: Difference): boolean {
  // Entries that are free, or that only `gotAddressOf` asked for; room between blocks.
  const left = theirs === null && (kind === 'indirect' || /__got\(|__la_symbol_ptr\(|stub-helper/.test(subject))
  return left || subject.startsWith('rest of ') || meaning(ours) === meaning(theirs)
}

/** What two images mean differently; an object of the same blocks says what their fields lead to. */
function symbolicDifferences(ours: Uint8Array, theirs: Uint8Array, object: Uint8Array): string[] {
  const inputs = [{ name: 'blocks.o', bytes: object }]
  const { differences, compared } = compareImages(ours, theirs, { inputs })
  assert.ok(compared.symbol! > 20 && compared.field! > 20)
  const others = differences.filter((one) => !LAYOUT.has(one.kind) && !isHistory(one))
  return describeDifferences(others, 20)
}

/** The image means what linkers make of an object of its blocks. */
async function checkLinked({ target, options }: Subject, edited: Uint8Array, object: Uint8Array, round: number) {
  for (const linker of ['ours', 'lld'] as const) {
    if (linker === 'lld' && round % PEER_EVERY !== 0) continue
    const linked = await linkObject(target, object, options.installName ?? null, linker)
    assert.deepEqual(describeDifferences(linkedDifferences(edited, linked, object), 20), [], linker)
  }
}

/** The image as it stands is right, and after `compact` it is, byte for byte, what is built at once. */
async function check(subject: Subject, round: number): Promise<void> {
  const { target, options, editor } = subject
  const { model, image, handles, random } = editor
  finish(model, image, handles)
  const before = flush(image)
  const wanted = `${resultOf(model, 0)}\n`
  assert.equal(await run(subject, before), wanted)

  const fresh = newImage(target, { ...options, codeSize: 10000, symbolCount: 500 })
  finish(model, fresh, buildAfresh(model, fresh, random))
  if (!editor.shared) {
    const object = objectOf(model, random)
    assert.deepEqual(symbolicDifferences(before.contents!, flush(fresh).contents!, object), [])
    await checkLinked(subject, before.contents!, object, round)
  }
  fresh.compact()
  image.compact()
  const after = flush(image)
  assert.ok(Buffer.from(after.contents!).equals(flush(fresh).contents!), 'compacted, it is not what is built afresh')
  assert.ok(after.contents!.length <= before.contents!.length)
  assert.equal(await run(subject, after), wanted)
}

forEachTarget((target) => {
  for (const outputType of ['execute', 'dylib'] as const) {
    const calls = (outputType === 'execute') === (target.fixups === 'chained') ? 'got' : 'direct'
    test(`compacted images are those built afresh (${target.name}, ${outputType}, calls: ${calls})`, async () => {
      const subject = begin(target, outputType, calls, 17)
      for (let round = 0; round < COMPACTIONS; round++) {
        editTimes(subject.editor, EDITS)
        await check(subject, round)
      }
    })
  }
})

test('compacted images are those built afresh where several blocks have one name', async () => {
  const subject = begin(createTarget('x86_64', 'opcodes'), 'execute', 'got', 23)
  subject.editor.shared = true
  for (let round = 0; round < COMPACTIONS; round++) {
    editTimes(subject.editor, EDITS)
    await check(subject, round)
  }
})

test('compacted images are those built afresh where branches do not reach', async () => {
  for (const [fixups, calls] of [
    ['chained', 'direct'],
    ['opcodes', 'got'],
  ] as const) {
    const subject = begin(createTarget('arm64', fixups), 'execute', calls, 29)
    subject.options = { ...subject.options, branchReach: 0x1000 }
    subject.editor.shared = true // Thunks are no part of what is compared by meaning.
    subject.editor.image = newImage(subject.target, subject.options)
    for (const [name, library] of subject.editor.model.imports.values())
      addImport(subject.editor.image, subject.editor.handles, name, library)
    for (let round = 0; round < 5; round++) {
      editTimes(subject.editor, EDITS)
      await check(subject, round)
    }
    const contents = flush(subject.editor.image).contents!
    const text = readImage(contents).sections.find(({ name }) => name === '__text')!
    const words = new Uint32Array(contents.slice(text.offset, text.offset + (text.size & ~3)).buffer)
    assert.ok(words.includes(0xd61f0200), 'there are thunks, which end in br x16')
  }
})

test('what is missing when an image is compacted may still come', () => {
  const target = createTarget('x86_64', 'opcodes')
  const image = newImage(target)
  const [main, later, gone] = ['_main', '_later', '_gone'].map(image.declareBlock)
  image.updateBlock(gone, functionOf('x86_64', []))
  image.updateBlock(main, functionOf('x86_64', [{ call: later }, { callThroughGot: gone }], 'zero'))
  image.freeBlock(gone)
  image.compact()
  assert.deepEqual(
    image.flush().messages.map(({ text }) => text),
    ['undefined block: _later', 'undefined block: _gone'],
  )
  image.updateBlock(later, functionOf('x86_64', [{ add: 9 }]))
  image.updateBlock(main, functionOf('x86_64', [{ call: later }], 'zero'))
  const path = save(flush(image))
  verifyImage(target, path)
  assert.equal(runImage(target, path).status, 9)
  image.compact()
  const fresh = newImage(target)
  const [again, its] = ['_main', '_later'].map(fresh.declareBlock)
  fresh.updateBlock(its, functionOf('x86_64', [{ add: 9 }]))
  fresh.updateBlock(again, functionOf('x86_64', [{ call: its }], 'zero'))
  fresh.compact()
  assert.ok(Buffer.from(flush(image).contents!).equals(flush(fresh).contents!))
})

test('compacting twice changes nothing, and handles stay', () => {
  const image = newImage(createTarget('arm64', 'chained'))
  const [main, called, waiting] = ['_main', '_called', '_waiting'].map(image.declareBlock)
  const gone = image.declareBlock('_gone')
  const puts = image.addImport('_puts', LIBSYSTEM)
  image.updateBlock(gone, { code: new Uint8Array(100_000) })
  image.updateBlock(called, functionOf('arm64', [{ add: 1 }]))
  image.updateBlock(main, functionOf('arm64', [{ call: called }, { call: puts }]))
  image.freeBlock(gone)
  const before = flush(image).contents!.length
  image.compact()
  const first = Buffer.from(flush(image).contents!)
  assert.ok(first.length < before / 2)
  image.compact()
  assert.ok(first.equals(flush(image).contents!))
  assert.throws(() => image.addressOf(gone), TypeError)
  assert.throws(() => image.addressOf(waiting), /no contents yet/)
  image.updateBlock(waiting, functionOf('arm64', [{ call: puts }]))
  image.updateBlock(main, functionOf('arm64', [{ call: called }, { call: waiting }]))
  image.freeImport(image.addImport('_abs', LIBSYSTEM))
  verifyImage(createTarget('arm64', 'chained'), save(flush(image)))
})

test('of blocks with the name of the entry point the exported one is it, else the last', () => {
  const image = newImage(createTarget('x86_64', 'chained'))
  const [first, second] = ['_main', '_main'].map(image.declareBlock)
  for (const block of [second, first]) image.updateBlock(block, functionOf('x86_64', []))
  const entry = () => 0x100000000 + readImage(flush(image).contents!).mainOffset!
  assert.equal(entry(), image.addressOf(second))
  image.exportSymbol(first)
  assert.equal(entry(), image.addressOf(first))
  image.compact()
  assert.equal(entry(), image.addressOf(first))
  image.unexportSymbol(first)
  assert.equal(entry(), image.addressOf(second))
  image.freeBlock(second)
  assert.equal(entry(), image.addressOf(first))
})

test('imports of a compacted image are bound in place in the order of addresses', () => {
  for (const fixups of ['chained', 'opcodes'] as const) {
    const target = createTarget('x86_64', fixups)
    const build = (order: readonly number[]) => {
      const image = newImage(target, { outputType: 'dylib', installName: '/usr/lib/libx.dylib' })
      const puts = image.addImport('_puts', LIBSYSTEM)
      const blocks = [0, 1, 2, 3].map((i) => image.declareBlock(`_pointer${i}`))
      for (const i of order) {
        const relocations = [0, 8].map((offset) => ({ offset, type: 'X86_64_RELOC_UNSIGNED', target: puts, addend: i }))
        image.updateBlock(blocks[i], { section: '__DATA,__data', code: new Uint8Array(16), relocations })
      }
      image.compact()
      return Buffer.from(flush(image).contents!)
    }
    assert.ok(build([0, 1, 2, 3]).equals(build([2, 0, 3, 1])))
  }
})

test('of definitions of one name the same counts, whichever came last', () => {
  for (const fixups of ['chained', 'opcodes'] as const) {
    const target = createTarget('arm64', fixups)
    const build = (order: readonly number[]) => {
      const options = { outputType: 'dylib', installName: '/usr/lib/libx.dylib', undefined: 'dynamic_lookup' } as const
      const image = newImage(target, { ...options, calls: 'direct' })
      const weak = [0, 1, 2].map(() => image.declareBlock('_weak'))
      const common = [0, 1, 2].map(() => image.declareBlock('_common'))
      const names = ['_weak', '_common', '_later', '_never'].map((name) => image.declareUndefined(name))
      const caller = image.declareBlock('_caller')
      image.updateBlock(caller, functionOf('arm64', [{ callThroughGot: names[3] }, { call: names[2] }]))
      for (const i of order) {
        image.exportSymbol(weak[i], { weak: true })
        image.updateBlock(weak[i], functionOf('arm64', [{ add: i }]))
        image.updateBlock(common[i], { section: '__DATA,__common', code: 8 * (1 + (i & 1)) })
        image.exportSymbol(common[i])
        image.flush()
      }
      const steps = [...names.slice(0, 2), weak[1], common[0]].map((target) => ({ callThroughGot: target }))
      image.updateBlock(caller, functionOf('arm64', [...steps, { call: weak[2] }, { call: names[2] }]))
      image.exportSymbol(caller, { weak: true })
      image.updateBlock(image.declareBlock('_other'), functionOf('arm64', [{ call: caller }]))
      image.unexportSymbol(caller)
      image.compact()
      return Buffer.from(flush(image).contents!)
    }
    const wanted = build([0, 1, 2])
    for (const order of [
      [2, 1, 0],
      [1, 2, 0],
    ])
      assert.ok(build(order).equals(wanted))
    verifyImage(target, save({ contents: wanted, messages: [], ranges: [] }))
  }
})

test('the companion file of a compacted image is that of a fresh one, and of one that was opened again', () => {
  const names = ['_main', '_b', '_a', '_c']
  const build = (order: readonly number[]) => {
    const image = newImage(createTarget('arm64', 'chained'))
    const blocks = new Map(order.map((i) => [i, image.declareBlock(names[i])]))
    for (const i of order) {
      const lines = [0, 4, 8].map((offset) => ({ offset, line: 10 * i + offset, column: i }))
      image.updateBlock(blocks.get(i)!, { ...functionOf('arm64', [{ add: i }]), file: `/src/${i % 2}.toy`, lines })
    }
    return image
  }
  const pack = (image: BlockImage) => {
    image.compact()
    flush(image)
    return Buffer.from(image.debugFile()!)
  }
  const image = build([3, 2, 1, 0])
  const left = Uint8Array.from(image.flush({ record: true }).contents!)
  const wanted = pack(build([0, 1, 2, 3]))
  assert.ok(pack(image).equals(wanted))
  assert.ok(pack(openImage(left)).equals(wanted))
})
