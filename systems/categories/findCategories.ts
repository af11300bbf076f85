// Finds the categories that may be merged, class by class: those that nothing but one slot of one __objc_catlist leads to. So not those
// with a +load method: __objc_nlcatlist has them too.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { type Categories, createCategories } from '../../components/objectiveC.ts'
import { readU32 } from '../../src/core/bytes.ts'
import { spawnRange } from '../../src/ecs.ts'
import { CATEGORY_CLASS, CATEGORY_SIZE, CATEGORY_SIZE_FIELD } from '../kernels/classFormat.ts'
import { methodRecord } from '../kernels/methodRecords.ts'
import { eachSection, KIND_CATEGORY_LIST, KIND_OTHER } from '../kernels/objectiveCKinds.ts'
import { arenaOfBlock, blockBytes, createPointee, readPointee } from '../kernels/pointee.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'
import { countReferences } from './countReferences.ts'
import { arePointers, FIELD_POINTER, readField } from './lists.ts'

/** Bytes that compilers give as a category's size: with its padding, or without. */
const SIZES: readonly number[] = [CATEGORY_SIZE_FIELD + 4, CATEGORY_SIZE]

interface Finding {
  link: Link
  found: Categories
  site: Site
  /** Rows by what the class is. */
  classes: Map<string, number>
  kinds: Uint8Array
  /** As `countReferences` gives them. */
  references: Uint8Array
}

export function findCategories(link: Link, kinds: Uint8Array): Categories {
  const lists: number[] = []
  const site = createSite()
  const references = countReferences(link, kinds)
  eachPointerList(link, kinds, site, (block) => {
    if (references[block] === 0) lists.push(block)
  })
  const { size } = link.blocks.Extent
  const rows = lists.reduce((sum, block) => sum + size[block] / 8, 0)
  const found = createCategories(rows, false)
  const finding: Finding = { link, found, site, classes: new Map(), kinds, references }
  for (const block of lists) for (let slot = 0; slot < size[block] / 8; slot++) addCategory(finding, block, slot)
  spawnRange(found.world, found.count, [found.Category])
  spawnRange(found.classWorld, found.classes, [found.Extended])
  return found
}

/** Live blocks that are nothing but pointers; others are left alone. */
function eachPointerList(link: Link, kinds: Uint8Array, site: Site, visit: (block: number) => void): void {
  const { flags, size } = link.blocks.Extent
  eachSection(link, kinds, KIND_CATEGORY_LIST, (section) => {
    const { first, count } = link.sections.Blocks
    for (let block = first[section]; block < first[section] + count[section]; block++) {
      const slots = size[block] / 8
      if (!(flags[block] & BLOCK_LIVE) || link.blocks.Relocations.count[block] !== slots || slots === 0) continue
      if (arePointers(link, site, block, 0, slots)) visit(block)
    }
  })
}

/** The block that a pointer of a list leads to the beginning of, or 0. */
function pointeeAt(link: Link, site: Site, list: number, slot: number): number {
  const to = createPointee()
  enterSection(site, link, link.blocks.Extent.section[list])
  return readPointee(link, site, methodRecord(link, site, list, slot), to) && to.offset === 0 ? to.block : 0
}

function addCategory(finding: Finding, list: number, slot: number): void {
  const { link, found, site, classes } = finding
  const block = pointeeAt(link, site, list, slot)
  if (finding.references[block] !== 1 || !isCategory(finding, block)) return
  const to = createPointee()
  if (readField(link, site, block, CATEGORY_CLASS, to) !== FIELD_POINTER) return
  const key = `${to.made} ${to.block} ${to.offset}`
  const { Category, Extended } = found
  let row = classes.get(key) ?? 0
  if (row === 0) {
    row = ++found.classes
    classes.set(key, row)
    Extended.block[row] = to.block
    Extended.offset[row] = to.offset
    Extended.import[row] = to.made
  }
  const category = ++found.count
  Category.list[category] = list
  Category.slot[category] = slot
  Category.block[category] = block
  Category.class[category] = row
  if (Extended.count[row]++ === 0) Extended.first[row] = category
  else Category.next[Extended.last[row]] = category
  Extended.last[row] = category
}

function isCategory({ link, kinds }: Finding, block: number): boolean {
  const position = blockBytes(link, block, 0)
  const { size, flags } = link.blocks.Extent
  if (position < 0 || !(flags[block] & BLOCK_LIVE) || !SIZES.includes(size[block])) return false
  if (kinds[link.sections.Header.name[link.blocks.Extent.section[block]]] === KIND_OTHER) return false
  return SIZES.includes(readU32(link.arenas.list[arenaOfBlock(link, block)].bytes, position + CATEGORY_SIZE_FIELD))
}
