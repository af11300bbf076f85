// The data of one class and its merged categories: lists made of those that there were, then what refers to them.
import { BLOCK_COALESCED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { CATEGORY_SIZE, READ_ONLY_POINTERS, READ_ONLY_SIZE } from '../kernels/classFormat.ts'
import { methodRecord } from '../kernels/methodRecords.ts'
import { createPointee, recordAt } from '../kernels/pointee.ts'
import { enterSection, type Site } from '../kernels/references.ts'
import { categoryNames, className } from './categoryNames.ts'
import {
  CATEGORY_FIELDS,
  CLASS_FIELDS,
  ENTRY_SIZES,
  FIELD_POINTER,
  IS_META,
  LIST_NAMES,
  LISTS,
  PROTOCOL_NULL,
  PROTOCOLS,
  readField,
} from './lists.ts'
import {
  addLocal,
  copyBytes,
  copyPointer,
  endBlock,
  type Making,
  putImport,
  putPlace,
  putPointer,
  putWord,
} from './making.ts'

/** Orders in which ld64.lld makes the lists of a category and of a class. */
const CATEGORY_ORDER: readonly number[] = [0, 1, 2, 3, 4]
const CLASS_ORDER: readonly number[] = [PROTOCOLS, 1, 0, 4, 3]

export function makeClass(link: Link, making: Making, site: Site, row: number): void {
  const { Extended } = link.categories
  const suffix = `${className(link, site, row)}(${categoryNames(link, site, row)})`
  const isHere = Extended.import[row] === 0
  if (!isHere) Extended.symbol[row] = addLocal(link, `__OBJC_$_CATEGORY_${suffix}`)
  const parts = Array.from({ length: LISTS }, (_, list) => partsOf(link, site, row, list))
  const lists = new Uint32Array(LISTS)
  for (const list of isHere ? CLASS_ORDER : CATEGORY_ORDER)
    if (countPointers(link, parts[list]) > 0) lists[list] = addLocal(link, LIST_NAMES[list] + suffix)
  if (!isHere) makeCategory(link, making, row, lists)
  for (const list of isHere ? CLASS_ORDER : CATEGORY_ORDER) {
    const block = lists[list] === 0 ? 0 : makeList(link, making, site, parts[list], list)
    if (block === 0) continue
    link.symbols.Definition.block[lists[list]] = block
    for (const part of parts[list]) drop(link, part, block)
  }
  if (isHere) {
    makeReadOnly(link, making, site, Extended.readOnly[row], lists, false)
    makeReadOnly(link, making, site, Extended.metaReadOnly[row], lists, true)
  }
  dropCategories(link, row)
}

/** The lists that become one: those of the categories come first, then that of the class (ld64.lld): of methods of one name the first one counts. */
function partsOf(link: Link, site: Site, row: number, list: number): number[] {
  const { Category, Extended } = link.categories
  const to = createPointee()
  const parts: number[] = []
  for (let category = Extended.first[row]; category !== 0; category = Category.next[category])
    if (readField(link, site, Category.block[category], CATEGORY_FIELDS[list], to) === FIELD_POINTER)
      parts.push(to.block)
  const owner = IS_META[list] ? Extended.metaReadOnly[row] : Extended.readOnly[row]
  if (owner !== 0 && readField(link, site, owner, CLASS_FIELDS[list], to) === FIELD_POINTER) parts.push(to.block)
  return parts
}

function countPointers(link: Link, parts: readonly number[]): number {
  return parts.reduce((sum, part) => sum + link.blocks.Relocations.count[part], 0)
}

function makeList(link: Link, making: Making, site: Site, parts: readonly number[], list: number): number {
  const start = making.at
  const to = createPointee()
  const count = (countPointers(link, parts) * 8) / ENTRY_SIZES[list]
  putWord(link, making, list === PROTOCOLS ? count : ENTRY_SIZES[list])
  putWord(link, making, list === PROTOCOLS ? 0 : count)
  for (const part of parts) {
    enterSection(site, link, link.blocks.Extent.section[part])
    for (let slot = 0; slot < link.blocks.Relocations.count[part]; slot++)
      copyPointer(link, making, site, methodRecord(link, site, part, slot), to)
  }
  if (list === PROTOCOLS) making.at += PROTOCOL_NULL
  return endBlock(link, making, start)
}

/** Whoever refers to it besides finds what it has become. */
function drop(link: Link, block: number, heir: number): void {
  link.blocks.Extent.flags[block] &= ~BLOCK_LIVE
  link.blocks.Placement.leader[block] = heir
}

function makeCategory(link: Link, making: Making, row: number, lists: Uint32Array): void {
  const { Extended } = link.categories
  const start = making.at
  putPlace(link, making, Extended.name[row], 0)
  putImport(link, making, Extended.import[row])
  for (let list = 0; list < LISTS; list++) putList(link, making, lists[list])
  putWord(link, making, CATEGORY_SIZE)
  making.at = start + CATEGORY_SIZE
  link.symbols.Definition.block[Extended.symbol[row]] = endBlock(link, making, start)
}

function putList(link: Link, making: Making, list: number): void {
  if (list === 0) making.at += 8
  else putPointer(link, making, list)
}

/** class_ro_t as it was, but for its lists. */
function makeReadOnly(link: Link, making: Making, site: Site, old: number, lists: Uint32Array, isMeta: boolean): void {
  const { Extent, Placement } = link.blocks
  const to = createPointee()
  const start = making.at
  enterSection(site, link, Extent.section[old])
  copyBytes(link, making, site, Extent.offset[old], READ_ONLY_POINTERS)
  for (let field = READ_ONLY_POINTERS; field < READ_ONLY_SIZE; field += 8) {
    const list = CLASS_FIELDS.findIndex((at, i) => at === field && (i === PROTOCOLS || IS_META[i] === isMeta))
    const record = recordAt(link, site, old, field)
    if (list >= 0) putList(link, making, lists[list])
    else if (record >= 0) copyPointer(link, making, site, record, to)
    else copyBytes(link, making, site, Extent.offset[old] + field, 8)
  }
  const block = endBlock(link, making, start)
  Extent.flags[old] = (Extent.flags[old] & ~BLOCK_LIVE) | BLOCK_COALESCED
  Placement.leader[old] = block
}

function dropCategories(link: Link, row: number): void {
  const { Category, Extended } = link.categories
  const { block } = link.symbols.Definition
  const heir = Extended.symbol[row] === 0 ? 0 : block[Extended.symbol[row]]
  for (let category = Extended.first[row]; category !== 0; category = Category.next[category])
    drop(link, Category.block[category], heir)
}
