import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import type { BlockHandle, BlockImage, FlushResult, ImportHandle } from '../../src/blocks.ts'
import { decodeExportTrie } from '../../src/formats/dyld/exportTrie.ts'
import { LC_DYLD_EXPORTS_TRIE } from '../../src/formats/macho/constants.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { verify } from '../../src/verify.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, newImage, save, type Step, textOf } from './build.ts'

const EDITS = 400
const CHECK_EVERY = 50
const FUNCTIONS = 60

/** What a function should do: adds of its own, and calls of functions with a higher number, so that nothing recurs. */
interface Model {
  handle: BlockHandle
  name: string
  exported: boolean
  adds: number[]
  calls: number[]
  /** Number of the variable that it loads through a pointer, or -1. */
  loads: number
}

interface Program {
  target: Target
  image: BlockImage
  random: ReturnType<typeof randomFrom>
  functions: (Model | null)[]
  variables: { value: number; cell: BlockHandle; pointer: BlockHandle }[]
  imports: ImportHandle[]
  serial: number
  /** The file as one has it who only applies what each flush says has changed. */
  copy: Buffer
}

function flush(program: Program): FlushResult {
  const result = program.image.flush()
  const { contents, ranges } = result
  if (contents === null) return result
  if (program.copy.length !== contents.length) program.copy = Buffer.alloc(contents.length)
  for (const { at, bytes } of ranges) program.copy.set(bytes, at)
  assert.ok(program.copy.equals(contents), 'the ranges are not all that changed')
  return result
}

function below(program: Program, limit: number): number {
  return Math.floor(program.random() * limit)
}

function stepsOf(program: Program, model: Model): Step[] {
  const steps: Step[] = model.adds.map((add) => ({ add }))
  for (const call of model.calls) {
    const { handle } = program.functions[call]!
    steps.push(call % 2 === 0 ? { call: handle } : { callThroughGot: handle })
  }
  if (model.loads >= 0) steps.push({ load: program.variables[model.loads].pointer })
  return steps
}

function compile(program: Program, index: number): void {
  const model = program.functions[index]!
  program.image.updateBlock(model.handle, functionOf(program.target.arch, stepsOf(program, model)))
}

function fill(program: Program, index: number): void {
  const model = program.functions[index]!
  const size = below(program, 4) === 0 ? 40 : 4
  model.adds = Array.from({ length: 1 + below(program, size) }, () => below(program, 1000) - 500)
  model.calls = []
  for (let tries = below(program, 3); tries > 0; tries--) {
    const callee = index + 1 + below(program, FUNCTIONS)
    if (callee < FUNCTIONS && program.functions[callee] !== null) model.calls.push(callee)
  }
  model.loads = below(program, 3) === 0 ? below(program, program.variables.length) : -1
  compile(program, index)
}

function declare(program: Program, index: number): void {
  const name = `_f${index}_${program.serial++}${'x'.repeat(below(program, 30))}`
  const handle = program.image.declareBlock(name)
  program.functions[index] = { handle, name, exported: false, adds: [], calls: [], loads: -1 }
  fill(program, index)
}

/** Its callers forget it, then it goes; or it goes, nothing can be flushed, and they forget it then. */
function remove(program: Program, index: number): void {
  const { image } = program
  const { handle, name } = program.functions[index]!
  const early = below(program, 2) === 0
  if (early) image.freeBlock(handle)
  const callers = program.functions.flatMap((model, caller) => (model?.calls.includes(index) ? [caller] : []))
  if (early && callers.length > 0)
    assert.ok(flush(program).messages.some(({ text }) => text === `undefined block: ${name}`))
  for (const caller of callers) {
    const model = program.functions[caller]!
    model.calls = model.calls.filter((call) => call !== index)
    compile(program, caller)
  }
  if (!early) image.freeBlock(handle)
  program.functions[index] = null
}

function edit(program: Program): void {
  const { image } = program
  const index = below(program, FUNCTIONS)
  const model = program.functions[index]
  const what = below(program, 10)
  if (model === null) return declare(program, index)
  if (what === 0) return remove(program, index)
  if (what === 1) {
    model.name = `_renamed${program.serial++}${'y'.repeat(below(program, 60))}`
    return image.renameBlock(model.handle, model.name)
  }
  if (what === 2 || what === 3) {
    model.exported = what === 2
    return what === 2 ? image.exportSymbol(model.handle) : image.unexportSymbol(model.handle)
  }
  if (what === 4) return editVariable(program)
  if (what === 5) return editImports(program)
  fill(program, index)
}

function editVariable(program: Program): void {
  const variable = program.variables[below(program, program.variables.length)]
  variable.value = below(program, 100)
  const code = new Uint8Array(8 * (1 + below(program, 20)))
  code[0] = variable.value
  program.image.updateBlock(variable.cell, { section: '__DATA,__data', code })
}

function editImports(program: Program): void {
  const { image, imports } = program
  if (imports.length > 2 && below(program, 2) === 0)
    return image.freeImport(imports.splice(below(program, imports.length), 1)[0])
  const names = ['_puts', '_malloc', '_free', '_strlen', '_atoi', '_getpid']
  const made = image.addImport(names[below(program, names.length)], LIBSYSTEM)
  if (!imports.includes(made)) imports.push(made)
  if (below(program, 2) === 0) image.stubAddressOf(made)
  else image.gotAddressOf(made)
}

function begin(target: Target, calls: 'got' | 'direct', seed: number): Program {
  const image = newImage(target, { calls })
  const program: Program = {
    target,
    image,
    random: randomFrom(seed),
    functions: [],
    variables: [],
    imports: [],
    serial: 0,
    copy: Buffer.alloc(0),
  }
  const type = target.arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
  for (let i = 0; i < 12; i++) {
    const [cell, pointer] = [image.declareBlock(`_cell${i}`), image.declareBlock(`_pointer${i}`)]
    image.updateBlock(pointer, {
      section: i % 2 === 0 ? '__DATA,__data' : '__DATA_CONST,__const',
      code: new Uint8Array(8),
      relocations: [{ offset: 0, type, target: cell }],
    })
    image.updateBlock(cell, { section: '__DATA,__data', code: new Uint8Array(8) })
    program.variables.push({ value: 0, cell, pointer })
  }
  program.functions = Array.from({ length: FUNCTIONS }, () => null)
  for (let i = FUNCTIONS - 1; i >= 0; i--) declare(program, i)
  return program
}

/** main prints what each function makes of 0, then leaves. */
function finish(program: Program): void {
  const { image, target } = program
  const [main, format] = [image.declareBlock('_main'), image.declareBlock('_format')]
  const printf = image.addImport('_printf', LIBSYSTEM)
  image.updateBlock(format, textOf('%d\n'))
  const steps: Step[] = []
  let sum = 0
  for (const [index, model] of program.functions.entries()) {
    if (model === null) continue
    steps.push({ call: model.handle })
    sum = evaluate(program, index, sum)
  }
  steps.push({ print: format, with: printf }, { add: -sum }, { call: image.addImport('_exit', LIBSYSTEM) })
  image.updateBlock(main, functionOf(target.arch, steps, 'zero'))
  const path = save(flush(program))
  assert.deepEqual(runImage(target, path).stdout, `${sum}\n`)
  image.freeBlock(main)
  image.freeBlock(format)
}

function evaluate(program: Program, index: number, x: number): number {
  const model = program.functions[index]!
  for (const add of model.adds) x = (x + add) | 0
  for (const call of model.calls) x = evaluate(program, call, x)
  return model.loads < 0 ? x : (x + program.variables[model.loads].value) | 0
}

function check(program: Program): void {
  const { image, target } = program
  finish(program)
  const main = image.declareBlock('_main')
  image.updateBlock(main, functionOf(target.arch, [{ add: 0 }], 'zero'))
  const result = flush(program)
  assert.deepEqual(result.messages, [])
  const contents = result.contents!
  assert.deepEqual(
    verify(contents, { host }).filter(({ id }) => id !== 'unsigned'),
    [],
  )
  verifyImage(target, save(result))
  const exported = program.functions.filter((model) => model?.exported).map((model) => model!.name)
  assert.deepEqual(exportsOf(contents), exported.sort())
  assert.deepEqual(definedNames(contents), [...namesOf(program)].sort())
  image.freeBlock(main)
}

function* namesOf(program: Program): Iterable<string> {
  yield '_main'
  if (program.target.fixups === 'opcodes') yield '__dyld_private'
  for (const model of program.functions) if (model !== null) yield model.name
  for (let i = 0; i < program.variables.length; i++) yield* [`_cell${i}`, `_pointer${i}`]
}

function exportsOf(contents: Uint8Array): string[] {
  const image = readImage(contents)
  const { offset, size } = image.tables.get(LC_DYLD_EXPORTS_TRIE) ?? image.dyldInfo!.exports
  const names: string[] = []
  decodeExportTrie(contents.subarray(offset, offset + size), (name) => names.push(name))
  return names.sort()
}

function definedNames(contents: Uint8Array): string[] {
  const { symbolOffset, symbolCount, stringOffset } = readImage(contents).symtab!
  const view = new DataView(contents.buffer, contents.byteOffset)
  const names: string[] = []
  for (let at = symbolOffset; at < symbolOffset + symbolCount * 16; at += 16) {
    if ((contents[at + 4] & 0x0e) === 0) continue
    const start = stringOffset + view.getUint32(at, true)
    names.push(new TextDecoder().decode(contents.subarray(start, contents.indexOf(0, start))))
  }
  return names.sort()
}

forEachTarget((target) => {
  for (const calls of ['got', 'direct'] as const) {
    test(`random edits leave the program that they imply (${target.name}, calls: ${calls})`, () => {
      const program = begin(target, calls, calls === 'got' ? 7 : 11)
      for (let i = 1; i <= EDITS; i++) {
        edit(program)
        if (i % CHECK_EVERY === 0) check(program)
        if (i % 5 !== 0) continue
        const main = program.image.declareBlock('_main')
        program.image.updateBlock(main, functionOf(target.arch, [{ add: i }]))
        flush(program)
        program.image.freeBlock(main)
      }
    })
  }
})
