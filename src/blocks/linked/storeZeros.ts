// Bytes in the file for what is zero by its section, so that variables there can get other contents. They stand behind those of the last
// segment in front of __LINKEDIT, which is the one that has such sections: no address changes, and no other place but in __LINKEDIT.
import { isZeroFillType } from '../../../systems/kernels/outputKinds.ts'
import { FormatError, readU32, writeU32, writeU64 } from '../../core/bytes.ts'
import * as macho from '../../formats/macho/constants.ts'
import { OFFSETS } from './makeRoom.ts'
import type { LinkedFile } from './readLinked.ts'

/** More would make a file out of nothing. */
const MOST_ZEROS = 2 ** 26

/** @throws FormatError where they are not the end of the last segment. */
export function storeZeros({ image, segments, end }: LinkedFile): Uint8Array {
  const owners = segments.filter(({ sections }) =>
    sections.some(({ flags, size }) => isZeroFillType(flags) && size > 0),
  )
  const [owner] = owners
  if (owners.length !== 1 || owner.fileOffset + owner.fileSize !== end || owner !== segments[segments.length - 1])
    throw new FormatError('not-editable', 'what is zero by its section is not at the end of the last segment', 0)
  const count = owner.vmSize - owner.fileSize
  if (count > MOST_ZEROS) throw new FormatError('not-editable', `${count} zeros are too many for the file`, owner.at)
  const bytes = new Uint8Array(image.bytes.length + count)
  bytes.set(image.bytes.subarray(0, end))
  bytes.set(image.bytes.subarray(end), end + count)
  writeU64(bytes, owner.at + 48, owner.vmSize)
  writeU64(bytes, image.segments[image.segments.length - 1].at + 40, end + count)
  for (const [i, { flags, address }] of owner.sections.entries()) {
    if (!isZeroFillType(flags)) continue
    const local = (flags & macho.SECTION_TYPE) === macho.S_THREAD_LOCAL_ZEROFILL
    const header = owner.at + macho.SEGMENT_COMMAND_SIZE + i * macho.SECTION_SIZE
    writeU32(bytes, header + 48, owner.fileOffset + address - owner.vmAddress)
    const type = local ? macho.S_THREAD_LOCAL_REGULAR : macho.S_REGULAR
    writeU32(bytes, header + 64, ((flags & ~macho.SECTION_TYPE) | type) >>> 0)
  }
  for (const { cmd, at } of image.commands) {
    if (cmd === macho.LC_ENCRYPTION_INFO_64) continue
    for (const offset of OFFSETS[cmd] ?? [])
      if (readU32(bytes, at + offset) !== 0) writeU32(bytes, at + offset, readU32(bytes, at + offset) + count)
  }
  return bytes
}
