// -why_live: who keeps a symbol alive, told when the symbol is first reached, with the chain of blocks back to a root (ld64.lld).
import { nameText } from '../../components/internal.ts'
import { fileText, type Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED, TARGET_IMPORT } from '../../components/symbols.ts'
import { compilePatterns, matches, type Patterns } from '../../src/core/patterns.ts'
import type { Site } from '../kernels/references.ts'
import { symbolText } from '../kernels/places.ts'

/** In `because`: the block lives since it refers to that one (S_ATTR_LIVE_SUPPORT), and there the chain is broken off (ld64.lld). */
export const BECAUSE_SUPPORT = 0x80000000

export interface WhyLive {
  patterns: Patterns
  /** By symbol and by import: reached. By block: the block that first referred to it, 0 for a root. */
  symbols: Uint8Array
  imports: Uint8Array
  because: Uint32Array
  lines: string[]
}

export function createWhyLive(link: Link): WhyLive | null {
  const { whyLive = [] } = link.settings
  if (whyLive.length === 0) return null
  return {
    patterns: compilePatterns(whyLive),
    symbols: new Uint8Array(link.symbols.count + 1),
    imports: new Uint8Array(link.imports.count + 1),
    because: new Uint32Array(link.blocks.count + 1),
    lines: [],
  }
}

/** Before a block's references are followed: what it reaches first, in the order of its relocations, then its own symbols. */
export function explainBlock(link: Link, why: WhyLive, site: Site, block: number): void {
  const { first, count } = link.blocks.Relocations
  for (let i = first[block]; i < first[block] + count[block]; i++) {
    const word = site.words[site.records + i * 2 + 1]
    const number = word & 0xffffff
    if (word & 0x08000000 && number < site.symbolCount)
      explainTarget(link, why, link.symbols.Reference.target[site.firstSymbol + number], block)
  }
  const file = site.file
  const start = link.files.Ranges.symbol[file]
  for (let symbol = start; symbol < start + link.files.Ranges.symbols[file]; symbol++)
    if (isIn(link, symbol, block)) explainSymbol(link, why, symbol, block)
}

function isIn(link: Link, symbol: number, block: number): boolean {
  const { flags, block: blockOf } = link.symbols.Definition
  return (flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) === SYMBOL_DEFINED && blockOf[symbol] === block
}

function explainTarget(link: Link, why: WhyLive, target: number, by: number): void {
  const made = target & TARGET_IMPORT ? target & 0x7fffffff : 0
  const symbol = made === 0 ? target : link.imports.Library.symbol[made]
  if (symbol !== 0) return explainSymbol(link, why, symbol, by)
  if (made === 0 || why.imports[made] !== 0) return
  why.imports[made] = 1
  const name = nameText(link, link.imports.Library.name[made])
  const dylib = link.imports.Library.dylib[made]
  const from = dylib === 0 ? firstFile(link, by) : link.dylibs[dylib - 1].path
  if (matches(why.patterns, name)) tell(link, why, `${name} from ${from}`, by)
}

/** A name that nothing defines comes from the file that refers to it. */
function firstFile(link: Link, block: number): string {
  return block === 0 ? '' : fileText(link, link.sections.Header.file[link.blocks.Extent.section[block]])
}

/** `by` is the block that refers to the symbol, 0 for a root. Absolute symbols are not told of (ld64.lld). */
export function explainSymbol(link: Link, why: WhyLive, symbol: number, by: number): void {
  if (why.symbols[symbol] !== 0) return
  why.symbols[symbol] = 1
  const home = link.symbols.Definition.block[symbol]
  if (home === 0) return
  const file = link.sections.Header.file[link.blocks.Extent.section[home]]
  const name = symbolText(link, file, symbol)
  if (matches(why.patterns, name)) tell(link, why, `${name} from ${fileText(link, file)}`, by)
}

function tell(link: Link, why: WhyLive, line: string, by: number): void {
  why.lines.push(line)
  let indent = '  '
  for (let next = by; next !== 0; indent += '  ') {
    const block = next & ~BECAUSE_SUPPORT
    const text = blockText(link, block)
    if (text !== '') why.lines.push(indent + text)
    next = next & BECAUSE_SUPPORT ? 0 : why.because[block]
  }
}

/** A block's first symbol, with its file; nothing for a block without symbols. */
function blockText(link: Link, block: number): string {
  const file = link.sections.Header.file[link.blocks.Extent.section[block]]
  const first = link.files.Ranges.symbol[file]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++)
    if (isIn(link, symbol, block)) return `${symbolText(link, file, symbol)} from ${fileText(link, file)}`
  return ''
}

/** Blocks pushed on work[from, to) came to life because of `by`. */
export function noteBecause(why: WhyLive, work: Uint32Array, from: number, to: number, by: number): void {
  for (let i = from; i < to; i++) why.because[work[i]] = by
}
