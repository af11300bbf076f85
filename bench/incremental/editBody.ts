// An edit as a compiler's next run makes it: another constant in the body of an object's first function.
import { readU32 } from '../../src/core/bytes.ts'
import { SECTION_SIZE } from '../../src/formats/macho/constants.ts'
import { readObjectHeader } from '../../src/formats/macho/object.ts'
import type { Arch } from '../../src/types.ts'

/** x86_64: `mov ebx, imm32` after the frame is set up (bench/synthetic/code.ts). */
const X86_64_IMMEDIATE = 7
const MOVZ_W = 0x52800000
const MOVZ_MASK = 0xff800000

/** Changes the object in place. Two rounds that differ below 2^16 give different bytes. @throws RangeError for an object without such a function */
export function editBody(bytes: Uint8Array, arch: Arch, round: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const header = readObjectHeader(bytes, 0, bytes.length)
  const size = readU32(bytes, header.sections + 40)
  const text = readU32(bytes, header.sections + 48)
  if (header.sectionCount < 2 || header.sections + SECTION_SIZE > bytes.length || size < 16)
    throw new RangeError('the object has no code to edit')
  if (arch === 'x86_64') return view.setUint32(text + X86_64_IMMEDIATE, round & 0xffff, true)
  for (let at = text; at < text + size; at += 4) {
    const word = view.getUint32(at, true)
    if ((word & MOVZ_MASK) >>> 0 !== MOVZ_W) continue
    return view.setUint32(at, ((word & ~0x1fffe0) | ((round & 0xffff) << 5)) >>> 0, true)
  }
  throw new RangeError('the code moves no constant')
}
