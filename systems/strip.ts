// strip: decides which blocks live. Without -dead_strip every block that is not coalesced; with it, what the roots reach.
// Reads: symbols, names, relocations, unwind rows. Writes: block flags, NAME_LIVE.
// After define (roots need exports), before fold and scan, so that dead blocks lead nothing and cause no table entries.
// Cost: with -dead_strip each relocation of a live block once.

import { BLOCK_COALESCED, BLOCK_KEPT, BLOCK_LIVE, BLOCK_LIVE_SUPPORT } from '../components/blocks.ts'
import { nameText } from '../components/internal.ts'
import type { Link } from '../components/link.ts'
import {
  NAME_EXPORTED,
  NAME_LIVE,
  NAME_NO_DEAD_STRIP,
  NAME_REFERENCED_DYNAMICALLY,
  NAME_WANTED,
  WHERE_GLOBAL,
} from '../components/names.ts'
import {
  CONTENT_COMPACT_UNWIND,
  CONTENT_DROPPED,
  CONTENT_EH_FRAME,
  CONTENT_IMAGE_INFO,
  CONTENT_INIT_POINTERS,
} from '../components/sections.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_NO_DEAD_STRIP, TARGET_IMPORT } from '../components/symbols.ts'
import { R_ADDEND } from '../src/arch/arch.ts'
import { compilePatterns, matches } from '../src/core/patterns.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { reportDuplicates } from './kernels/duplicates.ts'
import { createSite, enterSection, isInside, landInSection, type Landing, type Site } from './kernels/references.ts'
import {
  BECAUSE_SUPPORT,
  createWhyLive,
  explainBlock,
  explainSymbol,
  noteBecause,
  type WhyLive,
} from './strip/whyLive.ts'

export function strip(link: Link): void {
  if (!link.settings.deadStrip) {
    keepAll(link)
    if (link.settings.deadStripDuplicates) reportDuplicates(link, true)
    return
  }
  const marking: Marking = {
    work: new Uint32Array(link.blocks.count + 1),
    depth: 0,
    site: createSite(),
    landing: { block: 0, offset: 0 },
    why: createWhyLive(link),
  }
  markRoots(link, marking)
  do drain(link, marking)
  while (markSupport(link, marking))
  if (marking.why !== null) link.reports.why_live = marking.why.lines.join('\n')
  if (link.settings.deadStripDuplicates) reportDuplicates(link, true)
}

function keepAll(link: Link): void {
  const { names, sections } = link
  const { first, count } = sections.Blocks
  const { flags } = link.blocks.Extent
  const { flags: used } = names.Resolution
  for (let section = 1; section <= sections.count; section++) {
    if (!isKeptWhole(sections.Header.content[section])) continue
    const end = first[section] + count[section]
    for (let block = first[section]; block < end; block++)
      if ((flags[block] & BLOCK_COALESCED) === 0) flags[block] |= BLOCK_LIVE
  }
  for (let name = 1; name <= names.count; name++) used[name] |= NAME_LIVE
  link.visited.rows += link.blocks.count
}

/** Others decide what lives of these. */
export function isKeptWhole(content: number): boolean {
  return (
    content !== CONTENT_EH_FRAME &&
    content !== CONTENT_COMPACT_UNWIND &&
    content !== CONTENT_IMAGE_INFO &&
    content !== CONTENT_INIT_POINTERS
  )
}

interface Marking {
  /** Blocks that live and whose references are still to be followed: a stack. */
  work: Uint32Array
  depth: number
  site: Site
  landing: Landing
  why: WhyLive | null
}

function mark(link: Link, marking: Marking, given: number): void {
  const { flags } = link.blocks.Extent
  const block =
    link.blocks.Placement.leader[given] !== 0 && flags[given] & BLOCK_COALESCED
      ? link.blocks.Placement.leader[given]
      : given
  if (block === 0 || flags[block] & BLOCK_LIVE) return
  flags[block] |= BLOCK_LIVE
  marking.work[marking.depth++] = block
}

function markTarget(link: Link, marking: Marking, target: number): void {
  if (target & TARGET_IMPORT) {
    const made = target & 0x7fffffff
    link.names.Resolution.flags[link.imports.Library.name[made]] |= NAME_LIVE
    const own = link.imports.Library.symbol[made]
    if (own !== 0) markSymbol(link, marking, own)
  } else if (target !== 0) markSymbol(link, marking, target)
}

function markSymbol(link: Link, marking: Marking, symbol: number): void {
  const { name, block } = link.symbols.Definition
  if (name[symbol] !== 0) link.names.Resolution.flags[name[symbol]] |= NAME_LIVE
  if (block[symbol] !== 0) mark(link, marking, block[symbol])
}

/** The entry point, -u, what dyld or a debugger finds by name, exports of a library, and sections that run by themselves. */
function markRoots(link: Link, marking: Marking): void {
  const { names, blocks, sections, settings } = link
  const { where, flags, symbol } = names.Resolution
  const externsAreRoots = settings.outputType !== 'execute' || settings.exportDynamic === true
  const exported = compilePatterns(settings.exportedSymbols ?? [])
  const listed = settings.exportedSymbols !== undefined
  for (let name = 1; name <= names.count; name++) {
    if (flags[name] & NAME_WANTED) flags[name] |= NAME_LIVE
    if (where[name] !== WHERE_GLOBAL) continue
    const is = flags[name]
    const root =
      is & (NAME_WANTED | NAME_NO_DEAD_STRIP | NAME_REFERENCED_DYNAMICALLY) ||
      (is & NAME_EXPORTED && (externsAreRoots || (listed && matches(exported, nameText(link, name)))))
    if (root) markRoot(link, marking, symbol[name])
  }
  for (const file of link.order) markLocalRoots(link, marking, file)
  for (let block = 1; block <= blocks.count; block++) {
    if (blocks.Extent.section[block] === 0 || blocks.Extent.flags[block] & BLOCK_COALESCED) continue
    const header = sections.Header.flags[blocks.Extent.section[block]] & macho.SECTION_TYPE
    const runs = header === macho.S_MOD_INIT_FUNC_POINTERS || header === macho.S_MOD_TERM_FUNC_POINTERS
    if (runs || blocks.Extent.flags[block] & BLOCK_KEPT) mark(link, marking, block)
  }
}

function markRoot(link: Link, marking: Marking, symbol: number): void {
  if (marking.why !== null) explainSymbol(link, marking.why, symbol, 0)
  markSymbol(link, marking, symbol)
}

function markLocalRoots(link: Link, marking: Marking, file: number): void {
  const { flags } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++) {
    const is = flags[symbol]
    if ((is & (SYMBOL_DEFINED | SYMBOL_EXTERNAL | SYMBOL_NO_DEAD_STRIP)) === (SYMBOL_DEFINED | SYMBOL_NO_DEAD_STRIP))
      markRoot(link, marking, symbol)
  }
}

function drain(link: Link, marking: Marking): void {
  while (marking.depth > 0) {
    const block = marking.work[--marking.depth]
    const before = marking.depth
    if (marking.why !== null) {
      enterSection(marking.site, link, link.blocks.Extent.section[block])
      explainBlock(link, marking.why, marking.site, block)
    }
    followRelocations(link, marking, block)
    followUnwind(link, marking, block)
    if (marking.why !== null) noteBecause(marking.why, marking.work, before, marking.depth, block)
    link.visited.rows++
  }
}

function followRelocations(link: Link, marking: Marking, block: number): void {
  const { Extent, Relocations } = link.blocks
  const count = Relocations.count[block]
  if (count === 0) return
  const { site, landing } = marking
  enterSection(site, link, Extent.section[block])
  for (let i = Relocations.first[block]; i < Relocations.first[block] + count; i++) {
    const word = site.words[site.records + i * 2 + 1]
    if (link.arch.attributes[word >>> 28] & R_ADDEND) continue
    const number = word & 0xffffff
    if (word & 0x08000000) {
      if (number < site.symbolCount) markTarget(link, marking, link.symbols.Reference.target[site.firstSymbol + number])
    } else if (number >= 1 && number <= site.sectionCount && isInside(site, link, word, i)) {
      if (landInSection(link, site, word, site.words[site.records + i * 2], landing)) mark(link, marking, landing.block)
    }
  }
}

/** A live function keeps its personality and language-specific data. */
function followUnwind(link: Link, marking: Marking, block: number): void {
  const { Range, Entry } = link.unwinds
  for (let row = link.blocks.Links.unwind[block]; row !== 0; row = Range.next[row]) {
    if (Entry.personality[row] !== 0) markTarget(link, marking, Entry.personality[row])
    if (Entry.lsda[row] !== 0) mark(link, marking, Entry.lsda[row])
  }
}

/** S_ATTR_LIVE_SUPPORT: a block lives when something that it refers to does. Returns whether any came to life. */
function markSupport(link: Link, marking: Marking): boolean {
  const { Extent } = link.blocks
  const before = marking.depth
  for (let block = 1; block <= link.blocks.count; block++) {
    if ((Extent.flags[block] & (BLOCK_LIVE_SUPPORT | BLOCK_LIVE | BLOCK_COALESCED)) !== BLOCK_LIVE_SUPPORT) continue
    const content = link.sections.Header.content[Extent.section[block]]
    if (content === CONTENT_EH_FRAME || content === CONTENT_DROPPED || content === CONTENT_COMPACT_UNWIND) continue
    const live = liveReferent(link, marking, block)
    if (live === NOTHING) continue
    mark(link, marking, block)
    if (marking.why !== null && live !== 0) marking.why.because[block] = (BECAUSE_SUPPORT | live) >>> 0
  }
  return marking.depth > before
}

const NOTHING = -1

/** The first live block that a block refers to; 0 for a name of another image that lives, NOTHING when there is none. */
function liveReferent(link: Link, marking: Marking, block: number): number {
  const { Extent, Relocations } = link.blocks
  const { site, landing } = marking
  enterSection(site, link, Extent.section[block])
  for (let i = Relocations.first[block]; i < Relocations.first[block] + Relocations.count[block]; i++) {
    const word = site.words[site.records + i * 2 + 1]
    const number = word & 0xffffff
    let target = 0
    if (word & 0x08000000) {
      if (number >= site.symbolCount) continue
      const to = link.symbols.Reference.target[site.firstSymbol + number]
      const made = to & TARGET_IMPORT ? to & 0x7fffffff : 0
      if (made !== 0 && link.names.Resolution.flags[link.imports.Library.name[made]] & NAME_LIVE) return 0
      if (made === 0 && to !== 0) target = link.symbols.Definition.block[to]
    } else if (number >= 1 && number <= site.sectionCount && isInside(site, link, word, i)) {
      if (landInSection(link, site, word, site.words[site.records + i * 2], landing)) target = landing.block
    }
    if (target !== 0 && Extent.flags[target] & BLOCK_LIVE) return target
  }
  return NOTHING
}
