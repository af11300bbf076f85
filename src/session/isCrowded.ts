// When it is time to read everything again: links that take inputs over leave the bytes of replaced versions where they are.
import { FILE_ARCHIVE, FILE_OBJECT } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'

/** Columns hold the number of an arena in a byte. */
const MOST_ARENAS = 200
/** Bytes that nobody reads, by those that are read, and those that are always allowed. */
const MOST_WASTE = 1
const FREE_WASTE = 32 << 20

/** Whether what is dead in the arenas, of which `held` bytes came with the last full link, is too much to go on with. */
export function isCrowded(link: Link, held: number): boolean {
  const { arenas, files } = link
  const { kind, size } = files.Source
  let live = 0
  for (let file = 1; file <= files.count; file++)
    if (kind[file] === FILE_ARCHIVE || (kind[file] === FILE_OBJECT && files.Order.parent[file] === 0))
      live += size[file]
  // Not all that a full link holds is the size of an object: slices for others, members of thin archives, libraries.
  const wanted = Math.max(live, held)
  return arenas.list.length > MOST_ARENAS || heldBytes(link) - wanted > wanted * MOST_WASTE + FREE_WASTE
}

/** Bytes of inputs in the arenas, read by anybody or not. */
export function heldBytes({ arenas, names, internal }: Link): number {
  let held = 0
  arenas.list.forEach(({ used }, arena) => {
    if (arena !== names.pool && arena !== internal.arena) held += used
  })
  return held
}
