// unwind: makes the rows of __unwind_info: every live function with its encoding, personality and language-specific data; null rows
// for functions that have none.
// Reads: unwinds, symbols, live blocks. Writes: link.unwind (rows; addresses come in allocate), link.personalities.
// After scan (personalities have GOT keys), before allocate, which plans the pages once text addresses stand.
// Cost: one pass over the code symbols.

import { BLOCK_FOLDED, BLOCK_LIVE } from '../components/blocks.ts'
import { FILE_PARSED } from '../components/files.ts'
import type { Link } from '../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_CODE, SYMBOL_DEFINED } from '../components/symbols.ts'
import { isCodeFlags } from './kernels/code.ts'
import { isLinked } from './kernels/isLinked.ts'

export function unwind(link: Link): void {
  let rows = 0
  for (let row = 1; row <= link.unwinds.count; row++) if (isLinked(link, row)) rows++
  if (rows === 0) return
  const marks = new Uint8Array(link.blocks.count + 1)
  const plain = plainFunctions(link, marks)
  const count = rows + plain.length / 2
  const made: UnwindTable = {
    count: 0,
    block: new Uint32Array(count),
    offset: new Uint32Array(count),
    row: new Uint32Array(count),
    length: new Uint32Array(count),
    encoding: new Uint32Array(count),
    personality: new Uint32Array(count),
    lsda: new Uint32Array(count),
    plan: null,
    output: 0,
  }
  fillRows(link, made)
  for (let i = 0; i < plain.length; i += 2) {
    made.block[made.count] = plain[i]
    made.length[made.count] = PLAIN_LENGTH
    made.offset[made.count++] = plain[i + 1]
  }
  link.unwind = made
  link.visited.rows += link.unwinds.count + count
}

/** It counts for the last row alone: the table must end behind its start, also where no code stands behind the symbol. */
export const PLAIN_LENGTH = 1

type UnwindTable = NonNullable<Link['unwind']>

function fillRows(link: Link, made: UnwindTable): void {
  const { Range, Entry } = link.unwinds
  const ids = new Map<number, number>()
  for (let row = 1; row <= link.unwinds.count; row++) {
    if (!isLinked(link, row)) continue
    const at = made.count++
    const target = Entry.fde[row] === 0 ? Entry.personality[row] : 0
    if (target !== 0 && !ids.has(target)) ids.set(target, link.personalities.push(target) - 1)
    made.block[at] = Range.block[row]
    made.row[at] = row
    made.length[at] = Range.length[row]
    made.encoding[at] = Entry.encoding[row]
    // Most have none of these, and pages that nothing is written to cost nothing.
    if (Range.offset[row] !== 0) made.offset[at] = Range.offset[row]
    if (target !== 0) made.personality[at] = ids.get(target)!
    if (Entry.lsda[row] !== 0) made.lsda[at] = Entry.lsda[row]
  }
}

/** Pairs (block, offset) of symbols in the code of one object that no unwind row begins at. */
export function plainOfFile(link: Link, file: number): number[] {
  const { block, blocks } = link.files.Ranges
  const plain: number[] = []
  const marks = new Uint8Array(blocks[file])
  if (link.files.Source.flags[file] & FILE_PARSED) addPlain(link, file, marks, block[file], plain)
  return plain
}

/** Of all objects. */
function plainFunctions(link: Link, marks: Uint8Array): number[] {
  const { files } = link
  const plain: number[] = []
  for (const file of link.order) if (files.Source.flags[file] & FILE_PARSED) addPlain(link, file, marks, 0, plain)
  return plain
}

const CODE = SYMBOL_DEFINED | SYMBOL_CODE

/** `marks`: blocks whose start has been looked at, from block `from` on; those of other files are looked at again each time. */
function addPlain(link: Link, file: number, marks: Uint8Array, from: number, plain: number[]): void {
  const { files, symbols, blocks } = link
  const { flags, block: blockOf, offset: offsetOf } = symbols.Definition
  const { flags: blockFlags, section } = blocks.Extent
  const { flags: sectionFlags } = link.sections.Header
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  let inside: Set<number> | null = null
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (CODE | SYMBOL_ABSOLUTE)) !== CODE) continue
    const block = blockOf[symbol]
    if ((blockFlags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    if (!isCodeFlags(sectionFlags[section[block]])) continue
    const offset = offsetOf[symbol]
    if (offset === 0) {
      if (marks[block - from] !== 0) continue
      marks[block - from] = 1
    } else {
      inside ??= new Set()
      const key = block * 4294967296 + offset
      if (inside.has(key)) continue
      inside.add(key)
    }
    if (!hasRow(link, block, offset)) plain.push(block, offset)
  }
}

function hasRow(link: Link, block: number, offset: number): boolean {
  const { Range } = link.unwinds
  for (let row = link.blocks.Links.unwind[block]; row !== 0; row = Range.next[row])
    if (Range.offset[row] === offset) return true
  return false
}
