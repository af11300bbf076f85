// The rows of one object: symbols, blocks, relocation runs.
import type { Link } from '../../components/link.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'
import { loadBlocks } from './blocks.ts'
import { keepLocals } from './keepLocals.ts'
import { breakFile, reading } from './openObject.ts'
import { loadRelocations } from './relocations.ts'
import type { Room } from './room.ts'
import { loadSymbols } from './symbols.ts'

/**
 * Fills the rows of a file that has been opened, but for the names of its externals: those are the first of `room.mentions`. Only
 * the file's own ranges are written.
 * @returns the number of mentions, or -1 after an error (reported); the file defines and refers to nothing then
 */
export function fillObject(link: Link, file: number, header: ObjectHeader, room: Room): number {
  const count = reading(link, file, () => {
    const found = loadSymbols(link, file, header, room)
    if (found < 0 || !loadBlocks(link, file, room)) return -1
    loadRelocations(link, file)
    keepLocals(link, file, room)
    return found
  })
  if (count !== null && count >= 0) return count
  breakFile(link, file)
  return -1
}
