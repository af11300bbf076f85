// What the bytes of an input are, by how they begin.
import { readU32, toText } from '../../src/core/bytes.ts'
import { isArchive } from '../../src/formats/archive.ts'
import * as macho from '../../src/formats/macho/constants.ts'

const BITCODE_MAGIC = 0xdec04342
const BITCODE_WRAPPER_MAGIC = 0x0b17c0de

/** `image`: an executable or bundle, which only -bundle_loader takes. */
export type Kind = 'object' | 'archive' | 'dylib' | 'image' | 'tbd' | 'bitcode' | 'unknown'

/** Of `size` bytes at `position`; universal files are told apart before. */
export function kindOf(bytes: Uint8Array, position: number, size: number): Kind {
  if (isArchive(bytes, position, position + size)) return 'archive'
  if (size < 4) return 'unknown'
  const magic = readU32(bytes, position)
  if (magic === BITCODE_MAGIC || magic === BITCODE_WRAPPER_MAGIC) return 'bitcode'
  if (magic === macho.MH_MAGIC_64 || magic === macho.MH_MAGIC) {
    const filetype = size >= 16 ? readU32(bytes, position + 12) : 0
    if (filetype === macho.MH_EXECUTE || filetype === macho.MH_BUNDLE) return 'image'
    return filetype === macho.MH_DYLIB || filetype === macho.MH_DYLIB_STUB ? 'dylib' : 'object'
  }
  return looksLikeStub(bytes, position, size) ? 'tbd' : 'unknown'
}

/** A `.tbd` starts with `---` (YAML) or `{` (JSON), after white space or comments. */
function looksLikeStub(bytes: Uint8Array, at: number, size: number): boolean {
  const text = toText(bytes, at, at + Math.min(size, 256)).trimStart()
  return text.startsWith('---') || text.startsWith('{') || text.startsWith('#') || text.startsWith('archs:')
}
