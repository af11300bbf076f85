// When it is time to read everything again: links that take inputs over leave the bytes of replaced versions where they are.
import { FILE_ARCHIVE, FILE_OBJECT } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'

/** Columns hold the number of an arena in a byte. */
const MOST_ARENAS = 200
/** Bytes that nobody reads, by those that are read, and those that are always allowed. */
const MOST_WASTE = 1
const FREE_WASTE = 32 << 20

/** Whether what is dead in the arenas is too much to go on with. */
export function isCrowded({ arenas, files, names, internal }: Link): boolean {
  const { kind, size } = files.Source
  let used = 0
  arenas.list.forEach((arena, i) => {
    if (i !== names.pool && i !== internal.arena) used += arena.used
  })
  let live = 0
  for (let file = 1; file <= files.count; file++)
    if (kind[file] === FILE_ARCHIVE || (kind[file] === FILE_OBJECT && files.Order.parent[file] === 0))
      live += size[file]
  return arenas.list.length > MOST_ARENAS || used - live > live * MOST_WASTE + FREE_WASTE
}
