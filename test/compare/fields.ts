import * as C from '../../src/formats/macho/constants.ts'
import { adrpPage, globalAddress, type Image, offsetAt } from './image.ts'
import type { Atom, Field, Target } from './inputs.ts'

// The address that a field of a placed atom leads to, computed from the image's own bytes.

export const NOP = 0xd503201f
const isAdrp = (word: number) => (word & 0x9f000000) >>> 0 === 0x90000000
const isAdr = (word: number) => (word & 0x9f000000) === 0x10000000
const isLiteralLoad = (word: number) => (word & 0x3b000000) === 0x18000000
const isAdd = (word: number) => (word & 0x7f800000) === 0x11000000
const isLoad = (word: number) => (word & 0x3b000000) === 0x39000000
const isBranch = (word: number) => (word & 0x7c000000) === 0x14000000

/** The target of a word that is pc-relative by itself: ADR, LDR (literal), B, BL; else null. */
export function directTarget(word: number, address: number): number | null {
  if (isAdr(word)) return address + (((((word >>> 5) & 0x7ffff) << 13) >> 11) | ((word >>> 29) & 3))
  if (isLiteralLoad(word)) return address + ((((word >>> 5) & 0x7ffff) << 13) >> 11)
  if (isBranch(word)) return address + ((word << 6) >> 4)
  return null
}

/** The page offset of an ADD or of a load or store with an unsigned offset, else null. */
export function pageOffset(word: number): number | null {
  if (isAdd(word)) return (word >>> 10) & 0xfff
  if (!isLoad(word)) return null
  const vector = (word & 0x04800000) >>> 0 === 0x04800000
  return ((word >>> 10) & 0xfff) << (vector ? 4 : word >>> 30)
}

/** The page of the latest ADRP before `offset` in the atom that wrote register `register`, or null. */
export function pageOfRegister(image: Image, start: number, offset: number, register: number): number | null {
  const at = offsetAt(image, start)
  for (let i = offset - 4; i >= 0; i -= 4) {
    const word = image.file.view.getUint32(at + i, true)
    if (isAdrp(word) && (word & 31) === register) return adrpPage(word, start + i)
  }
  return null
}

/** The field before or behind (`step`) that makes one address with this one. */
export function partnerOf(atom: Atom, index: number, step: number): Field | null {
  const { key, kind } = atom.fields[index]!
  for (let i = index + step; i >= 0 && i < atom.fields.length; i += step) {
    const field = atom.fields[i]!
    if (field.key === key && field.kind !== kind) return field
  }
  return null
}

function armAddress(image: Image, atom: Atom, start: number, index: number): number | null {
  const field = atom.fields[index]!
  const word = (f: Field) => image.file.view.getUint32(offsetAt(image, start + f.offset), true)
  const own = word(field)
  const direct = directTarget(own, start + field.offset)
  if (direct !== null) return direct
  if (own === NOP) {
    const other = field.relaxable ? (partnerOf(atom, index, 1) ?? partnerOf(atom, index, -1)) : null
    return other === null ? null : directTarget(word(other), start + other.offset)
  }
  if (field.kind === 'page21') {
    const user = partnerOf(atom, index, 1) ?? partnerOf(atom, index, -1)
    if (user === null || !isAdrp(own)) return null
    const at = directTarget(word(user), start + user.offset)
    const low = pageOffset(word(user))
    if (at !== null) return at
    return low === null ? null : adrpPage(own, start + field.offset) + low
  }
  const low = pageOffset(own)
  const giver = partnerOf(atom, index, -1)
  if (low === null) return null
  if (giver !== null && isAdrp(word(giver))) return adrpPage(word(giver), start + giver.offset) + low
  const page = pageOfRegister(image, start, field.offset, (own >>> 5) & 31)
  return page === null ? null : page + low
}

/** The address that a slot at `address` holds, or `address` where no slot is; null for a slot that dyld binds. */
export function throughGot(image: Image, address: number): number | null {
  const section = image.file.sections.find((s) => address >= s.address && address < s.address + s.size)
  const type = section?.type
  if (type !== C.S_NON_LAZY_SYMBOL_POINTERS && type !== C.S_THREAD_LOCAL_VARIABLE_POINTERS) return address
  return image.fixups.rebases.get(address) ?? null
}

/** The start of the thread-local template: the first section of thread-local data. */
export function templateStart(image: Image): number {
  const types = [C.S_THREAD_LOCAL_REGULAR, C.S_THREAD_LOCAL_ZEROFILL]
  return image.file.sections.find((s) => types.includes(s.type))?.address ?? 0
}

/** The number stored in a data field, sign-extended. */
export function storedValue(image: Image, address: number, size: number): number {
  const at = offsetAt(image, address)
  if (at < 0) return 0
  if (size === 8) return Number(image.file.view.getBigInt64(at, true))
  return size === 4 ? image.file.view.getInt32(at, true) : image.file.view.getInt8(at)
}

/** The address a field's bits mean, before any GOT slot is followed; null if they mean none (bound, not decodable). */
export function fieldSlot(image: Image, atom: Atom, start: number, index: number): number | null {
  const field = atom.fields[index]!
  const at = start + field.offset
  if (field.kind === 'rel') {
    // cmpq $0, sym@GOTPCREL(%rip): the addend makes up for the bytes behind the field, the slot is meant.
    const behind = field.got && !atom.arm ? field.target.delta : 0
    return at + field.bias + storedValue(image, at, field.size) - behind
  }
  if (field.kind === 'abs') {
    if (atom.section.type === C.S_THREAD_LOCAL_VARIABLES && field.offset % 24 === 16) {
      return templateStart(image) + storedValue(image, at, 8)
    }
    return image.fixups.rebases.get(at) ?? null
  }
  return field.kind === 'diff' ? null : armAddress(image, atom, start, index)
}

/** Where a relocation's target is in the image, by what is placed; null if not known (a dylib's, a string, dropped). */
export function targetAddress(image: Image, target: Target): number | null {
  const start =
    target.name !== null ? globalAddress(image, target.name) : (image.addressOf.get(target.atom as Atom) ?? null)
  return start === null ? null : start + target.delta
}

/** Where the field's target is: its slot, or what the GOT slot there holds. */
export function fieldAddress(image: Image, atom: Atom, start: number, index: number): number | null {
  const field = atom.fields[index]!
  if (field.kind === 'diff') {
    const from = targetAddress(image, field.minus!)
    return from === null ? null : from + storedValue(image, start + field.offset, field.size)
  }
  const slot = fieldSlot(image, atom, start, index)
  return slot === null ? null : throughGot(image, slot)
}
