// What classes and their categories are called.
import type { Link } from '../../components/link.ts'
import { nameText } from '../../components/internal.ts'
import { CATEGORY_CLASS, CATEGORY_NAME, READ_ONLY_NAME } from '../kernels/classFormat.ts'
import { createPointee, textAt } from '../kernels/pointee.ts'
import { symbolText } from '../kernels/places.ts'
import type { Site } from '../kernels/references.ts'
import { FIELD_POINTER, readField } from './lists.ts'

const CLASS_PREFIX = '_OBJC_CLASS_$_'

/** The names of a class's categories, with bars between them, as in ld64.lld. */
export function categoryNames(link: Link, site: Site, row: number): string {
  const { Category, Extended } = link.categories
  const to = createPointee()
  const names: string[] = []
  for (let category = Extended.first[row]; category !== 0; category = Category.next[category]) {
    const is = readField(link, site, Category.block[category], CATEGORY_NAME, to)
    names.push(is === FIELD_POINTER ? textAt(link, to.block, to.offset) : '')
  }
  return names.join('|')
}

/** A class's name, from its own data or else from its symbol. */
export function className(link: Link, site: Site, row: number): string {
  const { Category, Extended } = link.categories
  const to = createPointee()
  const readOnly = Extended.readOnly[row]
  if (readOnly !== 0 && readField(link, site, readOnly, READ_ONLY_NAME, to) === FIELD_POINTER)
    return textAt(link, to.block, to.offset)
  const block = Category.block[Extended.first[row]]
  const file = link.sections.Header.file[link.blocks.Extent.section[block]]
  if (readField(link, site, block, CATEGORY_CLASS, to) !== FIELD_POINTER) return ''
  const text =
    to.made !== 0
      ? nameText(link, link.imports.Library.name[to.made])
      : to.symbol === 0
        ? ''
        : symbolText(link, file, to.symbol)
  return text.startsWith(CLASS_PREFIX) ? text.slice(CLASS_PREFIX.length) : text
}
