// LC_FUNCTION_STARTS: distances as ULEB128, the first from the header, up to a zero or the end.
import { cursorOver, readUleb } from '../dyld/cursor.ts'

/**
 * Hands each address, where the header is at `base`, and the offset of its distance to `visit`, until that says false. Returns the
 * offset behind what was read. Throws FormatError `truncated`, `leb-too-long` or `leb-too-large`.
 */
export function visitFunctionStarts(
  bytes: Uint8Array,
  base: number,
  visit: (address: number, at: number) => boolean,
): number {
  const cursor = cursorOver(bytes)
  for (let address = base; cursor.at < cursor.end; ) {
    const { at } = cursor
    const distance = readUleb(cursor)
    if (distance === 0) break
    address += distance
    if (!visit(address, at)) break
  }
  return cursor.at
}

/** All addresses, where the header is at `base`. Throws as `visitFunctionStarts`. */
export function readFunctionStarts(bytes: Uint8Array, base: number): number[] {
  const starts: number[] = []
  visitFunctionStarts(bytes, base, (address) => starts.push(address) > 0)
  return starts
}
