// What one relocation refers to, in a form that can be compared between files.
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, TARGET_IMPORT } from '../../components/symbols.ts'
import { R_ADDEND } from '../../src/arch/arch.ts'
import { embeddedAddend, landInSection, type Landing, type Site } from '../kernels/references.ts'

export const REFERENT_BLOCK = 1
export const REFERENT_IMPORT = 2
/** A name that nothing defines. */
export const REFERENT_NAME = 3
export const REFERENT_ABSOLUTE = 4
/** Of a symbol without a name that defines nothing, or an addend record: `id` must be equal. */
export const REFERENT_WORD = 5

export interface Referent {
  kind: number
  /** A block after coalescing and folding of literals, an import, a name, or a number. */
  id: number
  offset: number
  addend: number
}

export function createReferent(): Referent {
  return { kind: 0, id: 0, offset: 0, addend: 0 }
}

/** Record `i` of the site's section. `records`: the field's own addend is no part of the compared bytes. */
export function readReferent(
  link: Link,
  site: Site,
  i: number,
  records: boolean,
  landing: Landing,
  into: Referent,
): void {
  const at = site.words[site.records + i * 2]
  const word = site.words[site.records + i * 2 + 1]
  const number = word & 0xffffff
  into.offset = 0
  into.addend = 0
  if (link.arch.attributes[word >>> 28] & R_ADDEND) {
    into.kind = REFERENT_WORD
    into.id = number
  } else if (word & 0x08000000) {
    const symbol = site.firstSymbol + number
    if (records) into.addend = embeddedAddend(link, site, word, at)
    if (number < site.symbolCount) readTarget(link, link.symbols.Reference.target[symbol], symbol, into)
    else setWord(into, symbol)
  } else if (number >= 1 && number <= site.sectionCount && landInSection(link, site, word, at, landing)) {
    into.kind = REFERENT_BLOCK
    into.id = link.blocks.Placement.leader[landing.block] || landing.block
    into.offset = landing.offset
  } else setWord(into, site.firstSection + number)
}

function setWord(into: Referent, id: number): void {
  into.kind = REFERENT_WORD
  into.id = id
}

/** A Reference.target; `symbol` is the row that refers. */
export function readTarget(link: Link, target: number, symbol: number, into: Referent): void {
  const own = target & TARGET_IMPORT ? link.imports.Library.symbol[target & 0x7fffffff] : target
  const { block, offset, flags, name } = link.symbols.Definition
  if (target === 0) {
    into.kind = name[symbol] === 0 ? REFERENT_WORD : REFERENT_NAME
    into.id = name[symbol] || symbol
  } else if (own === 0) {
    into.kind = REFERENT_IMPORT
    into.id = target & 0x7fffffff
  } else if (flags[own] & SYMBOL_ABSOLUTE) {
    into.kind = REFERENT_ABSOLUTE
    into.id = link.symbols.Reference.address[own]
  } else {
    into.kind = REFERENT_BLOCK
    into.id = link.blocks.Placement.leader[block[own]] || block[own]
    into.offset = offset[own]
    if (into.id === 0) setWord(into, own)
  }
}
