// Whether the categories of a class can be merged, and what the merged data takes.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import {
  CLASS_METACLASS,
  CLASS_READ_ONLY,
  CATEGORY_SIZE,
  READ_ONLY_FLAGS,
  READ_ONLY_POINTERS,
  READ_ONLY_SIZE,
} from '../kernels/classFormat.ts'
import { categoryNames, className } from './categoryNames.ts'
import { KIND_OTHER } from '../kernels/objectiveCKinds.ts'
import { blockBytes, createPointee, readPointee } from '../kernels/pointee.ts'
import { enterSection, type Site } from '../kernels/references.ts'
import {
  CATEGORY_FIELDS,
  CLASS_FIELDS,
  FIELD_EMPTY,
  FIELD_POINTER,
  IS_META,
  LIST_HEADER,
  LISTS,
  pointersIn,
  PROTOCOL_NULL,
  PROTOCOLS,
  readField,
} from './lists.ts'

export interface Measuring {
  link: Link
  kinds: Uint8Array
  site: Site
  /** By block: 1 where it is part of a category or class that has been measured. Nothing is merged that two have in common. */
  taken: Uint8Array
  /** Of all that is merged: bytes, pointers, and how many of those lead to something that is there already. */
  bytes: number
  pointers: number
  labels: number
  /** Characters in names that are made. */
  names: number
}

/** What one class adds. */
interface Sizes {
  bytes: number
  pointers: number
  labels: number
}

/** Pointers to symbols: a relocation record has 24 bits for the number of one. */
const MOST_LABELS = 0xf00000
/** Characters of all names that are made: categories may share theirs, so that inputs do not bound them. */
const MOST_NAMES = 0x8000000

/** Adds what the class takes when its categories are merged. Returns why they cannot be, or an empty text. */
export function measureClass(measuring: Measuring, row: number): string {
  const { link, site } = measuring
  const { Extended } = link.categories
  const sizes: Sizes = { bytes: 0, pointers: 0, labels: 0 }
  const isHere = Extended.import[row] === 0
  if (isHere && !findReadOnly(measuring, row, sizes)) return 'its class is of a form that is not known'
  if (!measureLists(measuring, row, sizes)) return 'a list of theirs is of a form that is not known'
  if (measuring.labels + sizes.labels > MOST_LABELS) return 'they have too many pointers'
  const [name, names] = [className(link, site, row), categoryNames(link, site, row)]
  if (name === null || names === null) return 'their names are of a form that is not known'
  measuring.names += (name.length + names.length) * (LISTS + 2)
  if (measuring.names > MOST_NAMES) return 'their names are too long'
  // A category: its name and class, and its place in the list of categories.
  measuring.bytes += sizes.bytes + (isHere ? 0 : CATEGORY_SIZE)
  measuring.pointers += sizes.pointers + (isHere ? 0 : 2)
  measuring.labels += sizes.labels + (isHere ? 0 : 2)
  return ''
}

/** Finds class_ro_t of a class and its metaclass. */
function findReadOnly(measuring: Measuring, row: number, sizes: Sizes): boolean {
  const { link, site } = measuring
  const { Extended } = link.categories
  const to = createPointee()
  const [block, offset] = [Extended.block[row], Extended.offset[row]]
  Extended.readOnly[row] = readOnlyOf(measuring, block, offset, sizes)
  if (readField(link, site, block, offset + CLASS_METACLASS, to) !== FIELD_POINTER || to.block === 0) return false
  Extended.metaReadOnly[row] = readOnlyOf(measuring, to.block, to.offset, sizes)
  return Extended.readOnly[row] !== 0 && Extended.metaReadOnly[row] !== 0
}

/** The block of class_ro_t of the class `offset` bytes into `block`, 0 where it cannot be made anew. */
function readOnlyOf(measuring: Measuring, block: number, offset: number, sizes: Sizes): number {
  const { link, site, taken } = measuring
  const to = createPointee()
  if (readField(link, site, block, offset + CLASS_READ_ONLY, to) !== FIELD_POINTER) return 0
  const { Extent, Relocations } = link.blocks
  const readOnly = to.block
  if (to.offset > READ_ONLY_FLAGS || !isData(measuring, readOnly)) return 0
  if (Extent.size[readOnly] !== READ_ONLY_SIZE || taken[readOnly]) return 0
  taken[readOnly] = 1
  enterSection(site, link, Extent.section[readOnly])
  const first = Relocations.first[readOnly]
  for (let record = first; record < first + Relocations.count[readOnly]; record++) {
    const field = site.words[site.records + record * 2] - Extent.offset[readOnly]
    if (field % 8 !== 0 || field < READ_ONLY_POINTERS || !readPointee(link, site, record, to)) return 0
    if (CLASS_FIELDS.includes(field)) continue
    sizes.pointers++
    sizes.labels++
  }
  sizes.bytes += READ_ONLY_SIZE
  return readOnly
}

/** Blocks of sections of Objective-C data, for whose pointers rows have been reserved. */
function isData({ link, kinds }: Measuring, block: number): boolean {
  const { Extent } = link.blocks
  if (block === 0 || blockBytes(link, block, 0) < 0 || !(Extent.flags[block] & BLOCK_LIVE)) return false
  return kinds[link.sections.Header.name[Extent.section[block]]] !== KIND_OTHER
}

/** Returns false where one of the lists is something else. */
function measureLists(measuring: Measuring, row: number, sizes: Sizes): boolean {
  const { Category, Extended } = measuring.link.categories
  for (let list = 0; list < LISTS; list++) {
    let count = 0
    for (let category = Extended.first[row]; category !== 0; category = Category.next[category]) {
      const found = countPointers(measuring, Category.block[category], CATEGORY_FIELDS[list], list)
      if (found < 0) return false
      count += found
    }
    const owner = IS_META[list] ? Extended.metaReadOnly[row] : Extended.readOnly[row]
    const found = owner === 0 ? 0 : countPointers(measuring, owner, CLASS_FIELDS[list], list)
    if (found < 0 || (list === PROTOCOLS && owner !== 0 && !haveSameProtocols(measuring, row))) return false
    count += found
    if (count === 0) continue
    sizes.bytes += LIST_HEADER + count * 8 + (list === PROTOCOLS ? PROTOCOL_NULL : 0)
    sizes.labels += count
    // And what refers to the list: class and metaclass have the same protocols.
    sizes.pointers += count + (list === PROTOCOLS ? 2 : 1)
  }
  return true
}

/** Pointers in the list that a field leads to, 0 without one, -1 where it is no list that can be merged. */
function countPointers(measuring: Measuring, block: number, field: number, list: number): number {
  const { link, site, taken } = measuring
  const to = createPointee()
  const is = readField(link, site, block, field, to)
  if (is === FIELD_EMPTY) return 0
  if (is !== FIELD_POINTER || to.offset !== 0 || !isData(measuring, to.block) || taken[to.block]) return -1
  taken[to.block] = 1
  return pointersIn(link, site, to.block, list)
}

/** The metaclass of a class that adopts protocols refers to the same list. */
function haveSameProtocols({ link, site }: Measuring, row: number): boolean {
  const { readOnly, metaReadOnly } = link.categories.Extended
  const [own, meta] = [createPointee(), createPointee()]
  const is = readField(link, site, readOnly[row], CLASS_FIELDS[PROTOCOLS], own)
  const isMeta = readField(link, site, metaReadOnly[row], CLASS_FIELDS[PROTOCOLS], meta)
  return is === isMeta && own.block === meta.block && own.offset === meta.offset
}
