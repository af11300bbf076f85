// The symbols of an object: locals, externals, and names that are defined elsewhere or tentatively.
import { EDIT_EXPORTED } from '../../components/edits.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import type { ByteSink } from '../core/bytes.ts'
import { importsInOrder } from './compact.ts'
import { definitionOf } from './entries.ts'
import type { State } from './state.ts'
import { stringText } from './strings.ts'

export interface ObjectSection {
  output: number
  blocks: number[]
  address: number
  size: number
  alignPow2: number
  fileOffset: number
  relocations: Uint8Array
  relocationsAt: number
}

/** Owners by row, and rows by block or import and 1: what a reference names. */
export interface ObjectSymbols {
  locals: number[]
  externals: number[]
  /** TARGET_IMPORT | import, or a block: a name without definition, or a tentative one. */
  undefineds: number[]
  ofBlock: Uint32Array
  ofImport: Uint32Array
  /** Of what a thread-local variable begins with, whose name is that of its descriptor. */
  ofInitial: Uint32Array
}

/** Of a relocation record: it names a symbol. */
export const EXTERN = 1 << 27
/** An owner that is what a thread-local variable begins with: INITIAL | block. */
export const INITIAL = 2 ** 30

/** A pointer to a symbol, of a type that both architectures give the same number. */
export function appendPointer(sink: ByteSink, address: number, symbol: number): void {
  sink.u32(address)
  sink.u32((symbol | (3 << 25) | EXTERN) >>> 0)
}

/** By block. */
export interface ObjectPlaces {
  contents: Float64Array
  descriptors: Float64Array
  unwind: Float64Array
}

export function nameOf(state: State, owner: number): string {
  if (owner & TARGET_IMPORT) return stringText(state, state.uses.Uses.string[owner & 0x7fffffff])
  const name = stringText(state, state.blocks.Entry.string[owner % INITIAL])
  return owner >= INITIAL ? `${name}$tlv$init` : name
}

export function isTentative(state: State, block: number): boolean {
  const { section, flags } = state.blocks.Place
  return section[block] === state.sections.common && (flags[block] & EDIT_EXPORTED) !== 0
}

export function numberSymbols(
  state: State,
  blocks: readonly number[],
  sections: readonly ObjectSection[],
): ObjectSymbols {
  const { flags } = state.blocks.Place
  const { threadVariables, unwind } = state.sections
  const stored = sections.filter(({ output }) => output !== threadVariables && output !== unwind)
  const defined = stored.flatMap((section) => section.blocks)
  const order = new Float64Array(state.blocks.rows + 1)
  for (const [i, block] of blocks.entries()) order[block] = i
  defined.sort((a, b) => order[a] - order[b])
  const symbols: ObjectSymbols = {
    locals: defined.filter((block) => !(flags[block] & EDIT_EXPORTED)),
    externals: defined.filter((block) => flags[block] & EDIT_EXPORTED),
    undefineds: [],
    ofBlock: new Uint32Array(state.blocks.rows + 1),
    ofImport: new Uint32Array(state.imports.rows + 1),
    ofInitial: new Uint32Array(state.blocks.rows + 1),
  }
  const variables = defined.filter((block) => state.blocks.Entry.descriptor[block] !== 0)
  for (const block of variables) {
    symbols.locals.push(INITIAL + block)
    symbols.ofInitial[block] = symbols.locals.length
  }
  for (const [row, block] of [...symbols.locals, ...symbols.externals].entries())
    if (block < INITIAL) symbols.ofBlock[block] = row + 1
  addUndefineds(state, blocks, symbols)
  return symbols
}

/** Tentative definitions, and what references name; an object knows no libraries, so that imports of one name are one symbol. */
function addUndefineds(state: State, blocks: readonly number[], symbols: ObjectSymbols): void {
  const { Site, Chain } = state.references
  const wanted = new Set<number>()
  if (symbols.ofInitial.some((row) => row !== 0)) wanted.add((TARGET_IMPORT | state.bootstrap) >>> 0)
  for (const block of [...symbols.locals, ...symbols.externals].filter((owner) => owner < INITIAL))
    for (let r = state.blocks.Links.references[block]; r !== 0; r = Chain.next[r])
      wanted.add(namedBy(state, Site.target[r]))
  const owners: number[] = []
  for (const block of blocks) {
    const tentative = isTentative(state, block) && state.blocks.Entry.row[block] !== 0
    if (symbols.ofBlock[block] === 0 && (tentative || wanted.has(block))) owners.push(block)
  }
  for (const made of importsInOrder(state))
    if (wanted.has((TARGET_IMPORT | made) >>> 0)) owners.push((TARGET_IMPORT | made) >>> 0)
  const rows = new Map<string, number>()
  const names = new Map(owners.map((owner) => [owner, nameOf(state, owner)]))
  owners.sort((a, b) => (names.get(a)! < names.get(b)! ? -1 : Number(names.get(a)! > names.get(b)!)))
  for (const owner of owners) {
    const name = names.get(owner)!
    if (!rows.has(name))
      rows.set(name, symbols.locals.length + symbols.externals.length + symbols.undefineds.push(owner))
    if (owner & TARGET_IMPORT) symbols.ofImport[owner & 0x7fffffff] = rows.get(name)!
    else symbols.ofBlock[owner] = rows.get(name)!
  }
}

/** The block or import whose name stands for a target. */
function namedBy(state: State, target: number): number {
  const definition = definitionOf(state, target)
  if ((definition & TARGET_IMPORT) === 0) return definition
  return state.imports.Library.symbol[definition & 0x7fffffff] || definition
}

/** Row of the symbol by which a reference names its target. */
export function symbolOf(state: State, symbols: ObjectSymbols, target: number): number {
  const named = namedBy(state, target)
  return (named & TARGET_IMPORT ? symbols.ofImport[named & 0x7fffffff] : symbols.ofBlock[named]) - 1
}
