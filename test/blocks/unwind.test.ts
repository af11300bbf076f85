// Exceptions through functions that a back end made: compact unwind encodings, personalities and language-specific data of blocks.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import type { BlockHandle, BlockImage, BlockUpdate, ImportHandle } from '../../src/blocks.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { decodeUnwindInfo, type UnwindInfo } from '../../src/formats/unwind/decodeUnwindInfo.ts'
import { createImage, link, openImage } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { libcxx, libSystem, tempFolder } from '../helpers/paths.ts'
import { createTarget, forEachTarget, type Target, targetOptions } from '../helpers/targets.ts'
import { LIBSYSTEM, newImage } from './build.ts'
import { flushed, outputOf } from './check.ts'
import { type Callees, cleanupData, FRAMES, frameOf, LIBCXX, RUNTIME, runtime, words } from './frames.ts'

interface Program {
  target: Target
  image: BlockImage
  library: string
  callees: Callees
  personality: ImportHandle
  thrower: ImportHandle
}

function begin(target: Target, library: string, calls: 'got' | 'direct'): Program {
  const image = newImage(target, { calls, libraries: [LIBSYSTEM, LIBCXX, library] })
  const thrower = image.addImport('_thrower', library)
  const note = image.addImport('_note', library)
  const resume = image.addImport('__Unwind_Resume', LIBSYSTEM)
  const personality = image.addImport('___gxx_personality_v0', LIBCXX)
  return { target, image, library, callees: { inner: thrower, note, resume }, personality, thrower }
}

/** `main` hands `middle` to the runtime; it is left by the runtime's result. */
function addMain({ target, image, library }: Program, middle: BlockHandle): void {
  const main = image.declareBlock('_main')
  const run = image.addImport('_run', library)
  const { branch, encoding } = FRAMES[target.arch]
  const arm64 = target.arch === 'arm64'
  const code = arm64
    ? words(0xa9bf7bfd, 0x910003fd, 0x90000000, 0x91000000, 0x94000000, 0xa8c17bfd, 0xd65f03c0)
    : [0x55, 0x48, 0x89, 0xe5, 0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x5d, 0xc3]
  const relocations = arm64
    ? [
        { offset: 8, type: 'ARM64_RELOC_PAGE21', target: middle },
        { offset: 12, type: 'ARM64_RELOC_PAGEOFF12', target: middle },
        { offset: 16, type: branch, target: run },
      ]
    : [
        { offset: 7, type: 'X86_64_RELOC_SIGNED', target: middle },
        { offset: 12, type: branch, target: run },
      ]
  image.updateBlock(main, { code: Uint8Array.from(code), relocations, unwind: { encoding } })
}

forEachTarget((target) => {
  for (const calls of ['got', 'direct'] as const)
    test(`an exception passes functions of blocks, and their clean-ups run (${target.name}, calls: ${calls})`, async () => {
      const library = await runtime(target)
      const program = begin(target, library, calls)
      const { image, callees, personality } = program
      const [outer, middle, data] = ['_outer', '_middle', '_middle_data'].map(image.declareBlock)
      image.updateBlock(middle, frameOf(target, callees, false))
      image.updateBlock(outer, frameOf(target, { ...callees, inner: middle }, false))
      addMain(program, outer)
      assert.equal(outputOf(target, image), '1002 0\n')

      const cleaning = (pad = 0): BlockUpdate => {
        const update = frameOf(target, callees, true, pad)
        return { ...update, unwind: { ...update.unwind!, personality, lsda: data } }
      }
      image.updateBlock(middle, cleaning())
      assert.deepEqual(
        image.flush().messages.map(({ text, notes }) => [text, notes]),
        [['undefined block: _middle_data', ['referenced by _middle+0']]],
      )
      image.updateBlock(data, cleanupData(target))
      assert.equal(outputOf(target, image), '1002 1\n')
      // The data moves, then the function, then others come between.
      const { code, ...rest } = cleanupData(target)
      image.updateBlock(data, { ...rest, code: Uint8Array.from([...(code as Uint8Array), ...Array(200).fill(0)]) })
      image.updateBlock(middle, cleaning(4000))
      for (let i = 0; i < 1200; i++)
        image.updateBlock(image.declareBlock(`_other${i}`), frameOf(target, callees, false, 16))
      assert.equal(outputOf(target, image), '1002 1\n')
      const contents = Uint8Array.from(image.flush({ record: true }).contents!)
      const again = openImage(contents)
      assert.equal(outputOf(target, again), '1002 1\n')
      image.compact()
      again.compact()
      assert.equal(outputOf(target, image), '1002 1\n')
      assert.ok(Buffer.from(again.flush().contents!).equals(image.flush().contents!))
      for (let i = 0; i < 1200; i += 3) image.freeBlock(image.lookup(`_other${i}`)!)
      image.updateBlock(middle, frameOf(target, callees, false))
      assert.equal(outputOf(target, image), '1002 0\n')
    })
})

const LINKED = `${RUNTIME}
extern "C" { extern const volatile int variable; const volatile int variable = 1; }
extern "C" __attribute__((noinline)) int middle(int x) { return thrower(x) + 0; }
int main() { return run(middle); }`

async function linkedProgram(target: Target, options = {}): Promise<Uint8Array> {
  const output = join(tempFolder(), 'linked')
  const inputs = [compile(target.arch, LINKED, { language: 'c++' }), libSystem, libcxx]
  await link({ inputs, output, adhocCodesign: true, ...targetOptions(target), ...options })
  return readFileSync(output)
}

forEachTarget((target) => {
  test(`exceptions pass what takes the place of linked functions (${target.name})`, async () => {
    const file = await linkedProgram(target)
    const open = (bytes: Uint8Array) => {
      const image = openImage(bytes)
      const [inner, note] = ['_thrower', '_note'].map((name) => image.lookup(name)!)
      const resume = image.addImport('__Unwind_Resume', LIBSYSTEM)
      const personality = image.addImport('___gxx_personality_v0', LIBCXX)
      return { image, middle: image.lookup('_middle')!, callees: { inner, note, resume }, personality }
    }
    const cleaning = ({ image, callees, personality }: ReturnType<typeof open>): BlockUpdate => {
      const data = image.lookup('_middle_data') ?? image.declareBlock('_middle_data')
      image.updateBlock(data, cleanupData(target))
      const update = frameOf(target, callees, true)
      return { ...update, unwind: { ...update.unwind!, personality, lsda: data } }
    }
    const program = open(file)
    const { image, middle, callees } = program
    assert.equal(outputOf(target, image), '1002 0\n')
    const before = rowsOf(image.flush().contents!).size
    image.updateBlock(middle, frameOf(target, callees, false))
    assert.equal(outputOf(target, image), '1002 0\n')
    assert.ok(rowsOf(image.flush().contents!).size > before)
    image.updateBlock(middle, cleaning(program))
    assert.equal(outputOf(target, image), '1002 1\n')
    assert.equal(personalitiesOf(image.flush().contents!), 1)
    const others = Array.from({ length: 2500 }, (_, i) => image.declareBlock(`_other${i}`))
    for (const block of others) image.updateBlock(block, frameOf(target, callees, false, 16))
    assert.equal(outputOf(target, image), '1002 1\n')
    const again = open(Uint8Array.from(image.flush({ record: true }).contents!))
    assert.equal(outputOf(target, again.image), '1002 1\n')
    image.compact()
    again.image.compact()
    assert.ok(Buffer.from(again.image.flush().contents!).equals(image.flush().contents!))
    for (const block of others) image.freeBlock(block)
    image.compact()
    const fresh = open(file)
    fresh.image.updateBlock(fresh.middle, cleaning(fresh))
    fresh.image.compact()
    assert.ok(Buffer.from(image.flush().contents!).equals(fresh.image.flush().contents!))
    assert.equal(outputOf(target, image), '1002 1\n')
    // What was flushed is a linked file, whose table grows again.
    const linked = open(Uint8Array.from(image.flush().contents!))
    linked.image.updateBlock(
      linked.callees.note,
      frameOf(target, { ...linked.callees, inner: linked.callees.note }, false),
    )
    linked.image.freeBlock(linked.callees.note)
    assert.equal(outputOf(target, linked.image), '1002 1\n')
    image.freeBlock(middle)
    assert.equal(outputOf(target, image), '1002 0\n')
    image.freeBlock(image.lookup('_middle_data')!)
    image.compact()
    assert.equal(rowsOf(image.flush().contents!).size, before)
  })
})

function unwindOf(contents: Uint8Array): UnwindInfo | null {
  const section = readImage(contents).sections.find(({ name }) => name === '__unwind_info')
  if (section === undefined) return null
  return decodeUnwindInfo(contents.subarray(section.offset, section.offset + section.size))
}

function personalitiesOf(contents: Uint8Array): number {
  return unwindOf(contents)!.personalities.length
}

/** What __unwind_info says of each block of code, by its address. */
function rowsOf(contents: Uint8Array): Map<number, [number, number]> {
  const base = readImage(contents).segments.find(({ name }) => name === '__TEXT')!.vmAddress
  const info = unwindOf(contents)
  if (info === null) return new Map()
  return new Map(Array.from({ length: info.count }, (_, i) => [base + info.start[i], [info.encoding[i], info.lsda[i]]]))
}

test('the table holds each block of code as it is, whatever comes, goes and moves', () => {
  for (const arch of ['arm64', 'x86_64'] as const) {
    const random = randomFrom(5)
    const below = (limit: number) => Math.floor(random() * limit)
    const target = createTarget(arch, 'chained')
    const image = newImage(target)
    const personalities = ['_a', '_b', '_c', '_d'].map((name) => image.addImport(name, LIBCXX))
    const data = image.declareBlock('_data')
    image.updateBlock(data, { section: '__TEXT,__const', code: new Uint8Array(64) })
    const modes = arch === 'arm64' ? [0x04000000, 0x02001000] : [0x01000000, 0x02010000]
    const wanted = new Map<BlockHandle, { encoding: number; personality: number; lsda: boolean }>()
    const update = (block: BlockHandle) => {
      const has = below(3) > 0
      const personality = has && below(2) === 0 ? below(3) : -1
      const row = { encoding: has ? modes[below(2)] : 0, personality, lsda: personality >= 0 && below(2) === 0 }
      const unwind = {
        encoding: row.encoding,
        ...(personality < 0 ? {} : { personality: personalities[personality] }),
        ...(row.lsda ? { lsda: data } : {}),
      }
      image.updateBlock(block, { code: new Uint8Array(4 * (1 + below(60))), ...(has ? { unwind } : {}) })
      wanted.set(block, row)
    }
    update(image.declareBlock('_main'))
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 300; i++) {
        const blocks = [...wanted.keys()]
        const what = below(10)
        if (what < (round < 8 ? 6 : 1)) update(image.declareBlock(`_f${round}_${i}`))
        else if (what < (round < 8 ? 9 : 3)) update(blocks[below(blocks.length)])
        else if (blocks.length > 1) {
          const gone = blocks[1 + below(blocks.length - 1)]
          image.freeBlock(gone)
          wanted.delete(gone)
        }
      }
      if (round === 5) image.compact()
      const path = flushed(target, image)
      const rows = rowsOf(readFileSync(path))
      const indexes = new Map<number, number>()
      for (const [block, { encoding, personality, lsda }] of wanted) {
        const [found, where] = rows.get(image.addressOf(block)) ?? [-1, -1]
        const index = (found >>> 28) & 3
        assert.equal((found & 0x0fffffff) >>> 0, encoding)
        assert.equal(index > 0, personality >= 0)
        if (index > 0) assert.equal(indexes.set(personality, indexes.get(personality) ?? index).get(personality), index)
        assert.equal(where, lsda ? image.addressOf(data) - 0x100000000 : 0)
      }
    }
    const fourth = { encoding: modes[0], personality: personalities[3] }
    const some = [...wanted.keys()][0]
    assert.throws(() => image.updateBlock(some, { code: new Uint8Array(4), unwind: fourth }), /at most 3 personalities/)
    for (const block of [...wanted.keys()]) image.updateBlock(block, { code: new Uint8Array(4) })
    image.compact()
    assert.equal(rowsOf(readFileSync(flushed(target, image))).size, 0)
  }
})

test('an update of a body leaves the table alone', () => {
  const target = createTarget('arm64', 'chained')
  const image = newImage(target)
  const unwind = { encoding: 0x04000000 }
  const [main, other] = ['_main', '_other'].map(image.declareBlock)
  for (const block of [main, other]) image.updateBlock(block, { code: new Uint8Array(0x4000).fill(1), unwind })
  image.flush()
  image.updateBlock(main, { code: new Uint8Array(0x4000).fill(2), unwind })
  const { ranges } = image.flush()
  const section = readImage(image.flush().contents!).sections.find(({ name }) => name === '__unwind_info')!
  assert.ok(ranges.every(({ at, bytes }) => at + bytes.length <= section.offset || at > section.offset + section.size))
})

test('unwind information that no table can hold is refused, and changes nothing', () => {
  const image = createImage({ arch: 'arm64', output: 'image' })
  const [main, data] = ['_main', '_data'].map(image.declareBlock)
  const personality = image.addImport('_personality', LIBSYSTEM)
  image.updateBlock(main, { code: new Uint8Array(4) })
  image.updateBlock(data, { section: '__TEXT,__const', code: new Uint8Array(4) })
  const before = Uint8Array.from(image.flush().contents!)
  const wrong: [BlockUpdate['unwind'], RegExp][] = [
    [{ encoding: 0 }, /expected a compact unwind encoding of arm64, got 0/],
    [{ encoding: 0x01000000 }, /expected a compact unwind encoding of arm64/],
    [{ encoding: 2 ** 32 }, /expected a compact unwind encoding/],
    [{ encoding: 0x03000000 }, /needs a frame in __eh_frame/],
    [{ encoding: 0x04000000, lsda: data }, /needs a personality/],
    [{ encoding: 0x04000000, personality, lsda: personality as number as BlockHandle }, /is a block of the image/],
    [{ encoding: 0x04000000, personality: 77 as BlockHandle }, /expected a block of this image/],
  ]
  for (const [unwind, text] of wrong)
    assert.throws(() => image.updateBlock(main, { code: new Uint8Array(4), unwind: unwind! }), text)
  const unwind = { encoding: 0x04000000 }
  assert.throws(
    () => image.updateBlock(data, { section: '__TEXT,__const', code: new Uint8Array(4), unwind }),
    /for code/,
  )
  assert.deepEqual(image.flush().contents, before)
})

test('what is refused of unwind information moves nothing in a linked file', async () => {
  const target = createTarget('arm64', 'chained')
  const image = openImage(await linkedProgram(target))
  const middle = image.lookup('_middle')!
  const made = image.declareBlock('_made')
  const address = image.addressOf(middle)
  const before = Uint8Array.from(image.flush().contents!)
  const unwind = { encoding: 0x04000000 }
  for (const [block, code, encoding] of [
    [made, new Uint8Array(4), 0x01000000],
    [made, 4, 0x04000000],
    [999 as BlockHandle, new Uint8Array(4), 0x04000000],
    [image.lookup('_variable')!, new Uint8Array(4), 0x04000000],
  ] as const)
    assert.throws(() => image.updateBlock(block, { section: '__TEXT,__const', code, unwind: { encoding } }), TypeError)
  const lines = { lines: [{ offset: 0, line: 1 }], file: 'a.c' }
  const variable = image.lookup('_variable')!
  assert.throws(() => image.updateBlock(variable, { code: new Uint8Array(4), ...lines }), /lines are for code/)
  assert.equal(image.addressOf(middle), address)
  assert.deepEqual(image.flush(), { messages: [], contents: before, ranges: [] })
  image.updateBlock(middle, { code: Uint8Array.from([0xc0, 0x03, 0x5f, 0xd6]), unwind })
  assert.throws(() => image.updateBlock(made, { code: new Uint8Array(4), unwind: { encoding: 1 } }), TypeError)
  flushed(target, image)
})
