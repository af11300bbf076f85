// Import rows, and the dylibs that can answer a name.
import type { Link } from '../../components/link.ts'
import { EXPORT_WEAK, findExport } from '../../src/formats/exportTable.ts'

/** A new row for `name`, at most one a name; the columns have room for what defineImports counted. */
export function addImport(link: Link, name: number, flags: number): number {
  const { imports } = link
  const made = ++imports.count
  imports.Library.name[made] = name
  imports.Library.flags[made] = flags
  link.names.Resolution.import[name] = made
  return made
}

/** Whether options leave an undefined name to dyld. */
export function isLookedUp(link: Link, text: string): boolean {
  const { undefined: treatment = 'error', dynamicLookup } = link.settings
  return treatment !== 'error' || dynamicLookup?.includes(text) === true
}

/** The first active dylib in rank order whose exports (its re-exports included) have the name; strong before weak. */
export function findInDylibs(link: Link, name: number): void {
  const { Text, Offer } = link.names
  const { bytes } = link.arenas.list[Text.arena[name]]
  for (const index of link.dylibOrder) {
    const row = findExport(
      link.dylibs[index].file.exports,
      bytes,
      Text.offset[name],
      Text.length[name],
      Text.hash[name],
    )
    if (row === -1) continue
    const flags = link.dylibs[index].file.exports.flags[row]
    if (Offer.dylib[name] === 0 || !(flags & EXPORT_WEAK)) {
      Offer.dylib[name] = index + 1
      Offer.exportFlags[name] = flags
    }
    if (!(flags & EXPORT_WEAK)) return
  }
}
