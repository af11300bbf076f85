// Compact unwind info and DWARF frames: what the unwinder reads while an exception is in flight.
import { readU32 } from '../core/bytes.ts'
import type { ImageSection } from '../formats/macho/image.ts'
import { decodeUnwindInfo, type UnwindInfo } from '../formats/unwind/decodeUnwindInfo.ts'
import { hasAnyFixup } from './collectFixups.ts'
import { type Check, contents, fail, findSection, guard, hex, isCode, isX86, lastAtMost, sectionAt } from './context.ts'

const MODE_SHIFT = 24
const SECTION_OFFSET_MASK = 0xffffff

function dwarfMode(check: Check): number {
  return isX86(check) ? 4 : 3
}

function lastMode(check: Check): number {
  return isX86(check) ? 4 : 5
}

function isFunctionStart(check: Check, address: number): boolean {
  const starts = check.functionStarts
  return starts.length === 0 || starts[lastAtMost(starts.length, (i) => starts[i], address)] === address
}

/** Offsets of the FDEs in __eh_frame; null where there is none. Records: length u32, then id u32 (0: a CIE). */
function frames(check: Check, section: ImageSection | null): Set<number> | null {
  const bytes = section === null ? null : contents(check, section)
  if (section === null || bytes === null) return null
  const found = new Set<number>()
  const known = new Set<number>()
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = readU32(bytes, at)
    if (length === 0) break
    if (length < 4 || length > bytes.length - at - 4) {
      fail(check, 'bad-frame', `__eh_frame: record of ${hex(length)} bytes at ${hex(at)}`, section.offset + at)
      break
    }
    const id = readU32(bytes, at + 4)
    if (id === 0) known.add(at)
    else if (known.has(at + 4 - id)) found.add(at)
    else
      fail(
        check,
        'bad-frame',
        `__eh_frame: FDE at ${hex(at)} names a CIE at ${hex(at + 4 - id)}, there is none`,
        section.offset + at,
      )
    at += 4 + length
  }
  return found
}

function checkPersonalities(check: Check, info: UnwindInfo, base: number): void {
  for (const offset of info.personalities) {
    const address = base + offset
    if (sectionAt(check, address) === null || !hasAnyFixup(check, address)) {
      fail(check, 'bad-unwind', `personality slot ${hex(address)} is not a pointer with a fixup`)
    }
  }
}

function checkEntry(check: Check, info: UnwindInfo, row: number, base: number, fdes: Set<number> | null): void {
  const address = base + info.start[row]
  const encoding = info.encoding[row]
  const mode = (encoding >>> MODE_SHIFT) & 0xf
  if (encoding !== 0 && !isCode(sectionAt(check, address))) {
    return fail(check, 'bad-unwind', `unwind entry ${hex(address)} is not in a code section`)
  }
  if (mode > lastMode(check))
    fail(check, 'bad-unwind', `unwind entry ${hex(address)}: unknown mode of ${hex(encoding)}`)
  const lsda = info.lsda[row]
  if (lsda !== 0 && (sectionAt(check, base + lsda) === null || isCode(sectionAt(check, base + lsda)))) {
    fail(check, 'bad-unwind', `unwind entry ${hex(address)}: LSDA ${hex(base + lsda)} is not data`)
  }
  // A 24-bit offset that is zero or too far is a hint only: the unwinder then searches.
  const frame = encoding & SECTION_OFFSET_MASK
  if (
    mode === dwarfMode(check) &&
    frame !== 0 &&
    fdes !== null &&
    !fdes.has(frame) &&
    isFunctionStart(check, address)
  ) {
    fail(check, 'bad-unwind', `unwind entry ${hex(address)}: there is no FDE at ${hex(frame)} in __eh_frame`)
  }
}

export function checkUnwind(check: Check): void {
  const fdes = frames(check, findSection(check, '__TEXT', '__eh_frame'))
  const section = findSection(check, '__TEXT', '__unwind_info')
  if (section === null || section.size === 0) return
  const base = check.text?.vmAddress ?? 0
  guard(check, 'bad-unwind', '__unwind_info', section.offset, () => {
    const info = decodeUnwindInfo(contents(check, section))
    checkPersonalities(check, info, base)
    for (let row = 0; row < info.count; row++) checkEntry(check, info, row, base, fdes)
  })
}
