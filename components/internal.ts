// The linker's own names, symbols and blocks: rows from the reserved range of the internal file.
import { createArena } from './arena.ts'
import { fromText, toText } from '../src/core/bytes.ts'
import { hashBytes } from '../src/core/hash.ts'
import { spawnRange } from '../src/ecs.ts'
import type { BlockId, NameId, SectionId, SymbolId } from './ids.ts'
import type { Link } from './link.ts'
import { adoptName, appendName, findMention, findName, internMentions, internName, type Mentions } from './names.ts'
import { internSectionName } from './sectionNames.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_SYNTHETIC } from './symbols.ts'

/** Room in the internal arena: its byte position. The arena is sized for what options and inputs can ask for. */
export function internalBytes(link: Link, size: number, alignment = 1): number {
  const arena = link.arenas.list[link.internal.arena]
  const position = Math.ceil(arena.used / alignment) * alignment
  if (position + size > arena.bytes.length) growInternal(link, position + size)
  link.arenas.list[link.internal.arena].used = position + size
  return position
}

/** The one arena that may be replaced: no column holds a view of it. */
function growInternal(link: Link, size: number): void {
  const old = link.arenas.list[link.internal.arena]
  const grown = createArena(Math.ceil(Math.max(size, old.bytes.length * 2) / 16) * 16, link.arenas.shared)
  grown.bytes.set(old.bytes)
  grown.used = old.used
  link.arenas.list[link.internal.arena] = grown
}

/** The row of a name given as text, made when it is new. */
export function nameOf(link: Link, text: string): NameId {
  const bytes = fromText(text)
  const known = findName(link.names, link.arenas, bytes, 0, bytes.length)
  if (known !== 0) return known
  const position = internalBytes(link, bytes.length + 1)
  link.arenas.list[link.internal.arena].bytes.set(bytes, position)
  const hash = hashBytes(bytes, 0, bytes.length)
  return internName(link.names, link.arenas, link.internal.arena, position, bytes.length, hash)
}

/** The row of a name of the kept link, made when it is new. Of that link's arenas the internal one goes. */
export function addKept(link: Link, old: NameId): NameId {
  const { link: kept, isAppending } = link.kept!
  const { arena, offset, length, hash } = kept.names.Text
  if (arena[old] !== kept.internal.arena)
    return isAppending ? appendName(link.names, kept.names, old) : adoptName(link.names, link.arenas, kept.names, old)
  const { bytes } = kept.arenas.list[arena[old]]
  const position = internalBytes(link, length[old] + 1)
  link.arenas.list[link.internal.arena].bytes.set(bytes.subarray(offset[old], offset[old] + length[old]), position)
  if (isAppending) {
    const name = appendName(link.names, kept.names, old)
    link.names.Text.offset[name] = position
    return name
  }
  return internName(link.names, link.arenas, link.internal.arena, position, length[old], hash[old])
}

/** As `internMentions`, where names so far have been appended. */
export function appendMentions(link: Link, mentions: Mentions, count: number, nameOf: Uint32Array): void {
  const { link: kept, names: known } = link.kept!
  for (let at = 0; at < count; at++) {
    const old = findMention(kept.names, kept.arenas, link.arenas, mentions, at)
    if (old === 0) internMentions(link.names, link.arenas, mentions, at, at + 1, nameOf)
    else {
      if (known[old] === 0) known[old] = addKept(link, old)
      nameOf[mentions.row[at]] = known[old]
    }
  }
}

/** The row of a name given as text, or 0. */
export function knownName(link: Link, text: string): NameId {
  const bytes = fromText(text)
  return findName(link.names, link.arenas, bytes, 0, bytes.length)
}

/** A name as text, for messages and options. */
export function nameText(link: Link, name: NameId): string {
  const { arena, offset, length } = link.names.Text
  return toText(link.arenas.list[arena[name]].bytes, offset[name], offset[name] + length[name])
}

/** Order of two names by their bytes, which are not always text. */
export function compareNames(link: Link, a: NameId, b: NameId): number {
  const { arena, offset, length } = link.names.Text
  const [one, other] = [link.arenas.list[arena[a]].bytes, link.arenas.list[arena[b]].bytes]
  const common = Math.min(length[a], length[b])
  for (let i = 0; i < common; i++) {
    const difference = one[offset[a] + i] - other[offset[b] + i]
    if (difference !== 0) return difference
  }
  return length[a] - length[b]
}

/** A section of the internal file, for blocks that the linker makes. */
export function addInternalSection(
  link: Link,
  segment: string,
  name: string,
  flags: number,
  alignPow2: number,
  content: number,
): SectionId {
  const { sections, internal, files } = link
  const position = internalBytes(link, 32, 16)
  const arena = link.arenas.list[internal.arena]
  arena.bytes.set(fromText(name).subarray(0, 16), position)
  arena.bytes.set(fromText(segment).subarray(0, 16), position + 16)
  const section = internal.section++
  sections.count = Math.max(sections.count, section)
  files.Ranges.sections[internal.file]++
  sections.Header.file[section] = internal.file
  sections.Header.name[section] = internSectionName(link.sectionNames, arena.words, arena.bytes, position / 4)
  sections.Header.flags[section] = flags
  sections.Header.alignPow2[section] = alignPow2
  sections.Header.content[section] = content
  return section
}

/** A block with contents in the internal arena at `position` (0: zero-fill). Blocks of one section must be made in a row. */
export function addInternalBlock(
  link: Link,
  section: SectionId,
  size: number,
  alignPow2: number,
  flags: number,
  position = 0,
): BlockId {
  const { sections, blocks, internal, files } = link
  const block = spawnRange(blocks.world, 1, [blocks.Extent, blocks.Relocations, blocks.Placement, blocks.Links])
  internal.block = block + 1
  blocks.count = block
  files.Ranges.blocks[internal.file]++
  if (sections.Blocks.count[section] === 0) {
    sections.Blocks.first[section] = block
    sections.Bytes.position[section] = position
  }
  sections.Blocks.count[section]++
  blocks.Extent.section[block] = section
  blocks.Extent.offset[block] =
    position === 0 ? sections.Header.size[section] : position - sections.Bytes.position[section]
  blocks.Extent.size[block] = size
  blocks.Extent.alignPow2[block] = alignPow2
  blocks.Extent.flags[block] = flags
  sections.Header.size[section] = blocks.Extent.offset[block] + size
  sections.Header.alignPow2[section] = Math.max(sections.Header.alignPow2[section], alignPow2)
  return block
}

/** Empty rows for `count` symbols of the internal file; the first of them. */
export function addInternalSymbols(link: Link, count: number): SymbolId {
  const { symbols, files, internal } = link
  const first = spawnRange(symbols.world, count, [symbols.Definition, symbols.Reference])
  internal.symbol = first + count
  symbols.count = first + count - 1
  files.Ranges.symbols[internal.file] += count
  return first
}

/** A symbol that the linker defines at `offset` in `block`. */
export function addInternalSymbol(link: Link, name: NameId, block: BlockId, offset: number, flags: number): SymbolId {
  const { symbols } = link
  const symbol = addInternalSymbols(link, 1)
  symbols.Definition.name[symbol] = name
  symbols.Definition.block[symbol] = block
  symbols.Definition.offset[symbol] = offset
  symbols.Definition.flags[symbol] = flags | SYMBOL_DEFINED | SYMBOL_EXTERNAL | SYMBOL_SYNTHETIC
  symbols.Reference.target[symbol] = symbol
  return symbol
}
