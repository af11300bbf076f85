// Room for __LINKEDIT: link.tail, made before its largest tables are, so that symbols and strings are written where they stay.
import { memory } from '../../components/columns.ts'
import { type Link, LINKEDIT_ORDER, type LinkeditName } from '../../components/link.ts'
import { takeTail } from '../../components/spare.ts'
import { alignUp } from '../../src/core/align.ts'
import { fillRoom, tableRoom } from '../kernels/linkeditRooms.ts'

/** dyld of macOS 27 refuses tables that are not pointer-aligned. */
const TABLE_ALIGNMENT = 8
/** Tails are made in steps of so many bytes, so that a spare one does where names have come. */
const STEP = 1 << 20
/** A page hash has 32 bytes for at least 4096; the rest of a signature is far below that. */
const SIGNATURE_REST = 65536
const BYTES_A_HASH = 128

/**
 * Moves the finished tables to their places in a new link.tail and sets all file offsets; `symbols` and `strings` get places
 * of so many bytes. `strings` may be more than it takes: no table stands behind it. With room for the signature, and with the
 * rooms of the padded layout.
 */
export function reserveTail(link: Link, symbols: number, strings: number): void {
  const { linkedit } = link
  const start = link.segments.Extent.fileOffset[link.segments.byName.get('__LINKEDIT') ?? 0]
  const sizes: Partial<Record<LinkeditName, number>> = { symbols, strings }
  const places = LINKEDIT_ORDER.map(() => 0)
  let size = 0
  LINKEDIT_ORDER.forEach((name, i) => {
    places[i] = size
    size = alignUp(size + (sizes[name] ?? tableRoom(link, name, linkedit[name]?.bytes.length ?? 0)), TABLE_ALIGNMENT)
  })
  const room = size + SIGNATURE_REST + Math.ceil((start + size) / BYTES_A_HASH)
  link.tail = tailOf(link, room)
  LINKEDIT_ORDER.forEach((name, i) => {
    const table = linkedit[name]
    if (table === undefined && sizes[name] === undefined) return
    const length = sizes[name] ?? tableRoom(link, name, table!.bytes.length)
    const bytes = link.tail.subarray(places[i], places[i] + length)
    if (table !== undefined) {
      bytes.set(table.bytes)
      fillRoom(name, bytes, table.bytes.length)
    }
    linkedit[name] = { bytes, offset: start + places[i] }
  })
}

/** `room` zero bytes. */
function tailOf({ spare, arenas }: Link, room: number): Uint8Array {
  const known = spare === null ? null : takeTail(spare, room, arenas.shared)
  const step = spare === null ? 1 : STEP
  return known ?? new Uint8Array(memory(alignUp(room, step), arenas.shared), 0, room)
}
