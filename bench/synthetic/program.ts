// What the synthetic program is: which function reaches what, and the checksum that a right link of it prints.
// All of it is a pure function of the options; nothing is remembered between objects but the sum.
import * as C from '../../src/formats/macho/constants.ts'
import type { Arch } from '../../src/types.ts'
import { CSTRING_SECTION, type Code, codeFor } from './code.ts'
import { addDebugInfo } from './debugInfo.ts'
import { unwindFunction, unwindSections } from './frames.ts'
import {
  addSection,
  addSymbol,
  alignCode,
  createObject,
  finishObject,
  GLOBAL,
  LOCAL,
  type ObjectFile,
  type ObjectSection,
  PRIVATE,
  R_EXTERN,
  R_QUAD,
  relocate,
  UNDEFINED,
} from './objectFile.ts'

export interface SyntheticOptions {
  arch: Arch
  objects: number
  /** Functions an object, 10 or more. */
  functions: number
  /** Relocated references a function, default 8. */
  references?: number
  seed?: number
  /** Namespace of all names, five letters, default `bench`: programs of different ones share no name. */
  space?: string
  /** Also a compile unit an object, and bytes in other sections of __DWARF, so that there is a debug map. */
  debug?: boolean
}

export interface SyntheticObject {
  name: string
  bytes: Uint8Array
}

export const IMPORTS = ['_abs', '_labs', '_toupper', '_tolower'] as const

const TEXT = 1
const DATA = 2
const CONST = 4
/** After __compact_unwind and, on x86_64, __eh_frame. */
const ZEROFILL_BYTES = 64

/** The kinds of drawn numbers, so that one question's answer says nothing about another's. */
const DRAW = { functionValue: 1, word: 2, kind: 3, target: 4, weakValue: 5, weakPick: 6, text: 7, other: 8 }

interface Program extends Required<SyntheticOptions> {
  code: Code
  /** Sizes of the pools of weak functions and of strings that objects share. */
  weakPool: number
  textPool: number
}

/** The object being made: ids of symbols that exist, by key. */
interface Draft {
  program: Program
  index: number
  object: ObjectFile
  text: ObjectSection
  data: ObjectSection
  cstring: ObjectSection
  functions: number[]
  words: number[]
  weak: number[]
  known: Map<string, number>
}

function draw(program: Program, question: number, a: number, b: number): number {
  let x = Math.imul(program.seed ^ (question << 24), 0x9e3779b1) ^ Math.imul(a + 1, 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) ^ Math.imul(b + 1, 0xc2b2ae35)
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}

/** One step of the checksum, as the code makes it. */
function step(sum: number, value: number): number {
  return Math.imul((sum + value) | 0, 33) >>> 0
}

function isStatic(j: number): boolean {
  return j % 10 >= 7
}

function functionKind(j: number): number {
  if (isStatic(j)) return LOCAL
  return j % 10 === 6 ? PRIVATE : GLOBAL
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

function functionName({ space }: Program, i: number, j: number): string {
  return `__ZN5${space}6u${pad(i, 5)}${isStatic(j) ? 'L' : ''}12compute_${pad(j, 4)}Ej`
}

function wordName({ space }: Program, i: number, j: number): string {
  return `__ZN5${space}6u${pad(i, 5)}${isStatic(j) ? 'L' : ''}10state_${pad(j, 4)}E`
}

function tableName({ space }: Program, i: number): string {
  return `__ZN5${space}6u${pad(i, 5)}5tableE`
}

function textOf(program: Program, pool: number, index: number): string {
  const head = draw(program, DRAW.text, pool, index).toString(16).padStart(8, '0')
  return `${head} message ${index} of ${pool === 0 ? 'all' : `object ${pool}`}: unexpected state`
}

function firstFour(text: string): number {
  let value = 0
  for (let i = 3; i >= 0; i--) value = (value << 8) | text.charCodeAt(i)
  return value
}

function weakValue(program: Program, weak: number): number {
  return (draw(program, DRAW.weakValue, weak, 0) + firstFour(textOf(program, 0, weak % program.textPool))) >>> 0
}

/** Values of the C library's functions for an ASCII letter. */
function importValue(which: number, argument: number): number {
  if (which < 2) return argument
  const letter = String.fromCharCode(argument)
  return (which === 2 ? letter.toUpperCase() : letter.toLowerCase()).charCodeAt(0)
}

function known(draft: Draft, name: string, make: () => number): number {
  const id = draft.known.get(name)
  if (id !== undefined) return id
  const made = make()
  draft.known.set(name, made)
  return made
}

function undefinedSymbol(draft: Draft, name: string): number {
  return known(draft, name, () => addSymbol(draft.object, name, UNDEFINED))
}

/** What the code needs to load a string; each string is in an object once. */
function stringTarget(draft: Draft, text: string): number {
  return known(draft, `"${text}`, () => {
    const { bytes } = draft.cstring
    const offset = bytes.length
    bytes.cstring(text)
    if (draft.program.code.stringTarget === 'offset') return offset
    return addSymbol(draft.object, `l_.str.${draft.known.size}`, LOCAL, CSTRING_SECTION, offset)
  })
}

/** A pointer in __data of its own; its symbol. */
function pointerTo(draft: Draft, target: number): number {
  const { data, object } = draft
  data.bytes.alignTo(8)
  const symbol = addSymbol(object, `__ZL8pointer_${pad(data.bytes.length, 6)}`, LOCAL, DATA, data.bytes.length)
  relocate(data, target, R_QUAD | R_EXTERN, C.X86_64_RELOC_UNSIGNED)
  data.bytes.u64(0)
  return symbol
}

/** Half of what an object reaches lies near it, as in real programs. */
function pickObject(program: Program, index: number, drawn: number): number {
  if ((drawn & 1) !== 0) return (drawn >>> 1) % program.objects
  return (index + program.objects + ((drawn >>> 1) % 31) - (15 % program.objects)) % program.objects
}

/** An item of object `i` that `from` can name: statics only at home. */
function pickItem(program: Program, from: number, i: number, drawn: number): number {
  let j = drawn % program.functions
  while (isStatic(j) && i !== from) j = (j + 1) % program.functions
  return j
}

function callFunction(draft: Draft, drawn: number, atHome: boolean): number {
  const { program, index, text } = draft
  const i = atHome ? index : pickObject(program, index, drawn)
  const j = pickItem(program, index, i, drawn >>> 8)
  program.code.call(text, 0, i === index ? draft.functions[j] : undefinedSymbol(draft, functionName(program, i, j)))
  return draw(program, DRAW.functionValue, i, j)
}

function callImport(draft: Draft, drawn: number): number {
  const { code } = draft.program
  const which = drawn % IMPORTS.length
  const argument = 65 + ((drawn >>> 8) % 26) + ((drawn >>> 16) & 1) * 32
  const symbol = undefinedSymbol(draft, IMPORTS[which])
  if ((drawn & 0x80000000) !== 0) code.callPointer(draft.text, argument, pointerTo(draft, symbol))
  else code.call(draft.text, argument, symbol)
  return importValue(which, argument)
}

function callWeak(draft: Draft, drawn: number): number {
  const { program, weak } = draft
  const id = weak[drawn % weak.length]
  program.code.call(draft.text, 0, draft.known.get(`weak ${id}`)!)
  return weakValue(program, id)
}

/** A word of another object through the GOT or a pointer. */
function loadFar(draft: Draft, drawn: number, throughPointer: boolean): number {
  const { program, index, text } = draft
  const i = pickObject(program, index, drawn)
  const j = pickItem(program, index, i, drawn >>> 8)
  const symbol = i === index ? draft.words[j] : undefinedSymbol(draft, wordName(program, i, j))
  if (throughPointer) program.code.loadThrough(text, pointerTo(draft, symbol))
  else program.code.loadFromGot(text, symbol)
  return draw(program, DRAW.word, i, 2 * j)
}

function loadNear(draft: Draft, drawn: number): number {
  const { program, index } = draft
  const j = drawn % program.functions
  const half = (drawn >>> 16) & 1
  program.code.load(draft.text, draft.words[j], 4 * half)
  return draw(program, DRAW.word, index, 2 * j + half)
}

function loadString(draft: Draft, drawn: number): number {
  const { program, index } = draft
  const shared = (drawn & 1) !== 0
  const text = textOf(program, shared ? 0 : index + 1, (drawn >>> 1) % (shared ? program.textPool : 1 << 16))
  program.code.loadString(draft.text, stringTarget(draft, text))
  return firstFour(text)
}

/** Of ten references three are calls to anywhere, and one each of the other kinds. */
function addReference(draft: Draft, j: number, r: number): number {
  const { program, index } = draft
  const place = j * program.references + r
  const drawn = draw(program, DRAW.target, index, place)
  const kind = draw(program, DRAW.kind, index, place) % 10
  if (kind < 3) return callFunction(draft, drawn, false)
  if (kind === 3) return callFunction(draft, drawn, true)
  if (kind === 4) return callWeak(draft, drawn)
  if (kind === 5) return callImport(draft, drawn)
  if (kind === 6) return loadNear(draft, drawn)
  if (kind === 7) return loadString(draft, drawn)
  return loadFar(draft, drawn, kind === 9)
}

/** Returns what the function returns for an argument that is not 0. */
function addFunction(draft: Draft, j: number): number {
  const { program, object, text } = draft
  alignCode(program.arch, text)
  const start = text.bytes.length
  object.values[draft.functions[j]] = start
  let value = draw(program, DRAW.functionValue, draft.index, j)
  const branch = program.code.begin(text, value)
  for (let r = 0; r < program.references; r++) value = step(value, addReference(draft, j, r))
  program.code.end(text, branch)
  unwindFunction(object, start, text.bytes.length - start, program.code.frameEncoding)
  return value
}

/** A function of the value and the string of a weak one. */
function addLeaf(draft: Draft, symbol: number, weak: number): void {
  const { program, object, text } = draft
  const target = stringTarget(draft, textOf(program, 0, weak % program.textPool))
  alignCode(program.arch, text)
  const start = text.bytes.length
  object.values[symbol] = start
  program.code.leaf(text, draw(program, DRAW.weakValue, weak, 0), target)
  unwindFunction(object, start, text.bytes.length - start, program.code.leafEncoding)
}

/** Distinct weak functions: half a run that the neighbours have too, half from anywhere. */
function pickWeak(program: Program, index: number): number[] {
  const picked = new Set<number>()
  const run = draw(program, DRAW.other, index >> 4, 0)
  const count = Math.max(1, Math.floor(program.functions / 5))
  for (let k = 0; k < count; k++)
    picked.add(((k & 1) === 0 ? run + k : draw(program, DRAW.weakPick, index, k)) % program.weakPool)
  return [...picked]
}

function newDraft(program: Program, index: number): Draft {
  const object = createObject(program.arch)
  const text = addSection(object, '__TEXT', '__text', TEXT_FLAGS, program.arch === 'arm64' ? 2 : 4)
  const data = addSection(object, '__DATA', '__data', C.S_REGULAR, 3)
  const cstring = addSection(object, '__TEXT', '__cstring', C.S_CSTRING_LITERALS, 0)
  addSection(object, '__DATA', '__const', C.S_REGULAR, 3)
  unwindSections(object)
  addSection(object, '__DATA', '__bss', C.S_ZEROFILL, 3)
  return { program, index, object, text, data, cstring, functions: [], words: [], weak: [], known: new Map() }
}

const TEXT_FLAGS = C.S_REGULAR + C.S_ATTR_PURE_INSTRUCTIONS + C.S_ATTR_SOME_INSTRUCTIONS

function declare(draft: Draft): void {
  const { program, index, object, data } = draft
  if (program.arch === 'arm64')
    for (let s = 1; s < object.sections.length; s++) addSymbol(object, `ltmp${s - 1}`, LOCAL, s, 0)
  for (let j = 0; j < program.functions; j++)
    draft.functions.push(addSymbol(object, functionName(program, index, j), functionKind(j), TEXT))
  for (let j = 0; j < program.functions; j++) {
    draft.words.push(
      addSymbol(object, wordName(program, index, j), isStatic(j) ? LOCAL : GLOBAL, DATA, data.bytes.length),
    )
    for (let half = 0; half < 2; half++) data.bytes.u32(draw(program, DRAW.word, index, 2 * j + half))
  }
  draft.weak = pickWeak(program, index)
  for (const id of draft.weak) {
    const symbol = addSymbol(object, `__ZN5${program.space}6sharedILi${id}EEEjv`, GLOBAL, TEXT, 0, C.N_WEAK_DEF)
    draft.known.set(`weak ${id}`, symbol)
  }
}

/** The object's table of functions, which ends with 0, and its zerofill. */
function addTable(draft: Draft): void {
  const { object } = draft
  const table = object.sections[CONST - 1]
  addSymbol(object, tableName(draft.program, draft.index), GLOBAL, CONST)
  for (const symbol of draft.functions) {
    relocate(table, symbol, R_QUAD | R_EXTERN, C.X86_64_RELOC_UNSIGNED)
    table.bytes.u64(0)
  }
  table.bytes.u64(0)
  const last = object.sections.length
  object.sections[last - 1].zerofill = ZEROFILL_BYTES
  addSymbol(object, `__ZN5${draft.program.space}6u${pad(draft.index, 5)}L5cacheE`, LOCAL, last)
}

function allTables(program: Program): Uint8Array {
  const object = createObject(program.arch)
  const section = addSection(object, '__DATA', '__const', C.S_REGULAR, 3)
  addSymbol(object, `_${program.space}_tables`, GLOBAL, 1)
  for (let i = 0; i < program.objects; i++) {
    relocate(section, addSymbol(object, tableName(program, i), UNDEFINED), R_QUAD | R_EXTERN, C.X86_64_RELOC_UNSIGNED)
    section.bytes.u64(0)
  }
  section.bytes.u64(0)
  return finishObject(object)
}

/**
 * Yields the objects of the program one by one, all but main.o, and returns the checksum that it prints. The same options give the same bytes.
 * Throws RangeError when a count is outside 1 to 99999 objects and 10 to 9999 functions.
 */
export function* syntheticObjects(options: SyntheticOptions): Generator<SyntheticObject, number> {
  const { objects, functions } = options
  const program = createProgram(options)
  let sum = 0
  for (let i = 0; i < objects; i++) {
    const draft = newDraft(program, i)
    declare(draft)
    for (let j = 0; j < functions; j++) sum = step(sum, addFunction(draft, j))
    yield { name: `u${pad(i, 5)}.o`, bytes: endObject(draft) }
  }
  yield { name: 'tables.o', bytes: allTables(program) }
  return sum
}

/** Object `index` of the program as it is after an edit: with one more function, which nothing calls. @throws as `syntheticObjects` */
export function syntheticObjectWith(options: SyntheticOptions, index: number, added: string): Uint8Array {
  const program = createProgram(options)
  const draft = newDraft(program, index)
  declare(draft)
  const symbol = addSymbol(draft.object, added, GLOBAL, TEXT)
  for (let j = 0; j < program.functions; j++) addFunction(draft, j)
  addLeaf(draft, symbol, draft.weak[0])
  return endObject(draft)
}

function endObject(draft: Draft): Uint8Array {
  const { program, index, object, text } = draft
  for (const id of draft.weak) addLeaf(draft, draft.known.get(`weak ${id}`)!, id)
  addTable(draft)
  if (program.debug) addDebugInfo(object, `u${pad(index, 5)}`, text.bytes.length)
  return finishObject(object)
}

function createProgram(options: SyntheticOptions): Program {
  const { objects, functions } = options
  if (!(objects >= 1 && objects <= 99999 && functions >= 10 && functions <= 9999))
    throw new RangeError(`expected 1 to 99999 objects and 10 to 9999 functions, got ${objects} and ${functions}`)
  const weakPool = Math.max(40, Math.floor((objects * functions) / 100))
  const textPool = Math.max(50, Math.floor((objects * functions) / 20))
  return {
    references: 8,
    seed: 1,
    space: 'bench',
    debug: false,
    ...options,
    code: codeFor(options.arch),
    weakPool,
    textPool,
  }
}
