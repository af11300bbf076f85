// Finds the method lists of classes and categories and makes room for their relative form in `__TEXT,__objc_methlist`.
// A list is entry size and flags, count, then methods of three pointers (name, types, implementation); relative, three 32-bit
// distances, the first to the selector's pointer in __objc_selrefs.
import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_KEPT, BLOCK_LIVE } from '../../components/blocks.ts'
import { addInternalBlock, addInternalSection, internalBytes } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { createMethodLists, type MethodLists } from '../../components/objectiveC.ts'
import { CONTENT_REGULAR } from '../../components/sections.ts'
import { SYMBOL_DEFINED } from '../../components/symbols.ts'
import { fromText, readU32 } from '../../src/core/bytes.ts'
import { sameBytes } from '../../src/core/hash.ts'
import { spawnRange } from '../../src/ecs.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { arenaOfBlock, blockBytes, createPointee, isString, readPointee } from '../kernels/pointee.ts'
import { METHOD_SIZE, METHODS_HEADER, RELATIVE_METHOD_SIZE } from '../kernels/methodFormat.ts'
import { methodRecord } from '../kernels/methodRecords.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'
import { KIND_DATA } from '../kernels/objectiveCKinds.ts'
import { selectorInBlock } from './selectors.ts'
import { tablesOf } from '../kernels/symbolTables.ts'

/** What clang calls them; ld64.lld goes by these names too. Lists of protocols stay as they are. */
const PREFIXES: readonly Uint8Array[] = [
  '__OBJC_$_CLASS_METHODS_',
  '__OBJC_$_INSTANCE_METHODS_',
  '__OBJC_$_CATEGORY_INSTANCE_METHODS_',
  '__OBJC_$_CATEGORY_CLASS_METHODS_',
].map(fromText)

const ENTRY_SIZE_MASK = 0xfffc
const IS_RELATIVE = 0x80000000

/** Rows for every live list that can be relative; `methods` of them is how many selectors they need at most. */
export function findMethodLists(link: Link, kinds: Uint8Array): void {
  let [lists, methods] = [0, 0]
  const isWanted = (block: number): boolean => isLive(link, block)
  const site = createSite()
  eachList(link, kinds, isWanted, (block) => {
    const count = methodCount(link, site, block)
    if (count < 0) return
    lists++
    methods += count
  })
  const found = createMethodLists(lists, methods, false)
  link.methodLists = found
  eachList(link, kinds, isWanted, (block) => {
    const count = methodCount(link, site, block)
    if (count < 0) return
    const list = ++found.count
    found.List.source[list] = block
    found.List.method[list] = found.methods + 1
    found.List.methods[list] = count
    found.methods += count
  })
  if (link.categories.merged > 0) found.firstSection = firstSection(link, kinds)
  spawnRange(found.world, lists, [found.List])
  spawnRange(found.methodWorld, methods, [found.Method])
}

/** The input section of the first list, whether or not it has been merged with others since. */
function firstSection(link: Link, kinds: Uint8Array): number {
  const { leader } = link.blocks.Placement
  let first = 0
  const isThere = (block: number): boolean => isLive(link, block) || leader[block] !== 0
  eachList(link, kinds, isThere, (block) => {
    if (first === 0) first = link.blocks.Extent.section[block]
  })
  return first
}

function isLive({ blocks }: Link, block: number): boolean {
  return (blocks.Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE
}

/** Each block once that a symbol named like a method list begins, in files that have Objective-C data. */
function eachList(
  link: Link,
  kinds: Uint8Array,
  isWanted: (block: number) => boolean,
  visit: (block: number) => void,
): void {
  const { files, symbols, blocks, sections } = link
  const { flags, block: home, offset } = symbols.Definition
  for (const file of [...link.order, link.internal.file]) {
    if (!hasData(link, kinds, file)) continue
    const first = files.Ranges.symbol[file]
    let last = 0
    for (let symbol = first; symbol < first + files.Ranges.symbols[file]; symbol++) {
      const block = home[symbol]
      if ((flags[symbol] & SYMBOL_DEFINED) === 0 || block === 0 || block === last || offset[symbol] !== 0) continue
      if (kinds[sections.Header.name[blocks.Extent.section[block]]] !== KIND_DATA || !isWanted(block)) continue
      if (!isListName(link, file, symbol)) continue
      last = block
      visit(block)
    }
  }
}

function hasData(link: Link, kinds: Uint8Array, file: number): boolean {
  const first = link.files.Ranges.section[file]
  for (let section = first; section < first + link.files.Ranges.sections[file]; section++)
    if (kinds[link.sections.Header.name[section]] === KIND_DATA) return true
  return false
}

function isListName(link: Link, file: number, symbol: number): boolean {
  const { files } = link
  const name = link.symbols.Definition.name[symbol]
  if (name !== 0) {
    const { arena, offset, length } = link.names.Text
    return hasListPrefix(link.arenas.list[arena[name]].bytes, offset[name], length[name])
  }
  const { bytes, words } = tablesOf(link, file)
  const strx = words[files.Tables.nlist[file] / 4 + (symbol - files.Ranges.symbol[file]) * 4]
  const left = files.Tables.stringsSize[file] - strx
  return hasListPrefix(bytes, files.Tables.strings[file] + strx, left)
}

function hasListPrefix(bytes: Uint8Array, at: number, left: number): boolean {
  for (const prefix of PREFIXES)
    if (prefix.length <= left && sameBytes(bytes, at, prefix, 0, prefix.length)) return true
  return false
}

/** Methods of the list that `block` is, -1 for one that must stay absolute: not of that form, or with an imported implementation. */
function methodCount(link: Link, site: Site, block: number): number {
  const { Extent } = link.blocks
  if (Extent.size[block] < METHODS_HEADER) return -1
  const { bytes } = link.arenas.list[arenaOfBlock(link, block)]
  const position = blockBytes(link, block, 0)
  const entry = readU32(bytes, position)
  const count = readU32(bytes, position + 4)
  if ((entry & IS_RELATIVE) !== 0 || (entry & ENTRY_SIZE_MASK) !== METHOD_SIZE) return -1
  if (Extent.size[block] !== METHODS_HEADER + count * METHOD_SIZE || link.blocks.Relocations.count[block] !== count * 3)
    return -1
  return hasPlainPointers(link, site, block) ? count : -1
}

/** Every pointer of the list leads to a place in this image. */
function hasPlainPointers(link: Link, site: Site, block: number): boolean {
  const to = createPointee()
  const { Relocations } = link.blocks
  enterSection(site, link, link.blocks.Extent.section[block])
  const first = Relocations.first[block]
  const from = link.blocks.Extent.offset[block] + METHODS_HEADER
  const seen = new Uint8Array(Relocations.count[block])
  for (let record = first; record < first + Relocations.count[block]; record++) {
    const slot = (site.words[site.records + record * 2] - from) / 8
    if (!Number.isInteger(slot) || slot < 0 || slot >= seen.length || seen[slot]++ > 0) return false
    if (!readPointee(link, site, record, to) || to.made !== 0) return false
    if (slot % 3 === 0 && !isString(link, to)) return false
  }
  return true
}

/** The selector of every method. */
export function methodSelectors(link: Link): void {
  const { methodLists } = link
  const { List, Method } = methodLists
  const site = createSite()
  const to = createPointee()
  for (let list = 1; list <= methodLists.count; list++) {
    enterSection(site, link, link.blocks.Extent.section[List.source[list]])
    for (let i = 0; i < List.methods[list]; i++) {
      if (readPointee(link, site, methodRecord(link, site, List.source[list], i * 3), to))
        Method.selector[List.method[list] + i] = selectorInBlock(link, to.block, to.offset)
    }
  }
}

/** The relative lists' blocks; what refers to an absolute list goes to its relative one from now on. */
export function placeMethodLists(link: Link): void {
  const { methodLists, blocks } = link
  const { List } = methodLists
  if (methodLists.count === 0) return
  const section = addInternalSection(link, '__TEXT', '__objc_methlist', macho.S_ATTR_NO_DEAD_STRIP, 2, CONTENT_REGULAR)
  const position = internalBytes(link, totalSize(methodLists), 4)
  if (methodLists.firstSection === 0) methodLists.firstSection = blocks.Extent.section[List.source[1]]
  let at = position
  for (let list = 1; list <= methodLists.count; list++) {
    const source = List.source[list]
    const size = METHODS_HEADER + List.methods[list] * RELATIVE_METHOD_SIZE
    List.block[list] = addInternalBlock(link, section, size, 2, BLOCK_KEPT | BLOCK_LIVE, at)
    blocks.Extent.flags[source] = (blocks.Extent.flags[source] & ~BLOCK_LIVE) | BLOCK_COALESCED
    blocks.Placement.leader[source] = List.block[list]
    at += size
  }
}

function totalSize(methodLists: MethodLists): number {
  return methodLists.count * METHODS_HEADER + methodLists.methods * RELATIVE_METHOD_SIZE
}
