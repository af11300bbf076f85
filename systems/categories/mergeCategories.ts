// -objc_category_merging: of the categories of a class one is made, or they become part of the class where the image has it. The runtime
// attaches each category that it finds, at every start.
import { addInternalBlock, addInternalSection, addInternalSymbols, internalBytes } from '../../components/internal.ts'
import { BLOCK_KEPT, BLOCK_LIVE } from '../../components/blocks.ts'
import { type Link, locate } from '../../components/link.ts'
import { CONTENT_CSTRING } from '../../components/sections.ts'
import { fromText } from '../../src/core/bytes.ts'
import { warn } from '../../src/core/messages.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { methodRecord } from '../kernels/methodRecords.ts'
import { createPointee } from '../kernels/pointee.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'
import { categoryNames, className } from './categoryNames.ts'
import { makeClass } from './makeClass.ts'
import { beginSection, copyPointer, endBlock, type Making, putPointer } from './making.ts'
import { type Measuring, measureClass } from './measureClass.ts'

/** Merges what `link.categories` has found. */
export function mergeCategories(link: Link, kinds: Uint8Array): void {
  const { categories } = link
  const site = createSite()
  const taken = new Uint8Array(link.blocks.count + 1)
  const measuring: Measuring = { link, kinds, site, taken, bytes: 0, pointers: 0, labels: 0, names: 0 }
  for (let row = 1; row <= categories.classes; row++) measureRow(measuring, row)
  if (categories.merged === 0) return
  addNames(link, site)
  const { Category, Extended } = categories
  const [segment, name] = homeOf(link, Category.block[1])
  const slots = countSlots(link)
  const labels = addInternalSymbols(link, measuring.labels + slots.labels)
  const making = beginSection(link, segment, name, 0, measuring.bytes, measuring.pointers, labels)
  for (let row = 1; row <= categories.classes; row++) if (Extended.isMerged[row]) makeClass(link, making, site, row)
  makeList(link, making.label, site, slots)
}

function measureRow(measuring: Measuring, row: number): void {
  const { link, site } = measuring
  const { Category, Extended } = link.categories
  if (Extended.import[row] !== 0 && Extended.count[row] === 1) return
  const reason = measureClass(measuring, row)
  if (reason === '') {
    Extended.isMerged[row] = 1
    link.categories.merged++
    return
  }
  const section = link.blocks.Extent.section[Category.block[Extended.first[row]]]
  const text = `ObjC category merging skipped for class ${className(link, site, row) ?? '(unknown)'}: ${reason}`
  warn(link.messages, 'categories-not-merged', text, locate(link, link.sections.Header.file[section]))
}

/** Segment and section of an input's block. */
function homeOf({ blocks, sections, sectionNames }: Link, block: number): [segment: string, section: string] {
  const name = sections.Header.name[blocks.Extent.section[block]]
  return [sectionNames.segments[name], sectionNames.sections[name]]
}

/** Names of merged categories. */
function addNames(link: Link, site: Site): void {
  const { Extended, classes } = link.categories
  let section = 0
  for (let row = 1; row <= classes; row++) {
    if (!Extended.isMerged[row] || Extended.import[row] === 0) continue
    if (section === 0)
      section = addInternalSection(link, '__TEXT', '__objc_classname', macho.S_CSTRING_LITERALS, 0, CONTENT_CSTRING)
    const text = fromText(categoryNames(link, site, row) ?? '')
    const position = internalBytes(link, text.length + 1)
    link.arenas.list[link.internal.arena].bytes.set(text, position)
    Extended.name[row] = addInternalBlock(link, section, text.length + 1, 0, BLOCK_KEPT | BLOCK_LIVE, position)
  }
}

/** Pointers of the list of categories that the linker makes: to merged categories, and to those that the lists still have besides. */
interface Slots {
  pointers: number
  labels: number
}

function countSlots(link: Link): Slots {
  const { Category, Extended, classes, count } = link.categories
  const { size } = link.blocks.Extent
  const isCounted = new Set<number>()
  let [left, made] = [0, 0]
  for (let category = 1; category <= count; category++) {
    if (!Extended.isMerged[Category.class[category]]) continue
    const list = Category.list[category]
    if (!isCounted.has(list)) left += size[list] / 8
    isCounted.add(list)
    left--
  }
  for (let row = 1; row <= classes; row++) if (Extended.isMerged[row] && Extended.import[row] !== 0) made++
  return { pointers: made + left, labels: left }
}

/** The lists that name merged categories go; what they name besides comes behind what has been made, as in ld64.lld. */
function makeList(link: Link, label: number, site: Site, slots: Slots): void {
  const { Category, Extended, classes } = link.categories
  const { flags } = link.blocks.Extent
  const [segment, name] = homeOf(link, Category.list[1])
  const size = slots.pointers * 8
  const making = beginSection(link, segment, name, macho.S_ATTR_NO_DEAD_STRIP, size, slots.pointers, label)
  for (let row = 1; row <= classes; row++)
    if (Extended.symbol[row] !== 0) putPointer(link, making, Extended.symbol[row])
  for (let row = 1; row <= classes; row++) {
    if (!Extended.isMerged[row]) continue
    for (let category = Extended.first[row]; category !== 0; category = Category.next[category]) {
      if (flags[Category.list[category]] & BLOCK_LIVE) putOthers(link, making, site, category)
      flags[Category.list[category]] &= ~BLOCK_LIVE
    }
  }
  if (making.at > making.from) endBlock(link, making, making.from)
}

/** What the list of a category names that is not merged. */
function putOthers(link: Link, making: Making, site: Site, category: number): void {
  const { Category, Extended, count } = link.categories
  const list = Category.list[category]
  const to = createPointee()
  let next = category
  while (next > 1 && Category.list[next - 1] === list) next--
  enterSection(site, link, link.blocks.Extent.section[list])
  for (let slot = 0; slot < link.blocks.Extent.size[list] / 8; slot++) {
    while (next < count && Category.list[next] === list && Category.slot[next] < slot) next++
    const isHere = Category.list[next] === list && Category.slot[next] === slot
    if (!isHere || !Extended.isMerged[Category.class[next]])
      copyPointer(link, making, site, methodRecord(link, site, list, slot), to)
  }
}
