// map: the text of the map file, as ld64.lld writes it: files, sections, symbols by address, and what was stripped.
// Reads: files, outputs, blocks, symbols, tables. Writes: link.reports.map. Only with -map.
// Last, when all addresses and sizes stand. Cost: a line a symbol and a string.

import { BLOCK_FOLDED, BLOCK_LIVE } from '../components/blocks.ts'
import { KEY_IMPORT } from '../components/gots.ts'
import { nameText } from '../components/internal.ts'
import type { Link } from '../components/link.ts'
import { traceStep } from '../components/observer.ts'
import {
  FILL_GOT,
  FILL_INPUTS,
  FILL_LAZY_POINTERS,
  FILL_STUB_HELPER,
  FILL_STUBS,
  FILL_TLV_POINTERS,
  FILL_UNWIND_INFO,
} from '../components/outputs.ts'
import { CONTENT_COMPACT_UNWIND, CONTENT_CSTRING, CONTENT_EH_FRAME, CONTENT_LITERAL } from '../components/sections.ts'
import { SYMBOL_EXTERNAL } from '../components/symbols.ts'
import { fileOfRow, fileOfSymbol } from './kernels/ranks.ts'
import { orderBlocks } from './kernels/orderBlocks.ts'
import { isHidden } from './kernels/outputKinds.ts'
import { symbolText } from './kernels/places.ts'
import { type MapFiles, numberFiles } from './map/mapFiles.ts'
import { gatherMapSymbols, type MapSymbols, prevails } from './map/mapSymbols.ts'

interface Mapping {
  link: Link
  symbols: MapSymbols
  files: MapFiles
  lines: string[]
}

export function map(link: Link): void {
  if (!link.settings.map) return
  const started = link.host.now()
  const symbols = gatherMapSymbols(link)
  const mapping: Mapping = { link, symbols, files: numberFiles(link, symbols), lines: [] }
  const { lines, files } = mapping
  lines.push(`# Path: ${link.settings.output}`, `# Arch: ${link.arch.name}`, '# Object files:')
  files.texts.forEach((text, number) => {
    lines.push(`${bracket(number)} ${text}`)
  })
  lines.push('# Sections:', '# Address\tSize    \tSegment\tSection')
  const outputs = outputsInOrder(link)
  for (const output of outputs) {
    const segment = link.segments.names[link.outputs.Section.segment[output]]
    const { address, size } = link.outputs.Extent
    lines.push(`${hex(address[output])}\t${hex(size[output])}\t${segment}\t${link.outputs.names[output]}`)
  }
  lines.push('# Symbols:', '# Address\tSize    \tFile  Name')
  for (const output of outputs) mapOutput(mapping, output)
  if (link.settings.deadStrip) mapDead(mapping)
  lines.push('')
  link.visited.rows += lines.length
  link.reports.map = lines.join('\n')
  traceStep(link.observer, 'Write map file', started)
}

function hex(value: number): string {
  return `0x${value.toString(16).toUpperCase().padStart(8, '0')}`
}

function bracket(number: number): string {
  return `[${number.toString().padStart(3)}]`
}

function entry(mapping: Mapping, address: number, size: number, file: number, name: string): void {
  mapping.lines.push(`${hex(address)}\t${hex(size)}\t${bracket(file)} ${name}`)
}

function outputsInOrder(link: Link): number[] {
  const { index } = link.outputs.Section
  const outputs: number[] = []
  for (let output = 1; output <= link.outputs.count; output++)
    if (index[output] !== 0 && !isHidden(link, output)) outputs.push(output)
  return outputs.sort((a, b) => index[a] - index[b])
}

function mapOutput(mapping: Mapping, output: number): void {
  const { link } = mapping
  const { address, size } = link.outputs.Extent
  switch (link.outputs.Section.fill[output]) {
    case FILL_INPUTS:
      return mapInputs(mapping, output)
    case FILL_STUBS:
    case FILL_LAZY_POINTERS:
      return mapStubs(mapping, output)
    case FILL_STUB_HELPER:
      return entry(mapping, address[output], size[output], 0, 'helper helper')
    case FILL_UNWIND_INFO:
      return entry(mapping, address[output], size[output], 0, 'compact unwind info')
    case FILL_GOT:
    case FILL_TLV_POINTERS:
      return mapPointers(mapping, output)
  }
}

function mapInputs(mapping: Mapping, output: number): void {
  const { link } = mapping
  const inputs = link.inputs[output]
  const content = inputs.length === 0 ? CONTENT_LITERAL : link.sections.Header.content[inputs[0]]
  if (content === CONTENT_LITERAL) return
  if (content === CONTENT_CSTRING) return mapStrings(mapping, output)
  const ordered = link.priorities.length === 0 ? null : orderBlocks(link, inputs)
  if (ordered !== null) for (let i = 0; i < ordered.length; i++) mapBlock(mapping, ordered[i], content)
  else for (const section of inputs) mapSection(mapping, section, content)
}

function mapSection(mapping: Mapping, section: number, content: number): void {
  const { first, count } = mapping.link.sections.Blocks
  const { flags } = mapping.link.blocks.Extent
  for (let block = first[section]; block < first[section] + count[section]; block++)
    if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) mapBlock(mapping, block, content)
}

/** A block's symbols by address, then those of the blocks that it stands for. */
function mapBlock(mapping: Mapping, block: number, content: number): void {
  const { link, symbols, files } = mapping
  if (content === CONTENT_EH_FRAME) {
    const file = files.files.get(link.sections.Header.file[link.blocks.Extent.section[block]]) ?? 0
    return entry(mapping, link.blocks.Placement.address[block], link.blocks.Extent.size[block], file, 'EH_Frame')
  }
  for (let symbol = symbols.first[block]; symbol !== 0; symbol = symbols.next[symbol])
    mapSymbol(mapping, symbol, symbols.size[symbol])
  for (let folded = symbols.folded[block]; folded !== 0; folded = symbols.nextFolded[folded])
    for (let symbol = symbols.first[folded]; symbol !== 0; symbol = symbols.next[symbol]) mapSymbol(mapping, symbol, 0)
}

function mapSymbol(mapping: Mapping, symbol: number, size: number): void {
  const { link } = mapping
  const isLocal = (link.symbols.Definition.flags[symbol] & SYMBOL_EXTERNAL) === 0
  const file = isLocal ? fileOfRow(link, symbol) : fileOfSymbol(link, symbol)
  const name = symbolText(link, file, symbol)
  if (size === 0 && /^[lL]/.test(name)) return
  entry(mapping, link.symbols.Reference.address[symbol], size, numberOf(mapping, symbol, file), name)
}

function numberOf(mapping: Mapping, symbol: number, file: number): number {
  return mapping.files.files.get(mapping.symbols.file[symbol] || file) ?? 0
}

/** Every live string, by address; copies of one that stands for them have no size. */
function mapStrings(mapping: Mapping, output: number): void {
  const { link, files } = mapping
  const { leader, address } = link.blocks.Placement
  const blocks = stringBlocks(link, true).filter((block) => {
    const home = leader[block] || block
    return link.sections.Blocks.output[link.blocks.Extent.section[home]] === output
  })
  const at = (block: number): number => address[leader[block] || block]
  blocks.sort((a, b) => at(a) - at(b) || a - b)
  let last = -1
  for (const block of blocks) {
    const size = at(block) === last ? 0 : link.blocks.Extent.size[block]
    last = at(block)
    const file = files.files.get(link.sections.Header.file[link.blocks.Extent.section[block]]) ?? 0
    entry(mapping, last, size, file, `literal string: ${stringText(link, block)}`)
  }
}

function stringBlocks(link: Link, live: boolean): number[] {
  const { Header, Blocks } = link.sections
  const found: number[] = []
  for (const file of link.order) {
    const start = link.files.Ranges.section[file]
    for (let section = start; section < start + link.files.Ranges.sections[file]; section++) {
      if (Header.content[section] !== CONTENT_CSTRING) continue
      for (let block = Blocks.first[section]; block < Blocks.first[section] + Blocks.count[section]; block++)
        if (((link.blocks.Extent.flags[block] & BLOCK_LIVE) !== 0) === live) found.push(block)
    }
  }
  return found
}

const ESCAPES: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 34: '\\"', 92: '\\\\' }

/** Bytes that cannot be printed as three octal digits (LLVM's raw_ostream). */
function stringText(link: Link, block: number): string {
  const section = link.blocks.Extent.section[block]
  const { bytes } = link.arenas.list[link.files.Source.arena[link.sections.Header.file[section]]]
  const from = link.sections.Bytes.position[section] + link.blocks.Extent.offset[block]
  let text = ''
  for (let at = from; at < from + link.blocks.Extent.size[block] - 1; at++) {
    const byte = bytes[at]
    const octal = byte < 0x20 || byte > 0x7e
    text += ESCAPES[byte] ?? (octal ? `\\${byte.toString(8).padStart(3, '0')}` : String.fromCharCode(byte))
  }
  return text
}

function mapStubs(mapping: Mapping, output: number): void {
  const { link } = mapping
  const { Stub } = link.stubs
  const start = link.outputs.Extent.address[output]
  const lazy = link.outputs.Section.fill[output] === FILL_LAZY_POINTERS
  const size = lazy ? 8 : link.arch.stubSize
  for (let stub = 1; stub <= link.stubs.count; stub++) {
    if (lazy && Stub.lazy[stub] === 0) continue
    const place = lazy ? Stub.lazy[stub] - 1 : Stub.slot[stub]
    entry(
      mapping,
      start + place * size,
      size,
      numberOfImport(mapping, Stub.import[stub]),
      importName(link, Stub.import[stub]),
    )
  }
}

function importName(link: Link, made: number): string {
  return nameText(link, link.imports.Library.name[made])
}

function numberOfImport(mapping: Mapping, made: number): number {
  const { Library } = mapping.link.imports
  const symbol = Library.symbol[made]
  if (symbol !== 0) return numberOf(mapping, symbol, fileOfSymbol(mapping.link, symbol))
  return mapping.files.dylibs.get(Library.dylib[made] - 1) ?? 0
}

function mapPointers(mapping: Mapping, output: number): void {
  const { link } = mapping
  const { Key, Slot, count } = link.outputs.Section.fill[output] === FILL_GOT ? link.gots : link.tlvs
  for (let got = 1; got <= count; got++) {
    const index = Key.index[got]
    const name =
      Key.kind[got] === KEY_IMPORT ? importName(link, index) : symbolText(link, fileOfSymbol(link, index), index)
    const address = link.outputs.Extent.address[output] + Slot.slot[got] * 8
    entry(mapping, address, 8, 0, `non-lazy-pointer-to-local: ${name}`)
  }
}

function mapDead(mapping: Mapping): void {
  const { link, lines, files } = mapping
  lines.push('# Dead Stripped Symbols:', '#        \tSize    \tFile  Name')
  for (const file of [...link.order, link.internal.file]) mapDeadSymbols(mapping, file)
  for (const block of stringBlocks(link, false)) {
    const number = files.files.get(link.sections.Header.file[link.blocks.Extent.section[block]]) ?? 0
    lines.push(
      `<<dead>>\t${hex(link.blocks.Extent.size[block])}\t${bracket(number)} literal string: ${stringText(link, block)}`,
    )
  }
}

function mapDeadSymbols(mapping: Mapping, file: number): void {
  const { link, symbols, lines } = mapping
  const { block } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
    if (!prevails(link, symbol) || link.blocks.Extent.flags[block[symbol]] & BLOCK_LIVE) continue
    const content = link.sections.Header.content[link.blocks.Extent.section[block[symbol]]]
    if (content === CONTENT_CSTRING || content === CONTENT_COMPACT_UNWIND || content === CONTENT_EH_FRAME) continue
    const number = numberOf(mapping, symbol, file)
    if (number === 0) continue
    lines.push(`<<dead>>\t${hex(symbols.size[symbol])}\t${bracket(number)} ${symbolText(link, file, symbol)}`)
  }
}
