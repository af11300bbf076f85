// Thread-local variables: descriptors { thunk, key, offset }, 24 bytes each, and the template they point into.
import { readU64 } from '../core/bytes.ts'
import * as C from '../formats/macho/constants.ts'
import type { ImageSection } from '../formats/macho/image.ts'
import { type Check, contents, fail, hex, sectionName, sectionType } from './context.ts'

const DESCRIPTOR_SIZE = 24

/** Size of the template: from the first to the last thread-local section. */
function templateSize(check: Check): number {
  let low = Number.POSITIVE_INFINITY
  let high = 0
  let align = 0
  for (const section of check.image.sections) {
    const type = sectionType(section)
    if (type !== C.S_THREAD_LOCAL_REGULAR && type !== C.S_THREAD_LOCAL_ZEROFILL) continue
    low = Math.min(low, section.address)
    high = Math.max(high, section.address + section.size)
    align = Math.max(align, section.align)
  }
  if (high === 0) return 0
  // dyld aligns each thread's copy by the first section's alignment, so the start must carry the largest one.
  if (align < 16 && low % 2 ** align !== 0) {
    fail(check, 'thread-local', `the thread-local template at ${hex(low)} is not aligned to 2^${align}`)
  }
  return high - low
}

function checkDescriptors(check: Check, section: ImageSection, size: number): void {
  const bytes = contents(check, section)
  if (section.size % DESCRIPTOR_SIZE !== 0) {
    fail(check, 'thread-local', `${sectionName(section)} has ${hex(section.size)} bytes, not a multiple of 24`)
  }
  for (let at = 0; at + DESCRIPTOR_SIZE <= bytes.length; at += DESCRIPTOR_SIZE) {
    const where = `${sectionName(section)}[${at / DESCRIPTOR_SIZE}]`
    const thunk = check.fixups.binds.get(section.address + at)
    if (thunk !== '__tlv_bootstrap') {
      fail(
        check,
        'thread-local',
        `${where}: thunk is bound to ${thunk ?? 'nothing'}, expected __tlv_bootstrap`,
        section.offset + at,
      )
    }
    const key = readU64(bytes, at + 8)
    const offset = readU64(bytes, at + 16)
    if (key !== 0 || offset > size) {
      fail(
        check,
        'thread-local',
        `${where}: key ${hex(key)}, offset ${hex(offset)} of ${hex(size)}`,
        section.offset + at,
      )
    }
  }
}

export function checkThreadLocals(check: Check): void {
  const size = templateSize(check)
  const { image } = check
  for (const section of image.sections) {
    if (sectionType(section) !== C.S_THREAD_LOCAL_VARIABLES || section.size === 0) continue
    checkDescriptors(check, section, size)
    if ((image.flags & C.MH_HAS_TLV_DESCRIPTORS) === 0) {
      fail(check, 'thread-local', 'thread-local variables without MH_HAS_TLV_DESCRIPTORS')
      return
    }
  }
}
