// Which relocations need nothing but their target's address: a byte for each form, so that hot loops test one bit.
import { R_ADDEND, R_BRANCH, R_GOT, R_POINTER, R_SUBTRAHEND, R_TLV, R_UNSIGNED } from '../../src/arch/arch.ts'
import { relocationForms } from './references.ts'

/** The form exists on this architecture. */
export const KIND_KNOWN = 1 << 0
/** Names a symbol whose address, or difference to the field's own, is all that is wanted: no table entry, no fixup, no pair. */
export const KIND_PLAIN = 1 << 1
/** Eight bytes wide: the bit is worth what the width has above 4. */
export const KIND_WIDE = 1 << 2
/** Eight bytes that hold the address of a symbol. */
export const KIND_POINTER = 1 << 3
export const KIND_BRANCH = 1 << 4
/** Describes the record behind it, not a field. */
export const KIND_ADDEND = 1 << 5
/** PLAIN, if the symbol has no table entry that it is loaded through. */
export const KIND_LOAD = 1 << 6

const MORE = R_ADDEND | R_SUBTRAHEND | R_TLV | R_POINTER

/** Kinds by type:4, extern:1, length:2, pcrel:1, the record's top byte. */
export function formKinds(attributes: Uint16Array): Uint8Array {
  const kinds = relocationForms(attributes)
  for (let form = 0; form < 256; form++) {
    if (kinds[form] === 0) continue
    const is = attributes[form >>> 4]
    const wide = (form & 6) === 6
    const named = (form & 8) !== 0 && (is & MORE) === 0
    let kind = KIND_KNOWN
    if (wide) kind |= KIND_WIDE
    if (named && (is & R_UNSIGNED) === 0) kind |= KIND_PLAIN
    if (named && is & R_GOT) kind |= KIND_LOAD
    if (named && is & R_UNSIGNED && wide) kind |= KIND_POINTER
    if (is & R_BRANCH) kind |= KIND_BRANCH
    if (is & R_ADDEND) kind |= KIND_ADDEND
    kinds[form] = kind
  }
  return kinds
}
