// Names in an order that does not depend on their rows, which links that take columns over number otherwise.
import { compareNames } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { fileOfSymbol, ranksBefore } from './ranks.ts'

/** Sorts rows of names by the place of their definitions in the inputs; those that no input defines come last, by their text. */
export function orderPlaces(link: Link, names: number[]): number[] {
  const { symbol } = link.names.Resolution
  return names.sort((a, b) => {
    const [one, other] = [symbol[a], symbol[b]]
    if (one === 0 || other === 0) return one === other ? compareNames(link, a, b) : one === 0 ? 1 : -1
    const [file, after] = [fileOfSymbol(link, one), fileOfSymbol(link, other)]
    return file === after ? one - other : ranksBefore(link, file, after) ? -1 : 1
  })
}
