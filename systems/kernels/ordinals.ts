// Which dylibs get a load command, and the ordinal of each; then the ordinal of every import.
import { IMPORT_WEAK_DEF } from '../../components/imports.ts'
import type { Dylib, Link } from '../../components/link.ts'
import {
  BIND_SPECIAL_DYLIB_FLAT_LOOKUP,
  BIND_SPECIAL_DYLIB_MAIN_EXECUTABLE,
  BIND_SPECIAL_DYLIB_SELF,
  BIND_SPECIAL_DYLIB_WEAK_LOOKUP,
} from '../../src/formats/macho/constants.ts'

export function assignOrdinals(link: Link): void {
  const { dylibs } = link
  const byName = new Map<string, number>()
  const order = dylibs.map((_, index) => index)
  order.sort(
    (a, b) => Number(dylibs[a].previous) - Number(dylibs[b].previous) || dylibs[a].rank - dylibs[b].rank || a - b,
  )
  for (const index of order) {
    const dylib = dylibs[index]
    if (dylib.bundleLoader) {
      dylib.ordinal = BIND_SPECIAL_DYLIB_MAIN_EXECUTABLE
      continue
    }
    if (dylib.exporter !== index || !isLinked(link, dylib)) continue
    const name = dylib.file.installName ?? dylib.path
    const known = byName.get(name)
    if (known === undefined) byName.set(name, link.linkedDylibs.push(index))
    dylib.ordinal = byName.get(name)!
  }
  ordinalImports(link)
}

/** Not referenced and not asked for by itself: no load command (-dead_strip_dylibs, re-exports, dead-strippable ones). */
export function isLinked(link: Link, dylib: Dylib): boolean {
  if (!dylib.active && dylib.referenced === 0) return false
  if (dylib.referenced > 0 || dylib.needed) return true
  if (!dylib.explicit || dylib.deadStrippable || link.settings.deadStripDylibs) return false
  // Symbols that moved are bound to where they were, which then stands in for the library (`$ld$previous`, ld64.lld).
  return !dylib.children.some((child) => link.dylibs[child].previous && link.dylibs[child].referenced > 0)
}

function ordinalImports(link: Link): void {
  for (let made = 1; made <= link.imports.count; made++) ordinalImport(link, made)
}

export function ordinalImport(link: Link, made: number): void {
  const { Library } = link.imports
  const flat = link.settings.flatNamespace === true
  if (Library.dylib[made] !== 0 && flat) Library.ordinal[made] = BIND_SPECIAL_DYLIB_FLAT_LOOKUP
  else if (Library.dylib[made] !== 0) Library.ordinal[made] = link.dylibs[Library.dylib[made] - 1].ordinal
  else if (Library.flags[made] & IMPORT_WEAK_DEF) Library.ordinal[made] = BIND_SPECIAL_DYLIB_SELF
}

/** The ordinal in chained imports, where a weak definition is looked up in all images. */
export function chainedOrdinal(link: Link, made: number): number {
  return link.imports.Library.flags[made] & IMPORT_WEAK_DEF
    ? BIND_SPECIAL_DYLIB_WEAK_LOOKUP
    : link.imports.Library.ordinal[made]
}
