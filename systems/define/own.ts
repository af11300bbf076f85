// What the linker defines itself: header symbols, tentative definitions, aliases, boundaries, -sectcreate.
import { BLOCK_KEPT, BLOCK_SYNTHETIC } from '../../components/blocks.ts'
import { FILE_AGAIN } from '../../components/files.ts'
import {
  addInternalBlock,
  addInternalSection,
  addInternalSymbol,
  internalBytes,
  nameOf,
  nameText,
} from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import {
  NAME_STRONG_REF,
  NAME_WANTED,
  NAME_WEAK_REF,
  WHERE_GLOBAL,
  WHERE_TENTATIVE,
  WHERE_UNDEFINED,
} from '../../components/names.ts'
import { CONTENT_REGULAR, CONTENT_ZEROFILL } from '../../components/sections.ts'
import {
  SYMBOL_COMMON,
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_OMITTED,
  SYMBOL_PRIVATE,
  SYMBOL_REFERENCED_DYNAMICALLY,
  SYMBOL_WEAK_DEF,
} from '../../components/symbols.ts'
import { error } from '../../src/core/messages.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { fileOfRow } from '../kernels/ranks.ts'
import { HostError } from '../../src/host/host.ts'
import { orderNames } from '../kernels/orderNames.ts'
import { tablesOf } from '../kernels/symbolTables.ts'

const HEADER_NAMES = {
  execute: '__mh_execute_header',
  dylib: '__mh_dylib_header',
  bundle: '__mh_bundle_header',
} as const

/** The image's header is a block of its own, at the image base; dyld and crt code refer to it by these names. */
export function defineHeader(link: Link): void {
  const section = addInternalSection(link, '__TEXT', '__mach_header', 0, 0, CONTENT_REGULAR)
  link.headerBlock = addInternalBlock(link, section, 0, 0, BLOCK_KEPT | BLOCK_SYNTHETIC, internalBytes(link, 16, 16))
  const isExecutable = link.settings.outputType === 'execute'
  const flags = isExecutable ? SYMBOL_REFERENCED_DYNAMICALLY : SYMBOL_PRIVATE | SYMBOL_OMITTED
  defineOwn(link, HEADER_NAMES[link.settings.outputType], link.headerBlock, 0, flags)
  defineOwn(link, '___dso_handle', link.headerBlock, 0, SYMBOL_PRIVATE | SYMBOL_OMITTED)
}

/** A definition of the linker's; an input that defines the name too is a duplicate. */
function defineOwn(link: Link, text: string, block: number, offset: number, flags: number): number {
  const { Resolution } = link.names
  const name = nameOf(link, text)
  const symbol = addInternalSymbol(link, name, block, offset, flags)
  if (
    Resolution.where[name] === WHERE_GLOBAL &&
    !(link.symbols.Definition.flags[Resolution.symbol[name]] & SYMBOL_WEAK_DEF)
  )
    link.duplicates.push(name, Resolution.symbol[name], symbol)
  Resolution.where[name] = WHERE_GLOBAL
  Resolution.symbol[name] = symbol
  return symbol
}

/** Tentative definitions become zero-fill blocks in `__DATA,__common`, in command-line order of the winners, whose symbols define them. */
export function defineCommons(link: Link): void {
  const { symbols, names, files } = link
  const tentative = namesThatAre(link, WHERE_TENTATIVE)
  if (tentative.length === 0) return
  const place = new Float64Array(files.count + 1)
  for (let i = 0; i < link.order.length; i++) place[link.order[i]] = (i + 1) * 4294967296
  const keys = Float64Array.from(tentative, (name) => {
    const symbol = names.Resolution.symbol[name]
    return place[fileOfRow(link, symbol)] + symbol
  }).sort()
  let section = 0
  for (let i = 0; i < keys.length; i++) {
    const symbol = keys[i] % 4294967296
    if (keys[i] === symbol || (symbols.Definition.flags[symbol] & SYMBOL_COMMON) === 0) continue
    if (section === 0) section = addInternalSection(link, '__DATA', '__common', macho.S_ZEROFILL, 0, CONTENT_ZEROFILL)
    const file = link.order[Math.floor(keys[i] / 4294967296) - 1]
    files.Source.flags[file] |= FILE_AGAIN
    const { words } = tablesOf(link, file)
    const index = symbol - files.Ranges.symbol[file]
    const given = (words[files.Tables.nlist[file] / 4 + index * 4 + 1] >>> 24) & 0xf
    defineCommon(link, symbol, section, given || naturalAlignment(symbols.Definition.offset[symbol]))
  }
}

/** The names of one state, of which there are few. */
function namesThatAre(link: Link, wanted: number): number[] {
  const { where } = link.names.Resolution
  const found: number[] = []
  for (let name = 1; name <= link.names.count; name++) if (where[name] === wanted) found.push(name)
  return found
}

/** Of a tentative definition that gives no alignment: the power of two that holds it, at most a section's largest. */
function naturalAlignment(size: number): number {
  return Math.min(15, Math.ceil(Math.log2(size)))
}

function defineCommon(link: Link, symbol: number, section: number, alignPow2: number): void {
  const { Definition } = link.symbols
  const { sections } = link
  const size = Definition.offset[symbol]
  const step = 2 ** alignPow2
  sections.Header.size[section] = Math.ceil(sections.Header.size[section] / step) * step
  const block = addInternalBlock(link, section, size, alignPow2, 0)
  const name = Definition.name[symbol]
  Definition.block[symbol] = block
  Definition.offset[symbol] = 0
  Definition.flags[symbol] =
    (Definition.flags[symbol] & (SYMBOL_PRIVATE | SYMBOL_COMMON)) | SYMBOL_DEFINED | SYMBOL_EXTERNAL
  link.symbols.Reference.target[symbol] = symbol
  link.names.Resolution.where[name] = WHERE_GLOBAL
}

/** section$start$SEG$SECT and its kin, for whoever refers to them: addresses are set by allocate. */
export function defineBoundaries(link: Link): void {
  const names = orderNames(
    link,
    namesThatAre(link, WHERE_UNDEFINED).filter((name) => mayBeBoundary(link, name)),
  )
  boundariesOf(link, names, NAME_WANTED)
  boundariesOf(link, names, NAME_STRONG_REF | NAME_WEAK_REF)
}

function boundariesOf(link: Link, names: readonly number[], wantedBy: number): void {
  const { Resolution } = link.names
  for (const name of names) {
    if (Resolution.where[name] !== WHERE_UNDEFINED || (Resolution.flags[name] & wantedBy) === 0) continue
    const parts = /^(section|segment)\$(start|end)\$([^$]*)(?:\$(.*))?$/.exec(nameText(link, name))
    if (parts === null || (parts[1] === 'section') !== (parts[4] !== undefined)) continue
    const block = parts[1] === 'section' ? addPlaceholder(link, parts[3], parts[4], 0) : 0
    const symbol = addInternalSymbol(link, name, block, 0, SYMBOL_PRIVATE | SYMBOL_OMITTED)
    Resolution.where[name] = WHERE_GLOBAL
    Resolution.symbol[name] = symbol
    link.boundaries.push({ symbol, segment: parts[3], section: parts[4] ?? null, end: parts[2] === 'end' })
  }
}

/** Cheap test before the name is made text: `se` and a `$` at index 7. */
function mayBeBoundary(link: Link, name: number): boolean {
  const { arena, offset, length } = link.names.Text
  if (length[name] < 14) return false
  const { bytes } = link.arenas.list[arena[name]]
  return bytes[offset[name]] === 0x73 && bytes[offset[name] + 1] === 0x65 && bytes[offset[name] + 7] === 0x24
}

/** An empty block: while it lives, its section exists even when nothing else is in it. */
function addPlaceholder(link: Link, segment: string, section: string, flags: number): number {
  const made = addInternalSection(link, segment, section, 0, 0, CONTENT_REGULAR)
  return addInternalBlock(link, made, 0, 0, flags, internalBytes(link, 16, 16))
}

/** -sectcreate and -add_empty_section: contents of a file as a section of its own. */
export function createSections(link: Link): void {
  for (const [segment, section] of link.settings.addEmptySections ?? [])
    addPlaceholder(link, segment, section, BLOCK_KEPT)
  for (const { segment, section, path, contents } of link.settings.sectCreate ?? []) {
    const bytes = contents ?? readWhole(link, path ?? '')
    if (bytes === null) continue
    const position = internalBytes(link, Math.max(bytes.length, 1), 16)
    link.arenas.list[link.internal.arena].bytes.set(bytes, position)
    const made = addInternalSection(link, segment, section, 0, 0, CONTENT_REGULAR)
    addInternalBlock(link, made, bytes.length, 0, BLOCK_KEPT, position)
  }
}

function readWhole(link: Link, path: string): Uint8Array | null {
  const stat = link.host.stat(path)
  if (stat === null) {
    link.dependencies.missing.push(path)
    error(link.messages, 'cannot-open', `cannot open ${path}: No such file or directory`, { file: path })
    return null
  }
  try {
    const bytes = new Uint8Array(stat.size)
    link.dependencies.read.push(path)
    const size = link.host.readInto(path, bytes, 0, stat.size, 0)
    link.visited.read += size
    return bytes.subarray(0, size)
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    error(link.messages, 'cannot-open', `cannot open ${path}: ${trouble.message}`, { file: path })
    return null
  }
}
