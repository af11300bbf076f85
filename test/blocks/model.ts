// What a program of blocks should be, without an image: random edits change it, and it can be built into an image at once or step
// by step. Functions call functions of lower numbers only, so that nothing recurs.
import type { randomFrom } from '../../bench/random.ts'
import type {
  BlockHandle,
  BlockImage,
  BlockSection,
  BlockUpdate,
  ExportOptions,
  ImportHandle,
} from '../../src/blocks.ts'
import type { Arch } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, type Step, textOf } from './build.ts'

export interface FunctionModel {
  kind: 'function'
  name: string
  exported: ExportOptions | null
  adds: number[]
  calls: number[]
  /** Calls `_abs` of this way. */
  abs: 'stub' | 'got' | null
  loads: number[]
}

/** `target` is what its pointer leads to: a number of a variable, of a function, or the name of an import. */
export interface VariableModel {
  kind: 'variable'
  name: string
  exported: ExportOptions | null
  section: BlockSection
  size: number
  value: number
  align: number
  pointers: (string | number)[]
}

export type BlockModel = FunctionModel | VariableModel

export interface Model {
  arch: Arch
  dylib: boolean
  /** In the order of their declarations. */
  blocks: Map<number, BlockModel>
  /** By name and library. */
  imports: Map<string, [string, string | number]>
  serial: number
}

export interface Handles {
  blocks: Map<number, BlockHandle>
  imports: Map<string, ImportHandle>
}

const WEAK = new Set(['_nobody_has_it', '_nor_this'])

export function newModel(arch: Arch, dylib: boolean): Model {
  return { arch, dylib, blocks: new Map(), imports: new Map(), serial: 0 }
}

export function importKey(name: string, library: string | number): string {
  return `${name} of ${library}`
}

export function addImport(image: BlockImage, handles: Handles, name: string, library: string | number): void {
  handles.imports.set(importKey(name, library), image.addImport(name, library, { weak: WEAK.has(name) }))
}

const POINTER = { arm64: 'ARM64_RELOC_UNSIGNED', x86_64: 'X86_64_RELOC_UNSIGNED' } as const

/** Contents of a block as a compiler would give them. */
export function contentsOf(model: Model, handles: Handles, number: number): BlockUpdate {
  const block = model.blocks.get(number)!
  if (block.kind === 'function') return functionOf(model.arch, stepsOf(handles, block))
  if (block.section === '__DATA,__bss') return { section: block.section, align: block.align, code: block.size }
  const code = new Uint8Array(block.size)
  code[0] = block.pointers.length === 0 ? block.value : 0
  const relocations = block.pointers.map((pointer, i) => ({
    offset: i * 8,
    type: POINTER[model.arch],
    target: typeof pointer === 'number' ? handles.blocks.get(pointer)! : handles.imports.get(pointer)!,
  }))
  return { section: block.section, align: block.align, code, relocations }
}

function stepsOf(handles: Handles, block: FunctionModel): Step[] {
  const steps: Step[] = block.adds.map((add) => ({ add }))
  for (const call of block.calls) {
    const handle = handles.blocks.get(call)!
    steps.push(call % 2 === 0 ? { call: handle } : { callThroughGot: handle })
  }
  for (const load of block.loads) steps.push({ load: handles.blocks.get(load)! })
  const abs = handles.imports.get(importKey('_abs', LIBSYSTEM))!
  if (block.abs !== null) steps.push(block.abs === 'stub' ? { call: abs } : { callThroughGot: abs })
  return steps
}

/** What a function makes of x. A load adds the first word of what the variable's first pointer leads to. */
export function evaluate(model: Model, number: number, x: number): number {
  const block = model.blocks.get(number) as FunctionModel
  for (const add of block.adds) x = (x + add) | 0
  for (const call of block.calls) x = evaluate(model, call, x)
  for (const load of block.loads) {
    const variable = model.blocks.get(load) as VariableModel
    x = (x + (model.blocks.get(variable.pointers[0] as number) as VariableModel).value) | 0
  }
  return block.abs === null ? x : Math.abs(x) | 0
}

export function functionsOf(model: Model): number[] {
  return [...model.blocks].flatMap(([number, { kind }]) => (kind === 'function' ? [number] : []))
}

/** Declares and fills everything in another order than the model has it; names that several blocks have keep theirs. */
export function buildAfresh(model: Model, image: BlockImage, random: ReturnType<typeof randomFrom>): Handles {
  const handles: Handles = { blocks: new Map(), imports: new Map() }
  const shuffled = shuffle([...model.blocks.keys()], random)
  const names = [...model.blocks.values()].map(({ name }) => name)
  const shared = new Set(names.filter((name, i) => names.indexOf(name) !== i))
  const isShared = (number: number) => shared.has(model.blocks.get(number)!.name)
  const order = [...shuffled.filter((number) => !isShared(number)), ...[...model.blocks.keys()].filter(isShared)]
  for (const [name, library] of shuffle([...model.imports.values()], random)) addImport(image, handles, name, library)
  for (const number of order) handles.blocks.set(number, image.declareBlock(model.blocks.get(number)!.name))
  for (const number of shuffle(order, random)) {
    if (random() < 0.5) image.updateBlock(handles.blocks.get(number)!, contentsOf(model, handles, number))
    const { exported } = model.blocks.get(number)!
    if (exported !== null) image.exportSymbol(handles.blocks.get(number)!, exported)
  }
  for (const number of shuffle(order, random))
    image.updateBlock(handles.blocks.get(number)!, contentsOf(model, handles, number))
  return handles
}

export function shuffle<T>(list: readonly T[], random: ReturnType<typeof randomFrom>): T[] {
  const shuffled = [...list]
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]]
  }
  return shuffled
}

/** The entry point: prints what all functions make of 0 and leaves with 0. A library's returns it. */
export function mainOf(model: Model, handles: Handles): BlockUpdate {
  const blocks = functionsOf(model)
  const steps: Step[] = blocks.map((number) => ({ call: handles.blocks.get(number)! }))
  if (model.dylib) return functionOf(model.arch, steps)
  const printf = handles.imports.get(importKey('_printf', LIBSYSTEM))!
  const exit = handles.imports.get(importKey('_exit', LIBSYSTEM))!
  const sum = resultOf(model, 0)
  const format = handles.blocks.get(FORMAT)!
  return functionOf(model.arch, [...steps, { print: format, with: printf }, { add: -sum }, { call: exit }], 'zero')
}

export function resultOf(model: Model, x: number): number {
  return functionsOf(model).reduce((sum, number) => evaluate(model, number, sum), x)
}

/** Numbers of the blocks that are no part of the model: the entry point and the text it prints by. */
export const MAIN = -1
export const FORMAT = -2
export const MAIN_NAME = { execute: '_main', dylib: '_answer' } as const

/** Declares or fills both. */
export function finish(model: Model, image: BlockImage, handles: Handles): void {
  if (!handles.blocks.has(MAIN)) {
    handles.blocks.set(FORMAT, image.declareBlock('_format'))
    image.updateBlock(handles.blocks.get(FORMAT)!, textOf('%d\n'))
    handles.blocks.set(MAIN, image.declareBlock(MAIN_NAME[model.dylib ? 'dylib' : 'execute']))
    image.exportSymbol(handles.blocks.get(MAIN)!)
  }
  image.updateBlock(handles.blocks.get(MAIN)!, mainOf(model, handles))
}
