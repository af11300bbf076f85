// The debug map: stabs that lead a debugger to the objects with DWARF, in ld64.lld's order: per object N_SO, N_OSO, its symbols
// as they stand in the symbol table, N_SO. Objects without a compile unit have none; without DWARF nothing is visited twice.
import { BLOCK_FOLDED } from '../../components/blocks.ts'
import { createStabs, type Link, type StabTable } from '../../components/link.ts'
import { CONTENT_RECORDS, CONTENT_REGULAR } from '../../components/sections.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_EXTERNAL } from '../../components/symbols.ts'
import { unitPath } from '../../src/formats/dwarf.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { isCodeFlags, sectionIndex } from '../kernels/code.ts'
import { debugUnits, objectPath } from '../kernels/debugUnits.ts'
import { fileOfRow } from '../kernels/ranks.ts'
import { createSizing, measureFile, type Sizing } from './symbolSizes.ts'

export function writeStabs(link: Link): void {
  if (link.settings.stripDebug) return
  const units = debugUnits(link)
  const asts = link.settings.astPaths ?? []
  if (units.size === 0 && asts.length === 0) return
  const groups = groupByFile(link, new Set(units.keys()))
  const stabs = createStabs(asts.length + 1 + units.size * 3 + groups.rows.length * 2)
  link.table.stabs = stabs
  for (const path of asts) addStab(stabs, macho.N_AST, 0, 0, 0, stabs.texts.push(path) - 1, 0)
  const sizing = createSizing()
  let open = false
  for (const file of link.order) {
    const [from, to] = [groups.starts[file], groups.starts[file + 1]]
    const unit = units.get(file)
    if (unit === undefined || from === to) continue
    if (open) endFile(stabs)
    open = true
    addStab(stabs, macho.N_SO, 0, 0, 0, stabs.texts.push(unitPath(unit)) - 1, 0)
    const time = link.settings.zeroArDate ? 0 : link.files.Source.modified[file]
    stabs.files.push(file, stabs.count)
    addStab(stabs, macho.N_OSO, link.arch.cpusubtype, 1, time, stabs.texts.push(objectPath(link, file)) - 1, 0)
    measureFile(link, file, sizing)
    for (let i = from; i < to; i++) addSymbol(link, stabs, groups.rows[i], sizing)
    link.visited.rows += to - from
  }
  if (stabs.count > 0) endFile(stabs)
}

export function endFile(stabs: StabTable): void {
  addStab(stabs, macho.N_SO, 1, 0, 0, -1, 0)
}

function addStab(
  stabs: StabTable,
  type: number,
  section: number,
  desc: number,
  value: number,
  text: number,
  row: number,
): void {
  const at = stabs.count++
  stabs.type[at] = type
  stabs.section[at] = section
  stabs.desc[at] = desc
  stabs.value[at] = value
  stabs.text[at] = text
  stabs.row[at] = row
}

/** A function with its size, or a variable. */
export function addSymbol(link: Link, stabs: StabTable, row: number, sizing: Sizing): void {
  const symbol = symbolOfRow(link, row)
  const { flags, block } = link.symbols.Definition
  const { section } = link.blocks.Extent
  const value = link.symbols.Reference.address[symbol]
  const index = sectionIndex(link, symbol)
  if (isCodeFlags(link.sections.Header.flags[section[block[symbol]]])) {
    addStab(stabs, macho.N_FUN, index, 0, value, -1, placeOf(link, row) + 1)
    addStab(stabs, macho.N_FUN, 0, 0, sizing.sizes[symbol - sizing.first], -1, 0)
  } else
    addStab(
      stabs,
      flags[symbol] & SYMBOL_EXTERNAL ? macho.N_GSYM : macho.N_STSYM,
      index,
      0,
      value,
      -1,
      placeOf(link, row) + 1,
    )
}

/** Thunks stand between locals and externals. */
function placeOf(link: Link, row: number): number {
  return row < link.table.localCount ? row : row + link.table.thunks.length
}

function symbolOfRow(link: Link, row: number): number {
  const { table } = link
  return row < table.localCount ? table.locals[row] : table.externals[row - table.localCount]
}

/** Rows of the symbol table (locals, then externals) by file: those of file f are rows[starts[f]] to rows[starts[f + 1]]. */
interface Groups {
  starts: Uint32Array
  rows: Uint32Array
}

/** A counting sort, so that a file's symbols keep the order of the symbol table. */
function groupByFile(link: Link, wanted: Set<number>): Groups {
  const isWanted = new Uint8Array(link.files.count + 1)
  for (const file of wanted) isWanted[file] = 1
  const total = link.table.localCount + link.table.externalCount
  const starts = new Uint32Array(link.files.count + 2)
  const files = new Uint32Array(total)
  for (let row = 0; row < total; row++) {
    const file = fileWithStab(link, symbolOfRow(link, row))
    files[row] = file
    if (isWanted[file]) starts[file + 1]++
  }
  for (let file = 1; file < starts.length; file++) starts[file] += starts[file - 1]
  const fill = starts.slice()
  const rows = new Uint32Array(starts[starts.length - 1])
  for (let row = 0; row < total; row++) {
    const file = files[row]
    if (isWanted[file]) rows[fill[file]++] = row
  }
  return { starts, rows }
}

/** The file whose debug map names the symbol; 0 for absolute ones, and for identical code that was folded into another's. */
export function fileWithStab(link: Link, symbol: number): number {
  const { flags, block } = link.symbols.Definition
  if (flags[symbol] & SYMBOL_ABSOLUTE || block[symbol] === 0) return 0
  const { Header } = link.sections
  const section = link.blocks.Extent.section[block[symbol]]
  const content = Header.content[section]
  const folded =
    (link.blocks.Extent.flags[block[symbol]] & BLOCK_FOLDED) !== 0 &&
    (content === CONTENT_REGULAR || content === CONTENT_RECORDS)
  if (folded && !link.settings.keepIcfStabs) return 0
  return Header.file[section] === link.internal.file ? fileOfRow(link, symbol) : Header.file[section]
}
