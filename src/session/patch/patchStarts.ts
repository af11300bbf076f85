// LC_FUNCTION_STARTS after functions of one object have come, gone or moved: distances are local, so that those of others stay as they are.
import type { Link } from '../../../components/link.ts'
import { tableRoom } from '../../../systems/kernels/linkeditRooms.ts'
import { functionStarts } from '../../../systems/beginExports/functionStarts.ts'
import { alignUp } from '../../core/align.ts'
import { ByteSink } from '../../core/bytes.ts'
import { type DirtyPages, markDirty } from './dirtyPages.ts'
import { replaceTable } from './patchTables.ts'

/** The list while it is read: the place of the next distance, and the function that the last one has led to. */
interface Walk {
  bytes: Uint8Array
  at: number
  start: number
}

/**
 * `before` and `now`: all functions of an object, as `startsOfFile` has them. False when the list leaves its room.
 */
export function patchFunctionStarts(
  link: Link,
  before: readonly number[] | null,
  now: readonly number[] | null,
  dirty: DirtyPages,
): boolean {
  const table = link.linkedit.functionStarts
  if (table === undefined) return true
  if (before === null || now === null) return replaceTable(link, dirty, 'functionStarts', functionStarts(link))
  if (before.length === now.length && before.every((start, i) => start === now[i])) return true
  const offset = table.offset - link.image.length
  const bytes = link.tail.subarray(offset, offset + table.bytes.length)
  const [gone, fresh] = [new Set(before), new Set(now)]
  const [low, high] = rangeOf(
    before.filter((start) => !fresh.has(start)).concat(now.filter((start) => !gone.has(start))),
  )
  const walk = walkTo(bytes, low)
  const [from, last] = [walk.at, walk.start]
  const kept: number[] = []
  for (let start = peek(walk); start <= high; start = peek(walk)) {
    if (!gone.has(start)) kept.push(start)
    step(walk)
  }
  const starts = [...new Set([...kept, ...now.filter((start) => start >= low && start <= high)])]
  const made = encode(
    starts.sort((a, b) => a - b),
    last,
    peek(walk),
  )
  if (peek(walk) !== Number.POSITIVE_INFINITY) step(walk)
  const end = endOf(bytes, walk.at)
  const grown = made.length - (walk.at - from)
  if (tableRoom(link, 'functionStarts', alignUp(end + grown + 1, 8)) !== bytes.length) return false
  bytes.copyWithin(walk.at + grown, walk.at, end)
  if (grown < 0) bytes.fill(0, end + grown, end)
  bytes.set(made, from)
  markDirty(link, dirty, table.offset + from, table.offset + (grown === 0 ? walk.at : end + Math.max(grown, 0)))
  return true
}

function rangeOf(starts: readonly number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, 0]
  for (const start of starts) [low, high] = [Math.min(low, start), Math.max(high, start)]
  return [low, high]
}

/** To the first distance that leads to `low` or past it. */
function walkTo(bytes: Uint8Array, low: number): Walk {
  let [at, start] = [0, 0]
  while (at < bytes.length && bytes[at] !== 0) {
    let next = at
    let distance = bytes[next] & 127
    for (let scale = 128; bytes[next++] > 127; scale *= 128) distance += (bytes[next] & 127) * scale
    if (start + distance >= low) break
    start += distance
    at = next
  }
  return { bytes, at, start }
}

/** The next function; Infinity at the end, which a distance of 0 marks. */
function peek({ bytes, at, start }: Walk): number {
  if (at >= bytes.length || bytes[at] === 0) return Number.POSITIVE_INFINITY
  let [distance, scale] = [0, 1]
  for (; bytes[at] > 127; at++, scale *= 128) distance += (bytes[at] & 127) * scale
  return start + distance + bytes[at] * scale
}

function step(walk: Walk): void {
  walk.start = peek(walk)
  while (walk.bytes[walk.at] > 127) walk.at++
  walk.at++
}

/** Distances from `last` on, and to the one behind, if there is one. */
function encode(starts: readonly number[], last: number, behind: number): Uint8Array {
  const sink = new ByteSink(starts.length * 2 + 8)
  for (const start of behind === Number.POSITIVE_INFINITY ? starts : [...starts, behind]) {
    if (start === last) continue
    sink.uleb(start - last)
    last = start
  }
  return sink.finish()
}

/** Where distances end. */
function endOf(bytes: Uint8Array, from: number): number {
  let end = bytes.length
  while (end > from && bytes[end - 1] === 0) end--
  return end
}
