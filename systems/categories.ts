// categories: when asked, checks that categories do not define each other's methods, and merges those of one class.
// Reads: __objc_catlist and what it leads to, by relocations. Writes: categories, the internal file's rows, block flags, Placement.leader.
// After strip, which decides what categories there are; before fold and objectiveC, for which merged lists are as good as others.
// Nobody asks: costs nothing. Else: a look at each section's name, and at all records and symbols of files with categories.

import type { Link } from '../components/link.ts'
import { checkCategories } from './categories/checkCategories.ts'
import { findCategories } from './categories/findCategories.ts'
import { mergeCategories } from './categories/mergeCategories.ts'
import { sectionKinds } from './kernels/objectiveCKinds.ts'

export function categories(link: Link): void {
  const { checkCategoryConflicts, objcCategoryMerging } = link.settings
  const kinds = checkCategoryConflicts || objcCategoryMerging ? sectionKinds(link) : null
  if (kinds === null) return
  if (checkCategoryConflicts) checkCategories(link, kinds)
  if (!objcCategoryMerging) return
  link.categories = findCategories(link, kinds)
  mergeCategories(link, kinds)
  link.visited.rows += link.categories.count
}
