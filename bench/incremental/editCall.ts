// An edit as a compiler's next run makes it: a call to another function of the system's library, which no object has called so far.
import { cstringEnd, fromText, readU32, toText, writeU32 } from '../../src/core/bytes.ts'
import { LC_SYMTAB, N_EXT, N_TYPE, N_UNDF, NLIST_SIZE } from '../../src/formats/macho/constants.ts'
import { readObjectHeader } from '../../src/formats/macho/object.ts'
import { IMPORTS } from '../synthetic/program.ts'

/** None of the synthetic programs calls it, and their library has it only where `addFunction` has put it. */
const FUNCTION = '_isatty'

/** The stub of a library with the function too. */
export function addFunction(stub: string): string {
  return stub.replace('symbols: [', `symbols: [ ${FUNCTION},`)
}

/**
 * The object with the first import that it calls exchanged for a new one; what was called there is called by other objects still.
 * @throws RangeError for an object that calls none
 */
export function editCall(bytes: Uint8Array): Uint8Array {
  const header = readObjectHeader(bytes, 0, bytes.length)
  const row = findImport(bytes, header.nlist, header.symbolCount, header.strings)
  const name = fromText(`${FUNCTION}\0`)
  const end = header.strings + header.stringsSize
  if (row < 0 || end !== bytes.length)
    throw new RangeError('the object calls no import, or its strings do not come last')
  const made = new Uint8Array(end + name.length)
  made.set(bytes)
  made.set(name, end)
  writeU32(made, row, header.stringsSize)
  writeU32(made, symtabCommand(made) + 20, header.stringsSize + name.length)
  return made
}

/** The nlist record of an undefined symbol that is one of the imports; -1 for none. */
function findImport(bytes: Uint8Array, nlist: number, count: number, strings: number): number {
  for (let row = nlist; row < nlist + count * NLIST_SIZE; row += NLIST_SIZE) {
    if ((bytes[row + 4] & (N_TYPE | N_EXT)) !== (N_UNDF | N_EXT)) continue
    const start = strings + readU32(bytes, row)
    const name = toText(bytes, start, cstringEnd(bytes, start, bytes.length))
    if ((IMPORTS as readonly string[]).includes(name)) return row
  }
  return -1
}

function symtabCommand(bytes: Uint8Array): number {
  let at = 32
  while (readU32(bytes, at) !== LC_SYMTAB) at += readU32(bytes, at + 4)
  return at
}
