// What is corrected when a file has got `room` bytes in front of it (makeRoom.ts), beside what lies in its segments.
import { ByteSink, readU32, writeU32 } from '../../core/bytes.ts'
import { cursorOver, readUleb } from '../../formats/dyld/cursor.ts'
import { DYLD_CHAINED_PTR_64_OFFSET } from '../../formats/macho/constants.ts'
import { POINTER_REBASE } from '../pointers.ts'
import type { State } from '../state.ts'

const WORD = 2 ** 32
const DATA_IN_CODE_SIZE = 8
/** Bits of a chained pointer's upper word that belong to its target. */
const TARGET_BITS = 0xf

/** The first distance is that from the header. */
export function slideFunctionStarts(bytes: Uint8Array, room: number): Uint8Array {
  if (bytes.length === 0 || bytes[0] === 0 || room === 0) return bytes
  const cursor = cursorOver(bytes)
  const first = readUleb(cursor)
  const sink = new ByteSink(bytes.length + 8)
  sink.uleb(first + room)
  sink.append(bytes.subarray(cursor.at))
  return sink.finish()
}

export function slideDataInCode(bytes: Uint8Array, room: number): Uint8Array {
  const slid = Uint8Array.from(bytes)
  for (let at = 0; at + DATA_IN_CODE_SIZE <= slid.length; at += DATA_IN_CODE_SIZE)
    writeU32(slid, at, readU32(slid, at) + room)
  return slid
}

/** Pointers into the image lead as much further; one to its header goes on leading there. `fixed`: addresses stay, distances do not. */
export function slidePointers(state: State, room: number, fixed: boolean): void {
  const { view, pointers, dataStart, settings, pointerFormat } = state
  const base = pointerFormat === DYLD_CHAINED_PTR_64_OFFSET && settings.fixupChains ? 0 : settings.imageBase
  if (fixed && base !== 0) return
  const mask = settings.fixupChains ? TARGET_BITS : 0xffff
  for (let i = 0; i < pointers.length; i++) {
    if (pointers[i] !== POINTER_REBASE) continue
    const at = dataStart + i * 4
    const high = view.getUint32(at + 4, true)
    const target = (high & mask) * WORD + view.getUint32(at, true)
    if (target === base) continue
    const slid = target + room
    view.setUint32(at, slid % WORD, true)
    view.setUint32(at + 4, ((high & ~mask) | (Math.floor(slid / WORD) & mask)) >>> 0, true)
  }
}
