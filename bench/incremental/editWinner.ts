// An edit that no patch can do: a function of which several objects have a weak definition gets a strong one in one of them.
import { readU32 } from '../../src/core/bytes.ts'
import { N_EXT, N_SECT, N_TYPE, N_WEAK_DEF, NLIST_SIZE } from '../../src/formats/macho/constants.ts'
import { readObjectHeader } from '../../src/formats/macho/object.ts'

/** The object with its first weak definition made a strong one. @throws RangeError for an object that has none */
export function editWinner(bytes: Uint8Array): Uint8Array {
  const made = bytes.slice()
  const view = new DataView(made.buffer, made.byteOffset, made.byteLength)
  const { nlist, symbolCount } = readObjectHeader(bytes, 0, bytes.length)
  for (let row = nlist; row < nlist + symbolCount * NLIST_SIZE; row += NLIST_SIZE) {
    const word = readU32(bytes, row + 4)
    if ((word & (N_TYPE | N_EXT)) !== (N_SECT | N_EXT) || ((word >>> 16) & N_WEAK_DEF) === 0) continue
    view.setUint16(row + 6, (word >>> 16) & ~N_WEAK_DEF, true)
    return made
  }
  throw new RangeError('the object has no weak definition')
}
