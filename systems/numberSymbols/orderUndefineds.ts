// The undefined names of the padded layout, in an order that does not depend on who mentions them first.
import { nameText } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'

/** By name, then by the ordinal of the library. */
export function orderUndefineds(link: Link): void {
  const { Library } = link.imports
  const texts = new Map(link.table.undefineds.map((made) => [made, nameText(link, Library.name[made])]))
  link.table.undefineds.sort((a, b) => {
    const [one, other] = [texts.get(a)!, texts.get(b)!]
    return one === other ? Library.ordinal[a] - Library.ordinal[b] : one < other ? -1 : 1
  })
}
