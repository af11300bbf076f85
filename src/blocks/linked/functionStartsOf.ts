// LC_FUNCTION_STARTS: distances as ULEB128, the first from the header, up to a zero or the end.
import { cursorOver, readUleb } from '../../formats/dyld/cursor.ts'

/** Addresses, where the header is at `base`. @throws FormatError */
export function functionStartsOf(bytes: Uint8Array, base: number): number[] {
  const starts: number[] = []
  const cursor = cursorOver(bytes)
  for (let address = base; cursor.at < cursor.end; ) {
    const distance = readUleb(cursor)
    if (distance === 0) break
    address += distance
    starts.push(address)
  }
  return starts
}
