// The usual __eh_frame, as compilers write it: splitEhFrame in one pass, without an object a section.
import { sameBytes } from '../core/hash.ts'
import { createFrame, type EhFrames, ehPointerWidth, readCieAt } from './ehFrame.ts'

/** The last CIE and where it lies: most objects of a link have the same one. */
export interface PlainScratch {
  cie: EhFrames
  bytes: Uint8Array
  at: number
  size: number
}

export function createPlainScratch(): PlainScratch {
  return { cie: createFrame(), bytes: new Uint8Array(0), at: 0, size: 0 }
}

const LONG_LENGTH = 0xffffffff

/**
 * Places and sizes of the records of the __eh_frame section bytes[from, to), places from its start, into `ats` and `sizes` from
 * element `row` on. The records are those that splitEhFrame finds where it finds no error.
 * @returns how many, or -1 for a section that is left to splitEhFrame: wrong, with 64-bit lengths, or with FDEs away from their CIE
 */
export function listPlainFrames(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  to: number,
  ats: Uint32Array,
  sizes: Uint32Array,
  row: number,
  scratch: PlainScratch,
): number {
  const { functionEncoding, lsdaEncoding } = scratch.cie
  let [cie, fields, lsda] = [-1, 0, 0]
  if (to > bytes.length) return -1
  let i = row
  let at = from
  while (at < to) {
    if (to - at < 4) return -1
    const length = view.getUint32(at, true)
    if (length === 0) break
    const size = length + 4
    if (length === LONG_LENGTH || length < 4 || size > to - at) return -1
    const distance = view.getUint32(at + 4, true)
    if (distance === 0) {
      recallCie(scratch, bytes, at, size)
      cie = at
      fields = 8 + ehPointerWidth(functionEncoding[0]) * 2
      lsda = ehPointerWidth(lsdaEncoding[0])
    } else if (
      at + 4 - distance !== cie ||
      fields > size ||
      (lsda !== 0 && !hasRoom(bytes, at + fields, at + size, lsda))
    )
      return -1
    ats[i] = at - from
    sizes[i++] = size
    at += size
  }
  return i - row
}

/** Whether the augmentation data at `at` are none, or a pointer of `width`, within the record; longer ones are left to splitEhFrame. */
function hasRoom(bytes: Uint8Array, at: number, end: number, width: number): boolean {
  if (at >= end || bytes[at] > 127) return false
  return bytes[at] === 0 || (bytes[at] >= width && bytes[at] < end - at)
}

function recallCie(scratch: PlainScratch, bytes: Uint8Array, at: number, size: number): void {
  if (scratch.size === size && sameBytes(bytes, at, scratch.bytes, scratch.at, size)) return
  scratch.size = 0
  readCieAt(scratch.cie, bytes, at, size)
  scratch.bytes = bytes
  scratch.at = at
  scratch.size = size
}
