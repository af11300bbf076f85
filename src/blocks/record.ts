// The record of an edited image: what its file does not say of itself, so that it can be opened again. It lies in __LINKEDIT, where an
// LC_NOTE finds it. Numbers are LEB128, names a length and bytes:
//   magic, hash of all that follows (4 bytes each, little-endian)
//   flags RECORD_*, headerPad, entry point's name, output's name
//   of a linked file (RECORD_LINKED): the file as it was, and what edits made of it (linked/record.ts)
//   source files: count; path
//   imports   count; name, ordinal (signed), flags IMPORT_WEAK and IMPORT_WEAK_DEF
//   blocks    count; name, flags EDIT_* and RECORD_THREAD_LOCAL, then
//             a re-export's import (number); an exported block's resolver (number + 1, or 0); of one with contents its section (number),
//             log2 alignment, size, offset in the section, compact unwind encoding, references: count; offset, type, width, target (twice the number of a block,
//             or that of an import and 1), addend (signed); source file (number + 1, or 0) and its rows: count; offset, line, column
// Personality and language-specific data are references of types 16 and 17. Blocks are in the order of their names, references as they were given.
import {
  EDIT_BODY,
  EDIT_EXPORTED,
  EDIT_HIDDEN,
  EDIT_PLACED,
  EDIT_REEXPORT,
  EDIT_UNDEFINED,
  EDIT_WEAK,
} from '../../components/edits.ts'
import { IMPORT_DYNAMIC_LOOKUP, IMPORT_OWN, IMPORT_WEAK, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { ByteSink, fromText, writeU32 } from '../core/bytes.ts'
import { hashBytes } from '../core/hash.ts'
import { UNWIND_HAS_LSDA, UNWIND_PERSONALITY_MASK } from '../formats/unwind/constants.ts'
import { blocksInOrder, importsInOrder } from './compact.ts'
import { FIELDS, linesOf } from './debug.ts'
import { type Base, isLinked } from './linked/base.ts'
import { appendLinked, appendOriginal, appendStrong } from './linked/record.ts'
import { signatureName } from './linkedit.ts'
import type { State } from './state.ts'
import { stringBytes } from './strings.ts'

export const RECORD_OWNER = 'colonnade.blocks'
/** `CBR4` */
export const RECORD_MAGIC = 0x34524243
export const RECORD_START = 8
export const RECORD_THROUGH_GOT = 1
export const RECORD_LOOK_UP = 2
export const RECORD_LINKED = 4
/** Beside those of EDIT_*. */
export const RECORD_THREAD_LOCAL = 1 << 16
const FLAGS = EDIT_PLACED | EDIT_EXPORTED | EDIT_HIDDEN | EDIT_WEAK | EDIT_UNDEFINED | EDIT_REEXPORT

/** Rows of blocks and imports are by number. */
export interface Recorded {
  bytes: Uint8Array
  recordedBlocks: number[]
  recordedImports: number[]
}

/** `original`: also what a linked file was. */
export function encodeRecord(state: State, original = true): Recorded {
  const { base } = state
  const sink = new ByteSink()
  sink.u32(RECORD_MAGIC)
  sink.u32(0)
  const flags = (state.throughGot ? RECORD_THROUGH_GOT : 0) | (state.lookUp ? RECORD_LOOK_UP : 0)
  sink.uleb(flags | (base === null ? 0 : RECORD_LINKED))
  sink.uleb(state.settings.headerPad)
  appendName(sink, state.entryName)
  appendName(sink, fromText(signatureName(state)))
  const numbers: Numbers = {
    blocks: new Uint32Array(state.blocks.rows + 1),
    imports: new Uint32Array(state.imports.rows + 1),
    sources: new Map(),
  }
  const blocks = blocksInOrder(state).filter((block) => !isImplied(state, block))
  for (const [number, block] of blocks.entries()) numbers.blocks[block] = number
  if (base !== null) numberLinked(base, numbers, blocks.length)
  if (base !== null) appendStrong(state, base, sink)
  if (base !== null && original) appendOriginal(state, base, sink)
  appendSources(state, sink, numbers.sources, blocks)
  const recordedImports = appendImports(state, sink, numbers.imports)
  sink.uleb(blocks.length)
  for (const block of blocks) appendBlock(state, sink, numbers, block)
  if (base !== null) {
    const contents = (block: number) => appendContents(state, sink, numbers, block)
    const references = (block: number) => appendReferences(state, sink, numbers, block)
    appendLinked(state, base, sink, contents, references, numbers.blocks)
  }
  const bytes = sink.finish()
  writeU32(bytes, 4, hashBytes(bytes, RECORD_START, bytes.length))
  return { bytes, recordedBlocks: blocks, recordedImports }
}

interface Numbers {
  blocks: Uint32Array
  imports: Uint32Array
  sources: Map<string, number>
}

/** What is made again with what is recorded. */
function isImplied(state: State, block: number): boolean {
  if (block === state.loaderCache || state.blocks.Place.flags[block] & EDIT_BODY) return true
  return isLinked(state, block)
}

/** Blocks and imports of the file have their numbers by their order there: imports in front of others, blocks behind them. */
function numberLinked(base: Base, numbers: Numbers, count: number): void {
  for (let i = 0; i < base.count; i++) numbers.blocks[base.firstBlock + i] = count + i
  for (let made = 1; made < base.original.importFlags.length; made++) numbers.imports[made] = made - 1
}

export function appendName(sink: ByteSink, name: Uint8Array): void {
  sink.uleb(name.length)
  sink.append(name)
}

function appendSources(state: State, sink: ByteSink, numbers: Map<string, number>, blocks: readonly number[]): void {
  for (const block of blocks) {
    const lines = linesOf(state, block)
    if (lines !== null && !numbers.has(lines.file)) numbers.set(lines.file, numbers.size)
  }
  sink.uleb(numbers.size)
  for (const path of numbers.keys()) appendName(sink, fromText(path))
}

/** Those that were asked for; others are made again where they are needed. */
function appendImports(state: State, sink: ByteSink, numbers: Uint32Array): number[] {
  const { flags, ordinal } = state.imports.Library
  const firstOwn = state.base?.original.importFlags.length ?? 1
  const imports = importsInOrder(state).filter((made) => {
    const own = flags[made] & (IMPORT_OWN | IMPORT_DYNAMIC_LOOKUP)
    return !own && !(made === state.bootstrap && state.bootstrapIsOurs) && made >= firstOwn
  })
  sink.uleb(imports.length)
  for (const [number, made] of imports.entries()) {
    numbers[made] = firstOwn - 1 + number
    appendName(sink, stringBytes(state, state.uses.Uses.string[made]))
    sink.sleb(ordinal[made])
    sink.uleb(flags[made] & (IMPORT_WEAK | IMPORT_WEAK_DEF))
  }
  return imports
}

function appendBlock(state: State, sink: ByteSink, numbers: Numbers, block: number): void {
  const { Place, Entry } = state.blocks
  appendName(sink, stringBytes(state, Entry.string[block]))
  const flags = Place.flags[block] & FLAGS
  sink.uleb(flags + (Entry.descriptor[block] === 0 ? 0 : RECORD_THREAD_LOCAL))
  if (flags & EDIT_REEXPORT) return sink.uleb(numbers.imports[Entry.definition[block] & 0x7fffffff])
  if (flags & EDIT_EXPORTED) sink.uleb(Entry.resolver[block] === 0 ? 0 : numbers.blocks[Entry.resolver[block]] + 1)
  if (flags & EDIT_PLACED) appendContents(state, sink, numbers, block)
}

function appendContents(state: State, sink: ByteSink, numbers: Numbers, block: number): void {
  const { Place, Entry } = state.blocks
  sink.uleb(state.outputs.Section.index[Place.section[block]])
  sink.uleb(Place.alignPow2[block])
  sink.uleb(Place.size[block])
  sink.uleb(Place.offset[block])
  sink.uleb((Entry.unwind[block] & ~(UNWIND_HAS_LSDA | UNWIND_PERSONALITY_MASK)) >>> 0)
  appendReferences(state, sink, numbers, block)
  const lines = linesOf(state, block)
  if (lines === null) return sink.u8(0)
  sink.uleb(numbers.sources.get(lines.file)! + 1)
  sink.uleb(lines.rows.length / FIELDS)
  for (const number of lines.rows) sink.uleb(number)
}

function appendReferences(state: State, sink: ByteSink, numbers: Numbers, block: number): void {
  const { Site, Chain } = state.references
  const references: number[] = []
  for (let r = state.blocks.Links.references[block]; r !== 0; r = Chain.next[r]) references.push(r)
  sink.uleb(references.length)
  for (const r of references.reverse()) {
    const target = Site.target[r]
    sink.uleb(Site.offset[r])
    sink.u8(Site.type[r])
    sink.u8(Site.width[r])
    sink.uleb(target & TARGET_IMPORT ? numbers.imports[target & 0x7fffffff] * 2 + 1 : numbers.blocks[target] * 2)
    sink.sleb(Site.addend[r])
  }
}
