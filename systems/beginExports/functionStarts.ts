// LC_FUNCTION_STARTS: addresses of functions as ULEB128 distances, the first from the image base.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_CODE, SYMBOL_DEFINED } from '../../components/symbols.ts'
import { alignUp } from '../../src/core/align.ts'
import { ByteSink } from '../../src/core/bytes.ts'
import { sortNumbers } from '../../src/core/sortNumbers.ts'
import { isCodeFlags } from '../kernels/code.ts'

/** Symbols of code as bits, a bit a byte: worth it from one in so many words on. */
const SPARSEST = 16
const MOST_BITS = 0x40000000

/** What `functionStartChunks` reads of the link. */
export const START_PARTS = ['settings', 'order', 'files', 'symbols', 'blocks', 'sections', 'outputs'] as const

/** Makes the table as a whole: one chunk. Returns null where that was taken by another thread. */
export function functionStartChunks(link: Link, shared: boolean, take: () => number): Uint8Array | null {
  return take() < 0 ? null : functionStarts(link, shared)
}

export function functionStarts(link: Link, shared = false): Uint8Array {
  const range = codeRange(link)
  const bits = range.end - range.start
  link.visited.rows += range.symbols
  const marked = bits <= Math.min(range.symbols * SPARSEST * 32, MOST_BITS) && range.end < 0x80000000
  return marked ? startsOfBits(link, range, shared) : startsOfNumbers(link, range)
}

/** The starts of one file's functions, ascending, each once; null where one without bytes may start where another file's does. */
export function startsOfFile(link: Link, file: number): number[] | null {
  const { flags, block, offset } = link.symbols.Definition
  const { symbol, symbols } = link.files.Ranges
  const found = new Float64Array(symbols[file])
  const { sections } = codeRange(link, [])
  for (let row = symbol[file]; row < symbol[file] + symbols[file]; row++)
    if (flags[row] & SYMBOL_CODE && block[row] !== 0 && offset[row] >= link.blocks.Extent.size[block[row]]) return null
  const count = listCode(link, sections, symbol[file], symbol[file] + symbols[file], found, 0)
  return [...new Set(found.subarray(0, count).sort())]
}

/** Where code can be, counted from the image base; `symbols`: of all files. */
interface CodeRange {
  sections: Uint8Array
  start: number
  end: number
  symbols: number
}

function codeRange(link: Link, files: Iterable<number> = link.order): CodeRange {
  const { Section, Extent } = link.outputs
  const sections = new Uint8Array(link.outputs.count + 1)
  let [start, end, symbols] = [Number.POSITIVE_INFINITY, 0, 0]
  for (let output = 1; output <= link.outputs.count; output++) {
    if (!isCodeFlags(Section.flags[output]) || Section.fill[output] !== 0) continue
    sections[output] = 1
    start = Math.min(start, Extent.address[output])
    end = Math.max(end, Extent.address[output] + Extent.size[output])
  }
  for (const file of files) symbols += link.files.Ranges.symbols[file]
  const { imageBase } = link.settings
  return { sections, start: Math.min(start, end) - imageBase, end: end - imageBase, symbols }
}

function startsOfBits(link: Link, range: CodeRange, shared: boolean): Uint8Array {
  const words = new Int32Array(((range.end - range.start) >>> 5) + 1)
  for (const file of link.order) markCode(link, range, file, words)
  // Two bytes for a distance below 16,384, and for each one more at most 16,384 further on.
  const bytes = new Uint8Array(memory(range.symbols * 2 + (range.end >>> 13) + 16, shared))
  const length = encodeBits(words, range.start, bytes)
  return bytes.subarray(0, alignUp(length + 1, 8))
}

function markCode(link: Link, range: CodeRange, file: number, words: Int32Array): void {
  const { flags, block } = link.symbols.Definition
  const { address } = link.symbols.Reference
  const { flags: blockFlags, section } = link.blocks.Extent
  const { output } = link.sections.Blocks
  const { sections } = range
  const base = link.settings.imageBase + range.start
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED) continue
    const home = block[symbol]
    if ((blockFlags[home] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE || sections[output[section[home]]] === 0)
      continue
    const bit = address[symbol] - base
    words[bit >>> 5] |= 1 << (bit & 31)
  }
}

/** Returns the bytes written. */
function encodeBits(words: Int32Array, start: number, bytes: Uint8Array): number {
  let at = 0
  let last = 0
  for (let i = 0; i < words.length; i++)
    for (let left = words[i]; left !== 0; left &= left - 1) {
      const place = start + i * 32 + 31 - Math.clz32(left & -left)
      let distance = place - last
      for (last = place; distance > 127; distance >>>= 7) bytes[at++] = distance | 0x80
      if (place > 0) bytes[at++] = distance
    }
  return at
}

function startsOfNumbers(link: Link, range: CodeRange): Uint8Array {
  const addresses = codeAddresses(link, range)
  const sink = new ByteSink(addresses.length * 2 + 8)
  let last = 0
  for (let i = 0; i < addresses.length; i++) {
    if (addresses[i] === last) continue
    sink.uleb(addresses[i] - last)
    last = addresses[i]
  }
  sink.u8(0)
  sink.alignTo(8)
  return sink.finish()
}

/** Distances from the image base, sorted. Every symbol in code counts, the ones left out of the symbol table too (ld64.lld). */
function codeAddresses(link: Link, range: CodeRange): Uint32Array | Float64Array {
  const { files } = link
  const narrow = range.end < 4294967296
  const found = narrow ? new Uint32Array(range.symbols) : new Float64Array(range.symbols)
  let count = 0
  for (const file of link.order) {
    const first = files.Ranges.symbol[file]
    count = listCode(link, range.sections, first, first + files.Ranges.symbols[file], found, count)
  }
  const listed = found.subarray(0, count)
  return listed instanceof Uint32Array ? sortNumbers(listed) : listed.sort()
}

function listCode(
  link: Link,
  codeSections: Uint8Array,
  first: number,
  end: number,
  found: Uint32Array | Float64Array,
  count: number,
): number {
  const { flags, block } = link.symbols.Definition
  const { address } = link.symbols.Reference
  const { flags: blockFlags, section } = link.blocks.Extent
  const { output } = link.sections.Blocks
  const { imageBase } = link.settings
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED) continue
    const home = block[symbol]
    if ((blockFlags[home] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE || codeSections[output[section[home]]] === 0)
      continue
    found[count++] = address[symbol] - imageBase
  }
  return count
}
