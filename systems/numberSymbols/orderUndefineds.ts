// The undefined names of the padded layout, in an order that does not depend on who mentions them first.
import { compareNames } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'

/** By name, then by the ordinal of the library. */
export function orderUndefineds(link: Link): void {
  const { name, ordinal } = link.imports.Library
  link.table.undefineds.sort((a, b) => compareNames(link, name[a], name[b]) || ordinal[a] - ordinal[b])
}
