// What classes and their categories are called.
import type { Link } from '../../components/link.ts'
import { nameText } from '../../components/internal.ts'
import { cstringEnd, toText } from '../../src/core/bytes.ts'
import { CATEGORY_CLASS, CATEGORY_NAME, READ_ONLY_NAME } from '../kernels/classFormat.ts'
import { arenaOfBlock, blockBytes, createPointee, isString, type Pointee } from '../kernels/pointee.ts'
import { symbolText } from '../kernels/places.ts'
import type { Site } from '../kernels/references.ts'
import { FIELD_POINTER, readField } from './lists.ts'

const CLASS_PREFIX = '_OBJC_CLASS_$_'

/** A class whose categories have longer names together is left alone, and so is one that needs a longer name itself. */
const MOST_NAMES = 0x100000
const MOST_NAME = 4096

/** The names of a class's categories, with bars between them, as in ld64.lld; null where they are no names, or too long. */
export function categoryNames(link: Link, site: Site, row: number): string | null {
  const { Category, Extended } = link.categories
  const names: string[] = []
  let length = 0
  for (let category = Extended.first[row]; category !== 0; category = Category.next[category]) {
    const name = nameAt(link, site, Category.block[category], CATEGORY_NAME)
    length += 1 + (name ?? '').length
    if (name === null || length > MOST_NAMES) return null
    names.push(name)
  }
  return names.join('|')
}

/** The text that a field leads to, if there is a short one. */
function nameAt(link: Link, site: Site, block: number, field: number): string | null {
  const to = createPointee()
  if (readField(link, site, block, field, to) !== FIELD_POINTER || !isString(link, to)) return null
  const position = blockBytes(link, to.block, to.offset)
  const { bytes } = link.arenas.list[arenaOfBlock(link, to.block)]
  const end = position + Math.min(MOST_NAME, link.blocks.Extent.size[to.block] - to.offset)
  const nul = cstringEnd(bytes, position, end)
  return nul < end ? toText(bytes, position, nul) : null
}

/** A class's name, from its own data or else from its symbol; null where it has none, or a long one. */
export function className(link: Link, site: Site, row: number): string | null {
  const { Category, Extended } = link.categories
  if (Extended.readOnly[row] !== 0) return nameAt(link, site, Extended.readOnly[row], READ_ONLY_NAME)
  const to = createPointee()
  readField(link, site, Category.block[Extended.first[row]], CATEGORY_CLASS, to)
  const text = symbolName(link, site.file, to)
  if (text.length > MOST_NAME) return null
  return text.startsWith(CLASS_PREFIX) ? text.slice(CLASS_PREFIX.length) : text
}

/** That of the import or of the file's symbol that a pointer names. */
function symbolName(link: Link, file: number, to: Pointee): string {
  if (to.made !== 0) return nameText(link, link.imports.Library.name[to.made])
  return to.symbol === 0 ? '' : symbolText(link, file, to.symbol)
}
