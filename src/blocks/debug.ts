// Line tables of blocks, and what is made of them: a companion file that a debugger finds by the image's UUID. Files whose blocks are as
// they were keep their unit.
import { createEditSources, EDIT_EXPORTED, EDIT_HIDDEN, type EditSources } from '../../components/edits.ts'
import { growColumns } from '../../components/columns.ts'
import { fromText } from '../core/bytes.ts'
import type { FileStat } from '../host/host.ts'
import { type DebugFunction, type EncodedUnit, encodeUnit } from '../formats/dwarf/encodeUnit.ts'
import { blockAddress } from './entries.ts'
import type { State } from './state.ts'
import { stringText } from './strings.ts'
import type { BlockLine } from './types.ts'

export const PRODUCER = 'colonnade'
/** Numbers of a row. */
export const FIELDS = 3

/** Where a unit's parts stand in the companion file. */
export type UnitPlaces = { info: number; lines: number; ranges: number; addresses: number }

/** `name` is where the path stands in .debug_str; `first` leads its blocks. `unit` is `stale` where something in it is another. */
export interface SourceFile {
  path: string
  name: number
  first: number
  unit: EncodedUnit | null
  stale: boolean
  places: UnitPlaces
}

export interface DwarfSection {
  name: string
  size: number
  offset: number
}

export interface Debug {
  sources: EditSources
  /** By block: offset, line and column of each row. */
  lines: (Uint32Array | undefined)[]
  /** In the order of their coming; the first one is nobody's. */
  files: SourceFile[]
  byPath: Map<string, number>
  nextName: number
  /** What the last flush wrote, where its symbols begin, and how it was left. */
  bytes: Uint8Array | null
  symbolsAt: number
  sections: DwarfSection[]
  stat: FileStat | null
}

/** What a block brings, or null. */
export interface CheckedLines {
  file: string
  rows: Uint32Array
}

/** @throws TypeError */
export function checkLines(file: unknown, lines: readonly BlockLine[] | undefined, size: number): CheckedLines | null {
  if (lines === undefined || lines.length === 0) return null
  const refuse = (text: string): never => {
    throw new TypeError(`updateBlock: ${text}`)
  }
  if (typeof file !== 'string' || file === '' || file.includes('\0')) refuse('expected the file of the lines')
  const rows = new Uint32Array(lines.length * FIELDS)
  let before = 0
  for (const [i, { offset, line, column = 0 }] of lines.entries()) {
    const numbers = [offset, line, column]
    if (numbers.some((number) => !Number.isInteger(number) || number < 0 || number > 0x7fffffff))
      refuse(`expected offset, line and column from 0 on, got ${numbers.join(' ')}`)
    if (offset < before || offset >= size)
      refuse(`expected offsets of lines that ascend and are below ${size}, got ${offset}`)
    before = offset
    rows.set(numbers, i * FIELDS)
  }
  return { file: file as string, rows }
}

function createDebug(rows: number): Debug {
  const nobody = newFile('', 0)
  const nextName = fromText(PRODUCER).length + 1
  const files = { files: [nobody], byPath: new Map<string, number>(), nextName }
  return { sources: createEditSources(rows), lines: [], ...files, bytes: null, symbolsAt: 0, sections: [], stat: null }
}

function newFile(path: string, name: number): SourceFile {
  const places = { info: 0, lines: 0, ranges: 0, addresses: 0 }
  return { path, name, first: 0, unit: null, stale: false, places }
}

/** The block has these lines from now on. */
export function setLines(state: State, block: number, lines: CheckedLines | null): void {
  dropLines(state, block)
  if (lines === null) return
  state.debug ??= createDebug(state.blocks.rows)
  const { sources, files } = state.debug
  if (block > sources.rows) {
    sources.rows = state.blocks.rows
    growColumns(sources.Source, sources.rows)
  }
  const { file, previous, next } = sources.Source
  const of = fileOf(state.debug, lines.file)
  const first = files[of].first
  file[block] = of
  previous[block] = 0
  next[block] = first
  if (first !== 0) previous[first] = block
  files[of].first = block
  files[of].stale = true
  state.debug.lines[block] = lines.rows
}

function fileOf(debug: Debug, path: string): number {
  const known = debug.byPath.get(path)
  if (known !== undefined) return known
  debug.byPath.set(path, debug.files.length)
  debug.files.push(newFile(path, debug.nextName))
  debug.nextName += fromText(path).length + 1
  return debug.files.length - 1
}

export function dropLines({ debug }: State, block: number): void {
  if (debug?.lines[block] === undefined) return
  const { file, previous, next } = debug.sources.Source
  const of = debug.files[file[block]]
  if (previous[block] !== 0) next[previous[block]] = next[block]
  else of.first = next[block]
  if (next[block] !== 0) previous[next[block]] = previous[block]
  of.stale = true
  debug.lines[block] = undefined
}

export function linesOf({ debug }: State, block: number): CheckedLines | null {
  const rows = debug?.lines[block]
  if (debug === null || rows === undefined) return null
  return { file: debug.files[debug.sources.Source.file[block]].path, rows }
}

/** Files in the order of their paths, and of `blocks` in each. */
export function packLines(state: State, blocks: readonly number[]): void {
  const { debug } = state
  if (debug === null) return
  const lines = new Map(blocks.map((block) => [block, linesOf(state, block)]))
  debug.files.length = 1
  debug.byPath.clear()
  debug.nextName = fromText(PRODUCER).length + 1
  debug.lines = []
  const paths = new Set([...lines.values()].flatMap((its) => (its === null ? [] : [its.file])))
  for (const path of [...paths].sort()) fileOf(debug, path)
  for (const [block, its] of lines) if (its !== null) setLines(state, block, its)
}

/** Something of the block that shows in its unit is another. */
export function touchLines({ debug }: State, block: number): void {
  if (debug?.lines[block] !== undefined) debug.files[debug.sources.Source.file[block]].stale = true
}

/** All addresses are others. */
export function touchAllLines({ debug }: State): void {
  if (debug !== null) for (const file of debug.files) file.stale = true
}

/** Whether the companion file, where there is one, is to be written: with another image it has another UUID. */
export function isDebugStale({ debug }: State, changed: boolean): boolean {
  if (debug === null) return false
  return changed || debug.stat === null || debug.files.some(({ stale }) => stale)
}

/** The files that have blocks, each with its unit; those that are not stale are used again. */
export function filesWithUnits(state: State, debug: Debug): SourceFile[] {
  for (const file of debug.files) {
    if (file.stale) file.unit = file.first === 0 ? null : newUnit(state, debug, file)
    file.stale = false
  }
  return debug.files.filter(({ unit }) => unit !== null)
}

export function newUnit(state: State, debug: Debug, { path, name, first }: SourceFile): EncodedUnit {
  return encodeUnit(path, name, 0, functionsOf(state, debug, first))
}

function functionsOf(state: State, debug: Debug, first: number): DebugFunction[] {
  const { Place, Entry } = state.blocks
  const functions: DebugFunction[] = []
  for (let block = first; block !== 0; block = debug.sources.Source.next[block])
    functions.push({
      name: stringText(state, Entry.string[block]),
      external: (Place.flags[block] & (EDIT_EXPORTED | EDIT_HIDDEN)) === EDIT_EXPORTED,
      address: blockAddress(state, block),
      size: Place.size[block],
      lines: debug.lines[block]!,
    })
  return functions.sort((a, b) => a.address - b.address)
}
