// What was linked and edited: compacted and recorded, it is what the same edits make at once of the file as it was linked.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import type { BlockHandle, BlockImage, ImportHandle } from '../../src/blocks.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { decodeExportTrie } from '../../src/formats/dyld/exportTrie.ts'
import { EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION, LC_DYLD_EXPORTS_TRIE } from '../../src/formats/macho/constants.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import type { LinkOptions } from '../../src/index.ts'
import { link, openImage } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { createTarget, forEachTarget, type Target, targetOptions } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, type Step } from './build.ts'
import { outputOf } from './check.ts'
import { shuffle } from './model.ts'

/** Unwind encodings of a frame. */
const FRAME = { arm64: 0x04000000, x86_64: 0x01000000 } as const
const FUNCTIONS = 12
const VARIABLES = 6
const EDITS = 240
const CHECK_EVERY = 40

/** Prints what all functions make of 1; each adds its number, then a variable through a pointer. */
const PROGRAM = `
int printf(const char *, ...);

${Array.from({ length: VARIABLES }, (_, i) => `int cell${i}[4] = { ${i + 1} }; int *pointer${i} = cell${i};`).join('\n')}
${Array.from({ length: FUNCTIONS }, (_, i) => `__attribute__((noinline)) int f${i}(int x) { return x + ${i} + *pointer${i % VARIABLES}; }`).join('\n')}
static int (*const table[])(int) = { ${Array.from({ length: FUNCTIONS }, (_, i) => `f${i}`).join(', ')} };
int main() {
  int sum = 1;
  for (int i = 0; i < ${FUNCTIONS}; i++) sum = table[i](sum);
  printf("%d\\n", sum);
  return 0;
}`

async function linked(target: Target, options: Partial<LinkOptions> = {}): Promise<Uint8Array> {
  const output = join(tempFolder(), 'linked')
  const inputs = [compile(target.arch, PROGRAM), libSystem]
  await link({ inputs, output, adhocCodesign: true, ...targetOptions(target), ...options })
  return readFileSync(output)
}

/** What edits have made of the file: null is as it was linked. */
interface Model {
  /** Of each function what it adds, and the helpers it calls. */
  functions: ({ adds: number[]; calls: string[]; abs: boolean } | null)[]
  /** What the first word of a cell is, and which cell a pointer leads to. */
  cells: ({ value: number; size: number } | null)[]
  pointers: (number | null)[]
  helpers: Map<string, { adds: number[]; exported: boolean; unwind: boolean }>
  names: Map<string, string>
  hidden: Set<string>
  serial: number
}

interface Edited {
  target: Target
  image: BlockImage
  helpers: Map<string, BlockHandle>
  abs: ImportHandle | null
  linked: Map<string, BlockHandle>
}

function open(target: Target, file: Uint8Array): Edited {
  const image = openImage(file)
  const names = [
    ...Array.from({ length: FUNCTIONS }, (_, i) => `_f${i}`),
    ...Array.from({ length: VARIABLES }, (_, i) => `_cell${i}`),
    ...Array.from({ length: VARIABLES }, (_, i) => `_pointer${i}`),
  ]
  const handles = new Map(names.map((name) => [name, image.lookup(name)!]))
  return { target, image, helpers: new Map(), abs: null, linked: handles }
}

function absOf(edited: Edited): ImportHandle {
  edited.abs ??= edited.image.addImport('_abs', LIBSYSTEM)
  return edited.abs
}

function applyFunction(edited: Edited, model: Model, i: number): void {
  const { image, linked: own, helpers, target } = edited
  const wanted = model.functions[i]
  if (wanted === null) return image.freeBlock(own.get(`_f${i}`)!)
  const steps: Step[] = wanted.adds.map((add) => ({ add }))
  for (const name of wanted.calls) steps.push({ call: helpers.get(name)! })
  if (wanted.abs) steps.push({ callThroughGot: absOf(edited) })
  image.updateBlock(own.get(`_f${i}`)!, functionOf(target.arch, steps))
}

function applyCell({ image, linked: own }: Edited, model: Model, i: number): void {
  const wanted = model.cells[i]
  if (wanted === null) return image.freeBlock(own.get(`_cell${i}`)!)
  const code = new Uint8Array(wanted.size)
  code[0] = wanted.value
  image.updateBlock(own.get(`_cell${i}`)!, { code })
}

function applyPointer({ image, linked: own, target }: Edited, model: Model, i: number): void {
  const to = model.pointers[i]
  if (to === null) return image.freeBlock(own.get(`_pointer${i}`)!)
  const type = target.arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
  const relocations = [{ offset: 0, type, target: own.get(`_cell${to}`)! }]
  image.updateBlock(own.get(`_pointer${i}`)!, { code: new Uint8Array(8), relocations })
}

function applyHelper({ image, helpers, target }: Edited, model: Model, name: string): void {
  const { adds, exported, unwind } = model.helpers.get(name)!
  if (!helpers.has(name)) helpers.set(name, image.declareBlock(name))
  const steps = adds.map((add) => ({ add }))
  const frame = unwind ? { unwind: { encoding: FRAME[target.arch] } } : {}
  image.updateBlock(helpers.get(name)!, { ...functionOf(target.arch, steps), ...frame })
  if (exported) image.exportSymbol(helpers.get(name)!)
  else image.unexportSymbol(helpers.get(name)!)
}

function edit(edited: Edited, model: Model, random: () => number): void {
  const below = (limit: number) => Math.floor(random() * limit)
  const adds = () => Array.from({ length: 1 + below(below(4) === 0 ? 50 : 4) }, () => below(100))
  const [what, f, v] = [below(10), below(FUNCTIONS), below(VARIABLES)]
  const names = [...model.helpers.keys()]
  if (what < 3) {
    const calls = names.length > 0 && below(2) === 0 ? [names[below(names.length)]] : []
    model.functions[f] = { adds: adds(), calls, abs: below(4) === 0 }
    applyFunction(edited, model, f)
  } else if (what === 3) {
    if (model.functions[f] === null) return
    model.functions[f] = null
    applyFunction(edited, model, f)
  } else if (what === 4) {
    const restores = model.cells[v] !== null && below(3) === 0
    model.cells[v] = restores ? null : { value: below(100), size: 4 * (1 + below(4)) }
    applyCell(edited, model, v)
  } else if (what === 5) {
    model.pointers[v] = model.pointers[v] !== null && below(3) === 0 ? null : below(VARIABLES)
    applyPointer(edited, model, v)
  } else if (what === 6 || names.length < 2) {
    const name = `_${'helper'.slice(below(6))}${model.serial++}`
    model.helpers.set(name, { adds: adds(), exported: below(2) === 0, unwind: model.serial > 8 && below(4) === 0 })
    applyHelper(edited, model, name)
  } else if (what === 7) {
    const name = names[below(names.length)]
    if (model.functions.some((one) => one?.calls.includes(name))) {
      model.helpers.set(name, { adds: adds(), exported: below(2) === 0, unwind: model.serial > 8 && below(4) === 0 })
      return applyHelper(edited, model, name)
    }
    edited.image.freeBlock(edited.helpers.get(name)!)
    edited.helpers.delete(name)
    model.helpers.delete(name)
  } else if (what === 8) {
    model.names.set(`_f${f}`, `_other${'x'.repeat(below(20))}${model.serial++}`)
    edited.image.renameBlock(edited.linked.get(`_f${f}`)!, model.names.get(`_f${f}`)!)
  } else if (model.hidden.delete(`_f${f}`)) edited.image.exportSymbol(edited.linked.get(`_f${f}`)!)
  else {
    model.hidden.add(`_f${f}`)
    edited.image.unexportSymbol(edited.linked.get(`_f${f}`)!)
  }
}

/** All at once, in another order. */
function buildAfresh(target: Target, file: Uint8Array, model: Model, random: ReturnType<typeof randomFrom>): Edited {
  const edited = open(target, file)
  const acts: (() => void)[] = []
  for (const [name, other] of model.names) acts.push(() => edited.image.renameBlock(edited.linked.get(name)!, other))
  for (const name of model.hidden) acts.push(() => edited.image.unexportSymbol(edited.linked.get(name)!))
  model.functions.forEach((wanted, i) => {
    if (wanted !== null) acts.push(() => applyFunction(edited, model, i))
  })
  model.cells.forEach((wanted, i) => {
    if (wanted !== null) acts.push(() => applyCell(edited, model, i))
  })
  model.pointers.forEach((wanted, i) => {
    if (wanted !== null) acts.push(() => applyPointer(edited, model, i))
  })
  if (random() < 0.5) absOf(edited)
  for (const name of shuffle([...model.helpers.keys()], random)) applyHelper(edited, model, name)
  for (const act of shuffle(acts, random)) act()
  return edited
}

function resultOf({ functions, cells, pointers, helpers }: Model): number {
  const cell = (i: number) => cells[i]?.value ?? i + 1
  const add = (x: number, list: readonly number[]) => list.reduce((sum, one) => sum + one, x)
  return functions.reduce((x, wanted, i) => {
    if (wanted === null) return x + i + cell(pointers[i % VARIABLES] ?? i % VARIABLES)
    return wanted.calls.reduce((sum, name) => add(sum, helpers.get(name)!.adds), add(x, wanted.adds))
  }, 1)
}

function bytesOf(image: BlockImage, record = false): Buffer {
  const { messages, contents } = image.flush({ record })
  assert.deepEqual(messages, [])
  return Buffer.from(contents!)
}

forEachTarget((target) => {
  for (const headerPad of [0, 4096])
    test(`edits of a linked file are compacted and recorded (${target.name}, headerPad: ${headerPad})`, async () => {
      const file = await linked(target, { headerPad })
      const random = randomFrom(headerPad + 41)
      const model: Model = {
        functions: Array(FUNCTIONS).fill(null),
        cells: Array(VARIABLES).fill(null),
        pointers: Array(VARIABLES).fill(null),
        helpers: new Map(),
        names: new Map(),
        hidden: new Set(),
        serial: 0,
      }
      let edited = open(target, file)
      for (let i = 1; i <= EDITS; i++) {
        edit(edited, model, random)
        if (i % CHECK_EVERY !== 0) continue
        const wanted = `${resultOf(model)}\n`
        assert.equal(outputOf(target, edited.image), wanted)
        const fresh = buildAfresh(target, file, model, random)
        if (edited.abs !== null) absOf(fresh)
        else if (fresh.abs !== null) absOf(edited)
        const recorded = bytesOf(edited.image, true)
        fresh.image.compact()
        edited.image.compact()
        const packed = bytesOf(edited.image)
        assert.ok(packed.equals(bytesOf(fresh.image)), `${i}: compacted, it is not what is built afresh`)
        assert.equal(outputOf(target, edited.image), wanted)
        const again = openImage(recorded)
        assert.equal(outputOf(target, again), wanted)
        again.compact()
        assert.ok(bytesOf(again).equals(packed), `${i}: opened again, it is not what was left`)
        if (i % (2 * CHECK_EVERY) === 0) edited = reopened(target, recorded, edited, model)
      }
    })
})

/** The same in the image of a file: what was linked is found by its names. */
function reopened(target: Target, recorded: Uint8Array, { linked: own, helpers, abs }: Edited, model: Model): Edited {
  const image = openImage(recorded)
  const named = (name: string) => image.lookup(model.names.get(name) ?? name)!
  return {
    target,
    image,
    helpers: new Map([...helpers.keys()].map((name) => [name, image.lookup(name)!])),
    abs: abs === null ? null : image.addImport('_abs', LIBSYSTEM),
    linked: new Map([...own.keys()].map((name) => [name, named(name)])),
  }
}

test('handles stay when a linked file is compacted, and those of what is gone are refused', async () => {
  const target = createTarget('x86_64', 'chained')
  const { image, linked: own } = open(target, await linked(target))
  const gone = Array.from({ length: 5 }, (_, i) => image.declareBlock(`_gone${i}`))
  const kept = ['_z', '_a', '_m'].map((name) => image.declareBlock(name))
  for (const [i, block] of kept.entries()) image.updateBlock(block, functionOf('x86_64', [{ add: i + 1 }]))
  const abs = image.addImport('_abs', LIBSYSTEM)
  const puts = image.addImport('_puts', LIBSYSTEM)
  for (const block of gone) image.freeBlock(block)
  image.freeImport(image.addImport('_malloc', LIBSYSTEM))
  for (let round = 0; round < 3; round++) {
    image.compact()
    for (const block of gone) assert.throws(() => image.addressOf(block), TypeError)
    const made = image.declareBlock(`_made${round}`)
    assert.ok(![...gone, ...kept].includes(made))
    const steps = [{ call: kept[round] }, { callThroughGot: abs }, { add: 1 }]
    image.updateBlock(made, functionOf('x86_64', steps))
    image.updateBlock(own.get('_f0')!, functionOf('x86_64', [{ call: made }]))
    assert.equal(outputOf(target, image), `${1 + (round + 1) + 1 + 66 + 41}\n`)
    gone.push(made)
    image.updateBlock(own.get('_f0')!, functionOf('x86_64', [{ call: kept[0] }]))
    image.freeBlock(made)
  }
  image.freeImport(puts)
  assert.throws(() => image.freeImport(puts), TypeError)
})

test('a record of a linked file that is damaged is told', async () => {
  const target = createTarget('arm64', 'chained')
  const { image, linked: own } = open(target, await linked(target))
  image.updateBlock(own.get('_f0')!, functionOf('arm64', [{ add: 1 }]))
  const file = bytesOf(image, true)
  const text = Uint8Array.from(file)
  text[image.addressOf(own.get('_f3')!) - 0x100000000] ^= 1
  assert.throws(() => openImage(text), /cannot be put back as it was/)
  const at = file.indexOf('CBR4')
  for (let i = at; i < file.length; i += 7) {
    const wrong = Uint8Array.from(file)
    wrong[i] ^= 0x41
    try {
      openImage(wrong)
    } catch (trouble) {
      assert.ok(trouble instanceof FormatError, `${i}: ${(trouble as Error).stack}`)
    }
  }
})

test('names that go round among linked functions, or come back, are compacted and recorded', async () => {
  const target = createTarget('arm64', 'chained')
  const file = await linked(target)
  const { image, linked: own } = open(target, file)
  const rename = (from: string, to: string) => image.renameBlock(own.get(from)!, to)
  const fresh = openImage(file)
  fresh.compact()
  for (const [from, to] of [
    ['_f0', '_aside'],
    ['_f1', '_f0'],
    ['_f0', '_f1'],
  ])
    rename(from, to)
  const addresses = [image.addressOf(image.lookup('_f0')!), image.addressOf(image.lookup('_f1')!)]
  assert.deepEqual(addresses, [image.addressOf(own.get('_f1')!), image.addressOf(own.get('_f0')!)])
  const again = openImage(bytesOf(image, true))
  image.compact()
  again.compact()
  assert.ok(bytesOf(again).equals(bytesOf(image)))
  assert.deepEqual([again.addressOf(again.lookup('_f0')!), again.addressOf(again.lookup('_f1')!)], addresses)
  for (const [from, to] of [
    ['_f0', '_aside'],
    ['_f1', '_f1'],
    ['_f0', '_f0'],
  ])
    rename(from, to)
  image.compact()
  assert.ok(bytesOf(image).equals(bytesOf(fresh)))
})

const WEAK = `
__attribute__((weak)) int overridable(int x) { return x; }
__attribute__((weak)) int bound(int x) { return x; }
int plain(int x) { return bound(x); }
int main() { return plain(0); }`

/** Flags in the export trie. */
function flagsOf(file: Uint8Array): Map<string, number> {
  const image = readImage(file)
  const { offset, size } = image.tables.get(LC_DYLD_EXPORTS_TRIE) ?? image.dyldInfo!.exports
  const flags = new Map<string, number>()
  decodeExportTrie(file.subarray(offset, offset + size), (name, kind) => void flags.set(name, kind))
  return flags
}

forEachTarget((target) => {
  test(`what of a linked file is exported again is weak as it was, or as is asked (${target.name})`, async () => {
    const output = join(tempFolder(), 'linked')
    await link({
      inputs: [compile(target.arch, WEAK), libSystem],
      output,
      adhocCodesign: true,
      ...targetOptions(target),
    })
    const image = openImage(readFileSync(output))
    const [overridable, plain] = ['_overridable', '_plain'].map((name) => image.lookup(name)!)
    assert.equal(flagsOf(bytesOf(image)).get('_overridable'), EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION)
    image.unexportSymbol(overridable)
    assert.equal(flagsOf(bytesOf(image)).has('_overridable'), false)
    image.exportSymbol(overridable)
    image.exportSymbol(plain, { weak: true })
    const before = flagsOf(bytesOf(image))
    assert.equal(before.get('_overridable'), EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION)
    assert.equal(before.get('_plain'), EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION)
    assert.equal(outputOf(target, image), '')
    image.compact()
    assert.deepEqual(flagsOf(bytesOf(image)), before)
    assert.equal(outputOf(target, image), '')
    const bound = image.lookup('_bound')!
    assert.throws(() => image.unexportSymbol(bound), /the linked file finds _bound by its name/)
    assert.throws(() => image.exportSymbol(bound, { hidden: true }), /the linked file finds _bound by its name/)
    assert.throws(() => image.renameBlock(bound, '_other'), /the linked file finds _bound by its name/)
    assert.deepEqual(flagsOf(bytesOf(image)), before)
  })
})
