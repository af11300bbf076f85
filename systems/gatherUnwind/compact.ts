// Entries of one `__LD,__compact_unwind` section: 32 bytes each, their pointers given by relocations.
import { type Link, locate } from '../../components/link.ts'
import { UNWIND_ABSOLUTE } from '../../components/unwinds.ts'
import { error } from '../../src/core/messages.ts'
import {
  COMPACT_UNWIND_ENCODING,
  COMPACT_UNWIND_ENTRY_SIZE,
  COMPACT_UNWIND_FUNCTION,
  COMPACT_UNWIND_LENGTH,
  COMPACT_UNWIND_LSDA,
  COMPACT_UNWIND_PERSONALITY,
} from '../../src/formats/unwind/compactUnwind.ts'
import { S_ATTR_PURE_INSTRUCTIONS, S_ATTR_SOME_INSTRUCTIONS } from '../../src/formats/macho/constants.ts'
import { UNWIND_PERSONALITY_MASK } from '../../src/formats/unwind/constants.ts'
import { enterSection, embeddedAddend, landInSection, type Landing, type Site } from '../kernels/references.ts'
import { knownPersonality, type Personalities, personalityAt } from './personalities.ts'

const NO_UNWIND_FLAGS = 0

/** `known` are the personalities found so far. */
export function gatherCompact(link: Link, section: number, site: Site, known: Personalities): void {
  const { sections, unwinds } = link
  const size = sections.Header.size[section]
  enterSection(site, link, section)
  if (size % COMPACT_UNWIND_ENTRY_SIZE !== 0) {
    const offset = site.contents - link.files.Source.position[site.file]
    error(
      link.messages,
      'bad-compact-unwind',
      `__compact_unwind section has size ${size}, expected a multiple of ${COMPACT_UNWIND_ENTRY_SIZE}`,
      locate(link, site.file, { section: '__compact_unwind', offset }),
    )
    return
  }
  const first = unwinds.count + 1
  const entries = size / COMPACT_UNWIND_ENTRY_SIZE
  for (let i = 0; i < entries; i++) {
    const at = site.contents + i * COMPACT_UNWIND_ENTRY_SIZE
    unwinds.Range.length[first + i] = site.view.getUint32(at + COMPACT_UNWIND_LENGTH, true)
    unwinds.Entry.encoding[first + i] =
      site.view.getUint32(at + COMPACT_UNWIND_ENCODING, true) & ~UNWIND_PERSONALITY_MASK
  }
  unwinds.count += entries
  readPointers(link, section, site, known, first)
  if ((link.settings.icf ?? 'none') !== 'none') markAbsolute(link, site, first)
  dropFrameEntries(link, first)
  checkEntries(link, site, first)
}

function readPointers(link: Link, section: number, site: Site, known: Personalities, first: number): void {
  const { Relocations, Header } = link.sections
  const landing: Landing = { block: 0, offset: 0 }
  for (let i = 0; i < Relocations.count[section]; i++) {
    const at = site.words[site.records + i * 2]
    const word = site.words[site.records + i * 2 + 1]
    const found = at + 8 <= Header.size[section] && readPointer(link, site, word, at, landing)
    if (!found) {
      badPointer(link, site, i)
      continue
    }
    if (landing.block !== 0 && (landing.offset < 0 || landing.offset > link.blocks.Extent.size[landing.block])) {
      badPointer(link, site, i)
      continue
    }
    const entry = (at / COMPACT_UNWIND_ENTRY_SIZE) | 0
    const field = at - entry * COMPACT_UNWIND_ENTRY_SIZE
    setPointer(link, site, known, word, first + entry, field, landing)
  }
}

function markAbsolute(link: Link, site: Site, first: number): void {
  const { Range, Entry } = link.unwinds
  for (let row = first; row <= link.unwinds.count; row++) {
    const at = site.contents + (row - first) * COMPACT_UNWIND_ENTRY_SIZE + COMPACT_UNWIND_PERSONALITY
    if (Entry.personality[row] === 0 && (site.view.getUint32(at, true) | site.view.getUint32(at + 4, true)) !== 0)
      Range.flags[row] |= UNWIND_ABSOLUTE
  }
}

/** The last mode that unwinders know, of both architectures. */
const LAST_MODE = 4

/** A function is code, unwound in a known way; its length is cut at the end of the section, where ld64.lld takes any. */
function checkEntries(link: Link, site: Site, first: number): void {
  const { Range, Entry } = link.unwinds
  const { Header } = link.sections
  for (let row = first; row <= link.unwinds.count; row++) {
    const block = Range.block[row]
    if (block === 0) continue
    const section = link.blocks.Extent.section[block]
    const room = Header.size[section] - link.blocks.Extent.offset[block] - Range.offset[row]
    if (Range.length[row] > room) Range.length[row] = room
    const isCode = (Header.flags[section] & (S_ATTR_PURE_INSTRUCTIONS | S_ATTR_SOME_INSTRUCTIONS)) !== 0
    const mode = (Entry.encoding[row] & link.arch.dwarfModeMask) >>> 24
    if (isCode && mode <= LAST_MODE) continue
    const offset = site.contents - link.files.Source.position[site.file] + (row - first) * COMPACT_UNWIND_ENTRY_SIZE
    error(
      link.messages,
      'bad-compact-unwind',
      `entry ${row - first} of __compact_unwind names ${isCode ? `unknown mode ${mode}` : 'a place without code'}`,
      locate(link, site.file, { section: '__compact_unwind', offset }),
    )
  }
}

function badPointer(link: Link, site: Site, record: number): void {
  const offset = (site.records + record * 2) * 4 - link.files.Source.position[site.file]
  error(
    link.messages,
    'bad-relocation',
    `relocation ${record} of __compact_unwind is out of range`,
    locate(link, site.file, { section: '__compact_unwind', offset }),
  )
}

/** Where a pointer lands: in the object's own block, whoever wins the name. */
function readPointer(link: Link, site: Site, word: number, at: number, landing: Landing): boolean {
  const number = word & 0xffffff
  if (word >>> 28 !== 0) return false
  if ((word & 0x08000000) === 0)
    return number >= 1 && number <= site.sectionCount && landNearby(link, site, word, at, landing)
  if (number >= site.symbolCount) return false
  const symbol = site.firstSymbol + number
  landing.block = link.symbols.Definition.block[symbol]
  landing.offset = link.symbols.Definition.offset[symbol] + embeddedAddend(link, site, word, at)
  return true
}

/** As landInSection, but entries stand in the order of their functions: the blocks beside the last one are looked at first. */
function landNearby(link: Link, site: Site, word: number, at: number, landing: Landing): boolean {
  const { offset, section } = link.blocks.Extent
  const last = landing.block
  const home = site.firstSection + (word & 0xffffff) - 1
  if (last === 0 || section[last] !== home || section[last + 1] !== home)
    return landInSection(link, site, word, at, landing)
  const place = embeddedAddend(link, site, word, at) - link.sections.Header.address[home]
  for (let block = last + 1; block >= last - 1 && section[block] === home; block--) {
    if (offset[block] !== place) continue
    landing.block = block
    landing.offset = 0
    return true
  }
  return landInSection(link, site, word, at, landing)
}

function setPointer(
  link: Link,
  site: Site,
  known: Personalities,
  word: number,
  row: number,
  field: number,
  landing: Landing,
): void {
  const { Range, Entry } = link.unwinds
  if (field === COMPACT_UNWIND_FUNCTION) {
    Range.block[row] = landing.block
    Range.offset[row] = landing.offset
    Range.flags[row] = NO_UNWIND_FLAGS
  } else if (field === COMPACT_UNWIND_PERSONALITY) {
    const target = word & 0x08000000 ? link.symbols.Reference.target[site.firstSymbol + (word & 0xffffff)] : 0
    Entry.personality[row] =
      target === 0 ? personalityAt(link, known, site, landing) : knownPersonality(link, known, target)
  } else if (field === COMPACT_UNWIND_LSDA) {
    Entry.lsda[row] = landing.block
    Entry.lsdaOffset[row] = landing.offset
  }
}

/** An entry that says "see the FDE" is made from the FDE instead. */
function dropFrameEntries(link: Link, first: number): void {
  const { Range, Entry } = link.unwinds
  for (let row = first; row <= link.unwinds.count; row++)
    if ((Entry.encoding[row] & link.arch.dwarfModeMask) === link.arch.dwarfMode || Entry.encoding[row] === 0)
      Range.block[row] = 0
}
