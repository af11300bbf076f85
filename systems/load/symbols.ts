// Symbol rows of one object, straight from its nlist records; external names are hashed and interned here, once.
import type { Link } from '../../components/link.ts'
import { locate } from '../../components/link.ts'
import { internName, MAX_NAME_LENGTH } from '../../components/names.ts'
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
import { hashBytes } from '../../src/core/hash.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'

/** How often, on average, a byte of the string table may be part of a name: records may share their strings. */
const MAX_SHARING = 64

const LOWER_L = 0x6c
const UPPER_L = 0x4c

/**
 * Fills the symbol rows of `file`; Definition.offset holds the address in the input until blocks are split (a common
 * symbol's size stays there). Returns false when a record is wrong (reported).
 */
export function loadSymbols(link: Link, file: number, header: ObjectHeader, hidden: boolean): boolean {
  const { files, symbols, names } = link
  const arenaIndex = files.Source.arena[file]
  const { words, bytes } = link.arenas.list[arenaIndex]
  const { Definition } = symbols
  const first = files.Ranges.symbol[file]
  const count = header.symbolCount
  const strings = header.strings
  const stringsEnd = strings + header.stringsSize
  const mostSpelled = header.stringsSize * MAX_SHARING
  let spelled = 0
  files.Ranges.symbols[file] = count
  files.Tables.nlist[file] = header.nlist
  files.Tables.strings[file] = strings
  files.Tables.stringsSize[file] = header.stringsSize
  for (let i = 0; i < count; i++) {
    const at = header.nlist / 4 + i * 4
    const strx = words[at]
    const word = words[at + 1]
    const type = word & 0xff
    const symbol = first + i
    if (type & macho.N_STAB) continue
    if (strx >= header.stringsSize && !(strx === 0 && header.stringsSize === 0))
      return badSymbol(link, file, i, `string index ${strx} is past the end of the string table`)
    const start = strings + strx
    if (type & macho.N_EXT) {
      let end = start
      while (end < stringsEnd && bytes[end] !== 0) end++
      if (end === stringsEnd) return badSymbol(link, file, i, 'name is not terminated')
      if (end === start) return badSymbol(link, file, i, 'is external and has no name')
      if (end - start > MAX_NAME_LENGTH)
        return badSymbol(link, file, i, `has a name of ${end - start} bytes, at most ${MAX_NAME_LENGTH} are possible`)
      spelled += end - start
      if (spelled > mostSpelled) return badSymbol(link, file, i, 'shares its name with too many others')
      Definition.name[symbol] = internName(
        names,
        link.arenas,
        arenaIndex,
        start,
        end - start,
        hashBytes(bytes, start, end),
      )
    }
    const flags = symbolFlags(type, word >>> 16, words[at + 2], words[at + 3], hidden)
    if (flags < 0) return badSymbol(link, file, i, `has type 0x${type.toString(16)}, which is not supported`)
    if (flags & SYMBOL_DEFINED && (flags & SYMBOL_ABSOLUTE) === 0) {
      const sect = (word >>> 8) & 0xff
      if (sect === 0 || sect > header.sectionCount)
        return badSymbol(link, file, i, `section index ${sect} is out of range: the file has ${header.sectionCount}`)
    }
    const local = !(type & macho.N_EXT) && (bytes[start] === LOWER_L || bytes[start] === UPPER_L) && start < stringsEnd
    Definition.flags[symbol] = local ? flags | SYMBOL_OMITTED : flags
    Definition.offset[symbol] = words[at + 2]
    if ((flags & (SYMBOL_ABSOLUTE | SYMBOL_DEFINED)) === SYMBOL_ABSOLUTE) link.indirects.push(file, symbol)
    else if (flags & SYMBOL_ABSOLUTE) {
      // Constants below zero keep their sign.
      symbols.Reference.address[symbol] = words[at + 2] + (words[at + 3] | 0) * 4294967296
      if (!Number.isSafeInteger(symbols.Reference.address[symbol]))
        return badSymbol(link, file, i, 'has an absolute value of 2^53 or more')
      if (type & macho.N_EXT && words[at + 3] >>> 31 !== 0)
        return badSymbol(link, file, i, 'is external and has a negative absolute value, which no export can hold')
    }
  }
  return true
}

function badSymbol(link: Link, file: number, index: number, text: string): false {
  const offset = link.files.Tables.nlist[file] - link.files.Source.position[file] + index * macho.NLIST_SIZE
  error(
    link.messages,
    'bad-symbol',
    `${locate(link, file).file}: symbol ${index} ${text}`,
    locate(link, file, { offset }),
  )
  return false
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
