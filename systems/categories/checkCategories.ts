// --check-category-conflicts: warns where a category defines a method that the class, or another category of it, defines too.
import { fileText, type Link, locate } from '../../components/link.ts'
import { warn } from '../../src/core/messages.ts'
import { type CompileUnit, unitPath } from '../../src/formats/dwarf/compileUnit.ts'
import {
  CATEGORY_CLASS,
  CATEGORY_CLASS_METHODS,
  CATEGORY_INSTANCE_METHODS,
  CATEGORY_NAME,
  CLASS_METACLASS,
  CLASS_READ_ONLY,
  READ_ONLY_METHODS,
  READ_ONLY_NAME,
} from '../kernels/classFormat.ts'
import { debugUnits } from '../kernels/debugUnits.ts'
import { METHOD_SIZE, METHODS_HEADER } from '../kernels/methodFormat.ts'
import { createPointee, type Pointee, pointerAt, readPointee, textAt } from '../kernels/pointee.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'
import { eachSection, KIND_CATEGORY_LIST } from '../kernels/objectiveCKinds.ts'

/** What defines methods: a class or a category. */
interface Definer {
  kind: 'class' | 'category'
  name: string
  file: number
}

interface Check {
  site: Site
  /** Definers of methods by class and signature, `-name` or `+name`. */
  classes: Map<string, Map<string, Definer>>
  units: Map<number, CompileUnit> | null
}

type Place = readonly [block: number, offset: number]

export function checkCategories(link: Link, kinds: Uint8Array): void {
  const check: Check = { site: createSite(), classes: new Map(), units: null }
  eachSection(link, kinds, KIND_CATEGORY_LIST, (section) => {
    const { first, count } = link.sections.Blocks
    for (let block = first[section]; block < first[section] + count[section]; block++)
      for (const category of pointersOf(link, check, block)) checkCategory(link, check, category)
  })
}

/** Where the pointers in a block lead, in the order of its relocation records. */
function pointersOf(link: Link, check: Check, block: number): Place[] {
  const { Extent, Relocations } = link.blocks
  const to = createPointee()
  const places: Place[] = []
  enterSection(check.site, link, Extent.section[block])
  for (let i = Relocations.first[block]; i < Relocations.first[block] + Relocations.count[block]; i++)
    if (readPointee(link, check.site, i, to) && to.block !== 0) places.push([to.block, to.offset])
  return places
}

/** Where the pointer at `field` of the structure at `place` leads. */
function follow(link: Link, check: Check, [block, offset]: Place, field: number): Place | null {
  const to = createPointee()
  return pointerAt(link, check.site, block, offset + field, to) && to.block !== 0 ? [to.block, to.offset] : null
}

function nameAt(link: Link, check: Check, place: Place, field: number): string {
  const name = follow(link, check, place, field)
  return name === null ? '' : textAt(link, name[0], name[1])
}

function checkCategory(link: Link, check: Check, category: Place): void {
  const to = createPointee()
  if (!pointerAt(link, check.site, category[0], category[1] + CATEGORY_CLASS, to)) return
  const known = classOf(link, check, to)
  const definer: Definer = {
    kind: 'category',
    name: nameAt(link, check, category, CATEGORY_NAME),
    file: fileOf(link, category),
  }
  addMethods(link, check, known, follow(link, check, category, CATEGORY_CLASS_METHODS), '+', definer)
  addMethods(link, check, known, follow(link, check, category, CATEGORY_INSTANCE_METHODS), '-', definer)
}

function fileOf(link: Link, [block]: Place): number {
  return link.sections.Header.file[link.blocks.Extent.section[block]]
}

/** Methods of a class so far; those of its own, when it is in this image, come first. */
function classOf(link: Link, check: Check, to: Pointee): Map<string, Definer> {
  const key = to.made !== 0 ? `import ${to.made}` : `${to.block}+${to.offset}`
  const known = check.classes.get(key)
  if (known !== undefined) return known
  const methods = new Map<string, Definer>()
  check.classes.set(key, methods)
  if (to.made === 0) addClass(link, check, methods, [to.block, to.offset])
  return methods
}

function addClass(link: Link, check: Check, methods: Map<string, Definer>, place: Place): void {
  const readOnly = follow(link, check, place, CLASS_READ_ONLY)
  const name = readOnly === null ? '' : nameAt(link, check, readOnly, READ_ONLY_NAME)
  const definer: Definer = { kind: 'class', name, file: fileOf(link, place) }
  if (readOnly !== null)
    addMethods(link, check, methods, follow(link, check, readOnly, READ_ONLY_METHODS), '-', definer)
  const metaclass = follow(link, check, place, CLASS_METACLASS)
  const metaReadOnly = metaclass === null ? null : follow(link, check, metaclass, CLASS_READ_ONLY)
  if (metaReadOnly !== null)
    addMethods(link, check, methods, follow(link, check, metaReadOnly, READ_ONLY_METHODS), '+', definer)
}

function addMethods(
  link: Link,
  check: Check,
  methods: Map<string, Definer>,
  list: Place | null,
  sign: '+' | '-',
  definer: Definer,
): void {
  if (list === null) return
  const [block, offset] = list
  const { Extent, Relocations } = link.blocks
  const to = createPointee()
  const { site } = check
  enterSection(site, link, Extent.section[block])
  const start = Extent.offset[block] + offset + METHODS_HEADER
  for (let i = Relocations.first[block]; i < Relocations.first[block] + Relocations.count[block]; i++) {
    if ((site.words[site.records + i * 2] - start) % METHOD_SIZE !== 0 || !readPointee(link, site, i, to)) continue
    const signature = sign + textAt(link, to.block, to.offset)
    // The runtime calls every +load of a class and its categories.
    if (signature === '+load') continue
    const other = methods.get(signature)
    if (other === undefined) methods.set(signature, definer)
    else warnConflict(link, check, signature, definer, other)
  }
}

function warnConflict(link: Link, check: Check, signature: string, definer: Definer, other: Definer): void {
  check.units ??= debugUnits(link)
  const { units } = check
  const notes = [definer, other].map(({ kind, name, file }) => {
    const unit = units.get(file)
    return `defined in ${kind} ${name} from ${fileText(link, file)}${unit === undefined ? '' : ` (${unitPath(unit)})`}`
  })
  warn(
    link.messages,
    'category-conflict',
    `method '${signature}' has conflicting definitions:`,
    locate(link, definer.file),
    notes,
  )
}
