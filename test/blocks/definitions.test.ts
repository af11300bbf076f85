import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import type { BlockHandle, BlockImage, ExportOptions } from '../../src/blocks.ts'
import { verify } from '../../src/verify.ts'
import { command } from '../helpers/command.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, host, newImage, save } from './build.ts'

const NAMES = ['_a', '_b', '_c', '_longer_name_of_all']
const STEPS = 600
const CHECK_EVERY = 60

/** A block of a name; `size` is 0 before it has contents. */
interface Definition {
  handle: BlockHandle
  exported: ExportOptions | null
  section: '__DATA,__data' | '__DATA,__common'
  size: number
  value: number
}

interface Model {
  image: BlockImage
  definitions: Map<string, Definition[]>
  /** Which one counted before. */
  counting: Map<string, Definition | undefined>
  undefineds: Map<string, BlockHandle>
  random: ReturnType<typeof randomFrom>
}

const below = (model: Model, limit: number) => Math.floor(model.random() * limit)

function rankOf({ exported, section, size }: Definition): number {
  if (exported === null || size === 0) return 0
  if (section === '__DATA,__common') return 1
  return exported.weak === true ? 2 : 3
}

/** What may count as a name now: that which did, if it is as good as any. */
function candidates(model: Model, name: string): Definition[] {
  const all = model.definitions.get(name)!.filter((one) => rankOf(one) > 0)
  const best = Math.max(0, ...all.map(rankOf))
  let top = all.filter((one) => rankOf(one) === best)
  if (best === 1) {
    const largest = Math.max(...top.map(({ size }) => size))
    top = top.filter(({ size }) => size === largest)
  }
  const before = model.counting.get(name)
  return before !== undefined && top.includes(before) ? [before] : top
}

function isStrong({ exported, section, size }: Definition): boolean {
  return exported !== null && exported.weak !== true && (size === 0 || section === '__DATA,__data')
}

/** Does it where it leaves one strong definition at most, and else sees that it is refused. */
function change(model: Model, name: string, one: Definition, next: Partial<Definition>, act: () => void): void {
  const others = model.definitions.get(name)!.filter((other) => other !== one)
  if (isStrong({ ...one, ...next }) && others.some(isStrong)) {
    assert.throws(act, /is exported already/)
    return
  }
  act()
  Object.assign(one, next)
}

function edit(model: Model): void {
  const { image, definitions } = model
  const name = NAMES[below(model, NAMES.length)]
  const list = definitions.get(name)!
  const what = below(model, 9)
  if (what === 0 && list.length < 5) {
    list.push({ handle: image.declareBlock(name), exported: null, section: '__DATA,__data', size: 0, value: 0 })
    return
  }
  if (list.length === 0) return
  const one = list[below(model, list.length)]
  if (what === 1) {
    image.freeBlock(one.handle)
    list.splice(list.indexOf(one), 1)
  } else if (what < 4) {
    const exported = [{}, { weak: true }, { hidden: true }, { weak: true, hidden: true }][below(model, 4)]
    change(model, name, one, { exported }, () => image.exportSymbol(one.handle, exported))
  } else if (what === 4) {
    image.unexportSymbol(one.handle)
    one.exported = null
  } else if (what === 5) rename(model, name, one)
  else update(model, name, one)
}

function rename(model: Model, from: string, one: Definition): void {
  const name = NAMES[below(model, NAMES.length)]
  if (name === from) return
  const before = model.definitions.get(from)!
  change(model, name, one, {}, () => {
    model.image.renameBlock(one.handle, name)
    before.splice(before.indexOf(one), 1)
    model.definitions.get(name)!.push(one)
  })
}

function update(model: Model, name: string, one: Definition): void {
  const section = below(model, 2) === 0 ? '__DATA,__data' : '__DATA,__common'
  const size = 4 + 4 * below(model, below(model, 4) === 0 ? 300 : 6)
  const value = section === '__DATA,__data' ? 1 + below(model, 5) : 0
  const code = section === '__DATA,__common' ? size : Uint8Array.of(value, ...new Uint8Array(size - 1))
  change(model, name, one, { section, size, value }, () => model.image.updateBlock(one.handle, { section, code }))
}

/** Compares what every name stands for with what it should; the sum of their values, or null where one is missing. */
function compare(model: Model): number | null {
  let sum: number | null = 0
  for (const name of NAMES) {
    const wanted = candidates(model, name)
    const handle = model.undefineds.get(name)!
    const found = wanted.find((one) => model.image.addressOf(one.handle) === model.image.addressOf(handle))
    if (wanted.length === 0) assert.throws(() => model.image.addressOf(handle), TypeError, name)
    else assert.notEqual(found, undefined, name)
    model.counting.set(name, found)
    sum = sum === null || found === undefined ? null : sum + found.value
  }
  return sum
}

/** The names that the table of symbols has as global or private extern are those that have a definition. */
function checkSymbols(model: Model, path: string): void {
  const lines = command('llvm-nm-22', ['-m', path]).stdout.split('\n')
  for (const name of NAMES) {
    const found = lines.filter((line) => line.endsWith(` ${name}`) && !/ non-external _/.test(line))
    const counting = model.counting.get(name)!
    const { hidden = false, weak = false } = counting.exported!
    assert.equal(found.length, 1, found.join('\n'))
    assert.equal(/was a private external/.test(found[0]), hidden)
    assert.equal(/ weak external /.test(found[0]), weak && !hidden)
  }
}

function check(target: Target, model: Model): void {
  const sum = compare(model)
  const { messages, contents, ranges } = model.image.flush()
  if (sum === null) {
    assert.ok(messages.every(({ id }) => id === 'undefined-symbol'))
    assert.ok(messages.length > 0)
    return
  }
  assert.deepEqual(messages, [])
  assert.deepEqual(
    verify(contents!, { host }).filter(({ id }) => id !== 'unsigned'),
    [],
  )
  const path = save({ messages, contents, ranges })
  verifyImage(target, path)
  checkSymbols(model, path)
  assert.equal(runImage(target, path).status, sum)
}

forEachTarget((target) => {
  for (const calls of ['got', 'direct'] as const) {
    test(`names stand for what counts, whatever comes and goes (${target.name}, calls: ${calls})`, () => {
      const image = newImage(target, { calls })
      const model: Model = {
        image,
        definitions: new Map(NAMES.map((name) => [name, []])),
        counting: new Map(),
        undefineds: new Map(NAMES.map((name) => [name, image.declareUndefined(name)])),
        random: randomFrom(calls === 'got' ? 21 : 22),
      }
      const type = target.arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
      const pointers = NAMES.map((name) => {
        const pointer = image.declareBlock(`_pointer${name}`)
        const relocations = [{ offset: 0, type, target: model.undefineds.get(name)! }]
        image.updateBlock(pointer, { section: '__DATA,__data', code: new Uint8Array(8), relocations })
        return pointer
      })
      const main = image.declareBlock('_main')
      const steps = pointers.map((load) => ({ load }))
      image.updateBlock(main, functionOf(target.arch, steps, 'zero'))
      for (let step = 1; step <= STEPS; step++) {
        edit(model)
        compare(model)
        if (step % 7 === 0) image.flush()
        if (step === STEPS / 2) image.compact()
        if (step % CHECK_EVERY === 0) check(target, model)
      }
    })
  }
})
