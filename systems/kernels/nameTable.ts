// The name columns in the shape the dyld formats read.
import type { Link } from '../../components/link.ts'
import type { NameTable } from '../../src/formats/dyld/bind.ts'

export function nameTable(link: Link): NameTable {
  const { arena, offset, length } = link.names.Text
  return { bytes: link.arenas.list.map((place) => place.bytes), arena, offset, length }
}
