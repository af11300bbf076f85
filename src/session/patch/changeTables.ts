// Table entries that an object's references cause, before and after its change.
import type { Link } from '../../../components/link.ts'
import type { DirtyPages } from './dirtyPages.ts'
import { type Effects, orderOf } from './effects.ts'
import { changeEntries, entriesThatDiffer, mentioning } from './entries.ts'
import { patchHeader } from './patchMoved.ts'
import { MOST_OTHERS } from './relocateAgain.ts'
import type { Relations } from './relations.ts'
import type { Touched } from './touched.ts'

/** Brings table entries up to date; returns the other objects that refer to those that have moved, or why it cannot. */
export function changeTables(
  link: Link,
  relations: () => Relations,
  file: number,
  effects: Effects,
  now: Effects,
  dirty: DirtyPages,
): Touched | string {
  if (effects.uses.lookedUp !== now.uses.lookedUp) return 'refers to other imports that dyld looks up anywhere'
  if (link.settings.layout !== 'padded')
    return orderOf(link, file, effects.uses) === orderOf(link, file, now.uses)
      ? new Map()
      : 'refers to other imports or table entries'
  const difference = entriesThatDiffer(link, relations, file, effects.uses, now.uses)
  if (difference === null) return new Map()
  if (typeof difference === 'string') return difference
  const moved = changeEntries(link, difference, dirty)
  if (typeof moved === 'string') return moved
  if (moved.symbols.size === 0 && !moved.imports.includes(1)) return new Map()
  if (link.messageStubs.count > 0) return 'moves table entries that messages may be sent through'
  patchHeader(link, dirty)
  const touched = mentioning(link, relations(), moved)
  touched.delete(file)
  return touched.size > MOST_OTHERS ? `moves table entries that ${touched.size} objects may refer to` : touched
}
