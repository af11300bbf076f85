// Names that become imports with their first mention, and stop being some with their last.
import { growColumns } from '../../../components/columns.ts'
import { IMPORT_OWN, IMPORT_WEAK } from '../../../components/imports.ts'
import { nameText } from '../../../components/internal.ts'
import type { Dylib, Link } from '../../../components/link.ts'
import { NAME_LIVE, NAME_STRONG_REF, WHERE_UNKNOWN } from '../../../components/names.ts'
import { importFromDylib } from '../../../systems/define/imports.ts'
import { findInDylibs } from '../../../systems/kernels/imports.ts'
import { isLinked, ordinalImport } from '../../../systems/kernels/ordinals.ts'

/** Names that the linker itself gives a meaning before it asks libraries. */
const OWN_NAMES = /^(_objc_msgSend\$|___dtrace_|section\$|segment\$|___dso_handle$|__mh_\w+_header$)/

/** Why a name that nothing has mentioned so far cannot become an import by patch, in words; empty when it can. */
export function whyNotImported(link: Link, name: number): string {
  const { Resolution, Offer } = link.names
  if (link.settings.deadStrip) return 'is new, and may live or not'
  if (Resolution.where[name] !== WHERE_UNKNOWN || (Resolution.flags[name] & ~NAME_LIVE) !== 0)
    return 'is known to other objects'
  if (Offer.member[name] !== 0) return 'may be in an archive'
  if (OWN_NAMES.test(nameText(link, name))) return "is one of the linker's own"
  if (Offer.dylib[name] === 0) findInDylibs(link, name)
  if (Offer.dylib[name] === 0) return 'is in no library'
  const dylib = dylibOf(link, name)
  if (dylib.ordinal === 0) return 'is in a library that is not loaded so far'
  return dylib.referenced === 1 && !dylib.weak ? 'makes a library necessary that is loaded weakly so far' : ''
}

function dylibOf(link: Link, name: number): Dylib {
  return link.dylibs[link.dylibs[link.names.Offer.dylib[name] - 1].exporter]
}

/** Makes the import, in a row that a forgotten one has left if there is one; returns the row. */
export function importName(link: Link, name: number): number {
  const { imports, names } = link
  names.Resolution.flags[name] |= NAME_STRONG_REF | NAME_LIVE
  const spare = spareRow(link)
  if (imports.count + 2 > imports.Library.name.length)
    for (const component of [imports.Library, imports.Use]) growColumns(component, imports.count * 2 + 16)
  importFromDylib(link, name, 0)
  if (spare !== 0) moveImport(link, imports.count, spare)
  const made = names.Resolution.import[name]
  ordinalImport(link, made)
  return made
}

function spareRow({ imports, names }: Link): number {
  const { name } = imports.Library
  for (let made = 1; made <= imports.count; made++) if (names.Resolution.import[name[made]] !== made) return made
  return 0
}

/** The newest row goes to one that was left. */
function moveImport(link: Link, made: number, row: number): void {
  const { imports, names } = link
  for (const component of [imports.Library, imports.Use])
    for (const column of Object.values(component)) {
      column[row] = column[made]
      column[made] = 0
    }
  names.Resolution.import[imports.Library.name[row]] = row
  imports.count--
}

/** Why an import whose last mention goes cannot go by patch, in words; empty when it can. */
export function whyNotForgotten(link: Link, name: number): string {
  const { Library } = link.imports
  const made = link.names.Resolution.import[name]
  if (link.settings.deadStrip) return 'is asked for by no other object, and may have lived or not'
  if (made === 0 || Library.dylib[made] === 0) return 'is looked up, and by no other object'
  if (made === link.stubBinder || name === link.messenger.name || nameText(link, name) === 'dyld_stub_binder')
    return 'is what the linker itself refers to'
  const dylib = link.dylibs[Library.dylib[made] - 1]
  const [strong, weak] = otherImports(link, made)
  if (strong) return ''
  if (link.reexports.length > 0) return 'is the last of its library, which may be passed on'
  if (weak) return dylib.weak ? '' : 'leaves a library that is needed weakly'
  return isLinked(link, { ...dylib, referenced: 0 }) ? '' : 'is the last of its library'
}

/** Whether the library of an import has others that are needed, and others that are not. */
function otherImports({ imports, names }: Link, made: number): [boolean, boolean] {
  const { dylib, flags, name } = imports.Library
  let [strong, weak] = [false, false]
  for (let other = 1; other <= imports.count; other++) {
    if (other === made || dylib[other] !== dylib[made] || names.Resolution.import[name[other]] !== other) continue
    if (flags[other] & IMPORT_WEAK) weak = true
    else if ((flags[other] & IMPORT_OWN) === 0) strong = true
  }
  return [strong, weak]
}

/** Nothing mentions the name any more; returns its row, which stays until another import takes it. */
export function forgetImport(link: Link, name: number): number {
  const { Resolution, Offer } = link.names
  const { Library } = link.imports
  const made = Resolution.import[name]
  const dylib = link.dylibs[Library.dylib[made] - 1]
  const [strong, weak] = otherImports(link, made)
  dylib.referenced = strong ? 2 : weak ? 1 : 0
  Resolution.where[name] = WHERE_UNKNOWN
  Resolution.flags[name] = Resolution.import[name] = 0
  Offer.dylib[name] = Offer.exportFlags[name] = 0
  return made
}
