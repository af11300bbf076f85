// Random edits of a model and of the image that holds it.
import type { randomFrom } from '../../bench/random.ts'
import type { BlockImage, BlockSection } from '../../src/blocks.ts'
import { LIBSYSTEM } from './build.ts'
import {
  addImport,
  contentsOf,
  type FunctionModel,
  functionsOf,
  type Handles,
  importKey,
  type Model,
  type VariableModel,
} from './model.ts'

export interface Editor {
  model: Model
  image: BlockImage
  handles: Handles
  random: ReturnType<typeof randomFrom>
  /** Objects have no addresses to ask for, and names of theirs that nobody has do not link. */
  object?: boolean
  /** Several blocks have one name. */
  shared?: boolean
}

const MOST = 80
const IMPORTS: [string, string | number][] = [
  ['_puts', LIBSYSTEM],
  ['_malloc', LIBSYSTEM],
  ['_free', LIBSYSTEM],
  ['_strlen', -2],
  ['_getpid', LIBSYSTEM],
  ['_nobody_has_it', -2],
  ['_nor_this', LIBSYSTEM],
]
const SECTIONS: BlockSection[] = ['__DATA,__data', '__DATA_CONST,__const', '__TEXT,__const', '__DATA,__bss']

function below({ random }: Editor, limit: number): number {
  return Math.floor(random() * limit)
}

function pick<T>(editor: Editor, list: readonly T[]): T {
  return list[below(editor, list.length)]
}

function nameFor(editor: Editor): string {
  if (editor.shared && below(editor, 12) === 0) return '_shared'
  return `_${'qzaf'[below(editor, 4)]}${editor.model.serial++}${'x'.repeat(below(editor, 30))}`
}

function update({ model, image, handles }: Editor, number: number): void {
  image.updateBlock(handles.blocks.get(number)!, contentsOf(model, handles, number))
}

/** Numbers of blocks grow; a function calls those of lower numbers, a pointer leads anywhere. */
function declare(editor: Editor): number {
  const { model, image, handles } = editor
  const number = 10 + model.serial++ * 3 + below(editor, 2)
  const name = nameFor(editor)
  handles.blocks.set(number, image.declareBlock(name))
  const common = { name, exported: null }
  if (below(editor, 3) > 0)
    model.blocks.set(number, { kind: 'function', ...common, adds: [], calls: [], abs: null, loads: [] })
  else
    model.blocks.set(number, {
      kind: 'variable',
      ...common,
      section: '__DATA,__data',
      size: 8,
      value: 0,
      align: 8,
      pointers: [],
    })
  return number
}

function variablesOf(model: Model, pointing: boolean): number[] {
  return [...model.blocks].flatMap(([number, block]) => {
    if (block.kind !== 'variable' || block.pointers.length > 0 !== pointing) return []
    return !pointing || typeof block.pointers[0] === 'number' ? [number] : []
  })
}

/** Variables without pointers of their own whose values the first pointer of another may lead to. */
function plainVariables(model: Model): number[] {
  return variablesOf(model, false)
}

function fillFunction(editor: Editor, number: number, block: FunctionModel): void {
  const { model } = editor
  block.adds = Array.from(
    { length: 1 + below(editor, below(editor, 4) === 0 ? 60 : 5) },
    () => below(editor, 1000) - 500,
  )
  const callees = functionsOf(model).filter((callee) => callee < number && model.blocks.get(callee) !== block)
  block.calls = callees.length === 0 ? [] : Array.from({ length: below(editor, 3) }, () => pick(editor, callees))
  // What is called calls little itself, so that no chain of calls grows without bound.
  block.calls = block.calls.filter((callee) => (model.blocks.get(callee) as FunctionModel).calls.length < 2).slice(0, 2)
  block.abs = pick(editor, [null, null, null, 'stub', 'got'] as const)
  const readable = loadable(model)
  block.loads = readable.length > 0 && below(editor, 2) === 0 ? [pick(editor, readable)] : []
}

/** Pointers whose first leads to a plain variable. */
function loadable(model: Model): number[] {
  return variablesOf(model, true).filter((number) => {
    const [first] = (model.blocks.get(number) as VariableModel).pointers
    const target = model.blocks.get(first as number)
    return target?.kind === 'variable' && target.pointers.length === 0
  })
}

function fillVariable(editor: Editor, number: number, block: VariableModel): void {
  const { model } = editor
  const used = [...model.blocks.values()].some(
    (other) =>
      (other.kind === 'function' && other.loads.includes(number)) ||
      (other.kind === 'variable' && other.pointers[0] === number),
  )
  const plain = plainVariables(model).filter((other) => other !== number)
  const pointing = used ? block.pointers.length > 0 : plain.length > 2 && below(editor, 2) === 0
  block.section = pick(editor, pointing ? SECTIONS.slice(0, 2) : SECTIONS)
  block.align = 2 ** below(editor, below(editor, 10) === 0 ? 9 : 4)
  block.size = 8 * (1 + below(editor, 8))
  block.value = block.section === '__DATA,__bss' ? 0 : below(editor, 200)
  block.pointers = []
  if (!pointing) return
  const anywhere = [...[...model.blocks.keys()].filter((other) => other !== number), ...model.imports.keys()]
  block.pointers = [pick(editor, plain), ...Array.from({ length: below(editor, 5) }, () => pick(editor, anywhere))]
  block.size = (block.pointers.length + below(editor, 2)) * 8
}

function fill(editor: Editor, number: number): void {
  const block = editor.model.blocks.get(number)!
  if (block.kind === 'function') fillFunction(editor, number, block)
  else fillVariable(editor, number, block)
  update(editor, number)
}

/** Takes a block out; what refers to it is filled again first, without it. */
function remove(editor: Editor, number: number): void {
  const { model, image, handles } = editor
  const gone = handles.blocks.get(number)!
  model.blocks.delete(number)
  for (const [user, block] of model.blocks) {
    const uses = block.kind === 'function' ? [...block.calls, ...block.loads] : block.pointers
    if (!uses.includes(number)) continue
    if (block.kind === 'function') {
      block.calls = block.calls.filter((callee) => callee !== number)
      block.loads = block.loads.filter((load) => load !== number)
    } else if (block.pointers[0] === number) block.pointers[0] = pick(editor, plainVariables(model))
    if (block.kind === 'variable') block.pointers = block.pointers.filter((pointer, i) => i === 0 || pointer !== number)
    update(editor, user)
  }
  image.freeBlock(gone)
  handles.blocks.delete(number)
}

/** Returns whether the image is another now: of an import that is in use only an entry is asked for. */
function editImports(editor: Editor): boolean {
  const { model, image, handles } = editor
  if (editor.object) return false
  const [name, library] = pick(editor, IMPORTS)
  const key = importKey(name, library)
  if (!model.imports.has(key)) {
    model.imports.set(key, [name, library])
    addImport(image, handles, name, library)
    return true
  }
  if (below(editor, 2) === 0) image.gotAddressOf(handles.imports.get(key)!)
  else image.stubAddressOf(handles.imports.get(key)!)
  if ([...model.blocks.values()].some((block) => block.kind === 'variable' && block.pointers.includes(key)))
    return false
  image.freeImport(handles.imports.get(key)!)
  model.imports.delete(key)
  handles.imports.delete(key)
  return true
}

/** Exports a block, or exports it no longer; false where another one of its name is. */
function editExport({ model, image, handles, random }: Editor, number: number): boolean {
  const block = model.blocks.get(number)!
  const taken = [...model.blocks.values()].some((other) => other.exported !== null && other.name === block.name)
  if (block.exported === null && taken) return false
  block.exported = block.exported === null ? { hidden: random() < 0.25, weak: random() < 0.25 } : null
  if (block.exported !== null) image.exportSymbol(handles.blocks.get(number)!, block.exported)
  else image.unexportSymbol(handles.blocks.get(number)!)
  return true
}

function askForEntry({ model, image, handles, object }: Editor, number: number): void {
  if (object) return
  if (model.blocks.get(number)!.kind === 'function') image.stubAddressOf(handles.blocks.get(number)!)
  else image.gotAddressOf(handles.blocks.get(number)!)
}

/** One edit of the model and of the image. Returns whether it changes the image, beside entries that were asked for. */
export function edit(editor: Editor): boolean {
  const { model, image, handles } = editor
  const numbers = [...model.blocks.keys()]
  const number = numbers.length === 0 ? 0 : pick(editor, numbers)
  const what = below(editor, 12)
  if (numbers.length < 12 || (what < 2 && numbers.length < MOST)) fill(editor, declare(editor))
  else if (what < 3) {
    if (plainVariables(model).length <= 4) return false
    remove(editor, number)
  } else if (what === 3) {
    const block = model.blocks.get(number)!
    if (block.exported) return false
    block.name = nameFor(editor)
    image.renameBlock(handles.blocks.get(number)!, block.name)
  } else if (what < 6) return editExport(editor, number)
  else if (what === 6) return editImports(editor)
  else if (what === 7) {
    askForEntry(editor, number)
    return false
  } else fill(editor, number)
  return true
}

/** Edits until as many of them have changed the image. */
export function editTimes(editor: Editor, changes: number): void {
  for (let changed = 0; changed < changes; ) if (edit(editor)) changed++
}
