// Symbol rows of one object, straight from its nlist records; external names are measured and hashed here, once.
import { FILE_HIDDEN } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { locate } from '../../components/link.ts'
import { MAX_NAME_LENGTH, type Mentions } from '../../components/names.ts'
import { CONTENT_DROPPED } from '../../components/sections.ts'
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_ALT_ENTRY,
  SYMBOL_AUTO_HIDE,
  SYMBOL_COLD,
  SYMBOL_COMMON,
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_NO_DEAD_STRIP,
  SYMBOL_OMITTED,
  SYMBOL_PRIVATE,
  SYMBOL_REFERENCED_DYNAMICALLY,
  SYMBOL_WEAK_DEF,
  SYMBOL_WEAK_REF,
} from '../../components/symbols.ts'
import { error } from '../../src/core/messages.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'
import { measureNames, mostSpelled } from './measureNames.ts'
import { tablesArena, tablesOf } from '../kernels/symbolTables.ts'

const LOWER_L = 0x6c
const UPPER_L = 0x4c

/**
 * Fills the symbol rows of `file`, but for the names of externals: those it mentions from `base` on. Definition.offset holds the
 * address in the input until blocks are split (a common symbol's size stays there). Symbols in sections that are not linked
 * (bitcode metadata, DWARF) define nothing.
 * @returns the number of mentions, or -1 when a record is wrong (reported)
 */
export function loadSymbols(link: Link, file: number, header: ObjectHeader, mentions: Mentions, base: number): number {
  const { files, symbols } = link
  const { words, bytes } = tablesOf(link, file)
  const { content } = link.sections.Header
  const { Definition } = symbols
  const { row, start: starts } = mentions
  const hidden = (files.Source.flags[file] & FILE_HIDDEN) !== 0
  const sectionBefore = files.Ranges.section[file] - 1
  const first = files.Ranges.symbol[file]
  const strings = header.strings
  const stringsEnd = strings + header.stringsSize
  let externals = 0
  for (let i = 0; i < header.symbolCount; i++) {
    const at = header.nlist / 4 + i * 4
    const strx = words[at]
    const word = words[at + 1]
    const type = word & 0xff
    const symbol = first + i
    if (type & macho.N_STAB) continue
    if (strx >= header.stringsSize && !(strx === 0 && header.stringsSize === 0))
      return badSymbol(link, file, i, `string index ${strx} is past the end of the string table`)
    const flags = symbolFlags(type, word >>> 16, words[at + 2], words[at + 3], hidden)
    if (flags < 0) return badSymbol(link, file, i, `has type 0x${type.toString(16)}, which is not supported`)
    if ((flags & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) === SYMBOL_DEFINED) {
      const sect = (word >>> 8) & 0xff
      if (sect === 0 || sect > header.sectionCount)
        return badSymbol(link, file, i, `section index ${sect} is out of range: the file has ${header.sectionCount}`)
      if (content[sectionBefore + sect] === CONTENT_DROPPED) continue
    }
    const start = strings + strx
    if (type & macho.N_EXT) {
      row[base + externals] = symbol
      starts[base + externals++] = start
    }
    const local = !(type & macho.N_EXT) && (bytes[start] === LOWER_L || bytes[start] === UPPER_L) && start < stringsEnd
    Definition.flags[symbol] = local ? flags | SYMBOL_OMITTED : flags
    Definition.offset[symbol] = words[at + 2]
    if (flags & SYMBOL_ABSOLUTE && !loadAbsolute(link, file, i, flags, words, at)) return -1
  }
  return placeNames(link, file, header, mentions, base, externals) ? externals : -1
}

function loadAbsolute(link: Link, file: number, index: number, flags: number, words: Uint32Array, at: number): boolean {
  const { address } = link.symbols.Reference
  const symbol = link.files.Ranges.symbol[file] + index
  const refuse = (text: string) => {
    badSymbol(link, file, index, text)
    return false
  }
  if ((flags & SYMBOL_DEFINED) === 0) {
    link.indirects.push(file, symbol)
    return true
  }
  // Constants below zero keep their sign.
  address[symbol] = words[at + 2] + (words[at + 3] | 0) * 4294967296
  if (!Number.isSafeInteger(address[symbol])) return refuse('has an absolute value of 2^53 or more')
  if (flags & SYMBOL_EXTERNAL && words[at + 3] >>> 31 !== 0)
    return refuse('is external and has a negative absolute value, which no export can hold')
  return true
}

/** Place and hash of each external's name. */
function placeNames(
  link: Link,
  file: number,
  header: ObjectHeader,
  mentions: Mentions,
  base: number,
  count: number,
): boolean {
  const { row, start, place } = mentions
  const first = link.files.Ranges.symbol[file]
  const arena = tablesArena(link, file)
  const end = header.strings + header.stringsSize
  const most = mostSpelled(header.stringsSize)
  measureNames(link.arenas.list[arena].view, start, base, base + count, end, most, place, mentions.hash)
  let spelled = 0
  for (let i = base; i < base + count; i++) {
    const size = place[i]
    spelled += size
    if (size === 0 || start[i] + size >= end || size > MAX_NAME_LENGTH || spelled > most) {
      badSymbol(link, file, row[i] - first, nameTrouble(start[i], size, end))
      return false
    }
    place[i] = size | (arena << 24)
  }
  link.visited.hashed += spelled
  return true
}

function nameTrouble(from: number, size: number, end: number): string {
  if (from + size >= end) return 'name is not terminated'
  if (size === 0) return 'is external and has no name'
  if (size > MAX_NAME_LENGTH) return `has a name of ${size} bytes, at most ${MAX_NAME_LENGTH} are possible`
  return 'shares its name with too many others'
}

function badSymbol(link: Link, file: number, index: number, text: string): -1 {
  const offset = link.files.Tables.nlist[file] - link.files.Source.position[file] + index * macho.NLIST_SIZE
  error(
    link.messages,
    'bad-symbol',
    `${locate(link, file).file}: symbol ${index} ${text}`,
    locate(link, file, { offset }),
  )
  return -1
}

/** Flags of a record, or -1 for one that cannot be linked. */
function symbolFlags(type: number, desc: number, valueLow: number, valueHigh: number, hidden: boolean): number {
  const external = type & macho.N_EXT ? SYMBOL_EXTERNAL : 0
  const priv = external && (type & macho.N_PEXT || hidden) ? SYMBOL_PRIVATE : 0
  switch (type & macho.N_TYPE) {
    case macho.N_UNDF:
      if (!external) return valueLow === 0 && valueHigh === 0 ? 0 : -1
      if (valueLow !== 0 || valueHigh !== 0) return valueHigh === 0 ? external | priv | SYMBOL_COMMON : -1
      return external | (desc & macho.N_WEAK_REF ? SYMBOL_WEAK_REF : 0)
    case macho.N_ABS:
      return (
        external | priv | SYMBOL_DEFINED | SYMBOL_ABSOLUTE | (desc & macho.N_NO_DEAD_STRIP ? SYMBOL_NO_DEAD_STRIP : 0)
      )
    case macho.N_SECT:
      return external | priv | sectionFlags(desc, external, priv)
    case macho.N_INDR:
      return external | priv | (external ? SYMBOL_ABSOLUTE : 0)
    default:
      return -1
  }
}

function sectionFlags(desc: number, external: number, priv: number): number {
  let flags = SYMBOL_DEFINED
  if (desc & macho.N_WEAK_DEF) flags |= SYMBOL_WEAK_DEF
  // ld64.lld: an auto-hidden definition is private extern unless something exports it; both at once is just private.
  if (external && (desc & (macho.N_WEAK_DEF | macho.N_WEAK_REF)) === (macho.N_WEAK_DEF | macho.N_WEAK_REF))
    flags |= priv ? 0 : SYMBOL_AUTO_HIDE | SYMBOL_PRIVATE
  if (desc & macho.N_ALT_ENTRY) flags |= SYMBOL_ALT_ENTRY
  if (desc & macho.N_NO_DEAD_STRIP) flags |= SYMBOL_NO_DEAD_STRIP
  if (desc & macho.REFERENCED_DYNAMICALLY) flags |= SYMBOL_REFERENCED_DYNAMICALLY
  if (desc & macho.N_COLD_FUNC) flags |= SYMBOL_COLD
  return flags
}
