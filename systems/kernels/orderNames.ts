// The order in which the linker defines names that inputs mention.
import { compareNames } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'

/** Sorts rows of names by their text in the padded layout, which does not depend on who mentions them first. */
export function orderNames(link: Link, names: number[]): number[] {
  return link.settings.layout === 'padded' ? names.sort((a, b) => compareNames(link, a, b)) : names
}
