// Linker optimization hints of arm64: a computed address becomes shorter once it is known to be near. Sizes stay; what is left
// over becomes nop. Kinds as in <mach-o/loader.h> and LLVM's MCLinkerOptimizationHint.h; what ld64.lld 22 does of them.
import * as macho from '../formats/macho/constants.ts'

const NOP = 0xd503201f | 0
const ADRP = 0x90000000 | 0
const ADD = 0x91000000 | 0
/** adr and ldr (literal) reach 1 MiB either way. */
const REACH = 0x100000

/** Instructions by kind of hint; 0 for a kind that is not acted on. */
export const HINT_ARGUMENTS = Uint8Array.of(0, 2, 2, 3, 3, 0, 0, 2, 2)

/**
 * Applies one hint. `at1`..`at3` are byte positions of its instructions in `view`, `shift` is address minus position, whole pages
 * less. Instructions that do not fit the hint, or an address out of reach, leave everything as it is.
 */
export function applyHint(view: DataView, kind: number, at1: number, at2: number, at3: number, shift: number): void {
  switch (kind) {
    case macho.LOH_ARM64_ADRP_ADRP:
      return adrpAdrp(view, at1, at2, shift)
    case macho.LOH_ARM64_ADRP_LDR:
      return adrpLdr(view, at1, at2, shift)
    case macho.LOH_ARM64_ADRP_ADD_LDR:
      return adrpAddLdr(view, at1, at2, at3, shift)
    case macho.LOH_ARM64_ADRP_LDR_GOT_LDR:
      return adrpLdrGotLdr(view, at1, at2, at3, shift)
    case macho.LOH_ARM64_ADRP_ADD:
      adrpAdd(view, at1, at2, shift)
      return
    case macho.LOH_ARM64_ADRP_LDR_GOT:
      return adrpLdrGot(view, at1, at2, shift)
  }
}

function word(view: DataView, at: number): number {
  return view.getInt32(at, true)
}

function isAdrp(instruction: number): boolean {
  return (instruction & 0x9f000000) === ADRP
}

/** add x, x, #imm12, not shifted */
function isAdd(instruction: number): boolean {
  return (instruction & 0xffc00000) === ADD
}

/** log2 of the bytes that a load with unsigned offset loads; -1 for any other instruction. */
function loadScale(instruction: number): number {
  const size = instruction >>> 30
  const opc = (instruction >>> 22) & 3
  if ((instruction & 0x3b000000) !== 0x39000000 || opc === 0) return -1
  if ((instruction & 0x04000000) === 0) return opc > 1 && size + opc > 4 ? -1 : size
  return opc === 1 ? size : size === 0 && opc === 3 ? 4 : -1
}

/** From an adrp, `instruction` at `at`, to the page that it names. */
function pageDistance(instruction: number, at: number, shift: number): number {
  const pages = (((instruction >>> 5) & 0x7ffff) << 2) | ((instruction >>> 29) & 3)
  return ((pages << 11) >> 11) * 4096 - ((at + shift) % 4096)
}

function immediate(instruction: number): number {
  return (instruction >>> 10) & 0xfff
}

function target(instruction: number): number {
  return instruction & 0x1f
}

function base(instruction: number): number {
  return (instruction >>> 5) & 0x1f
}

function nop(view: DataView, at: number): void {
  view.setInt32(at, NOP, true)
}

/** adrp x, a; adrp x, b on one page -> adrp x, a; nop */
function adrpAdrp(view: DataView, at1: number, at2: number, shift: number): void {
  const first = word(view, at1)
  const second = word(view, at2)
  if (!isAdrp(first) || !isAdrp(second) || target(first) !== target(second)) return
  if (pageDistance(first, at1, shift) + at1 === pageDistance(second, at2, shift) + at2) nop(view, at2)
}

/** adrp x, a; add y, x, a -> adr y, a; nop. Most hints are of this kind, in small links before anything is compiled: few calls. */
function adrpAdd(view: DataView, at1: number, at2: number, shift: number): boolean {
  const adrp = view.getInt32(at1, true)
  const add = view.getInt32(at2, true)
  if ((adrp & 0x9f000000) !== ADRP || (add & 0xffc00000) !== ADD || (adrp & 0x1f) !== ((add >>> 5) & 0x1f)) return false
  const distance = pageDistance(adrp, at1, shift) + ((add >>> 10) & 0xfff)
  if (distance < -REACH || distance >= REACH) return false
  view.setInt32(at1, 0x10000000 | ((distance & 0x1ffffc) << 3) | ((distance & 3) << 29) | (add & 0x1f), true)
  view.setInt32(at2, NOP, true)
  return true
}

function isLiteralDistance(scale: number, distance: number): boolean {
  return scale > 1 && distance >= -REACH && distance < REACH && distance % 4 === 0
}

function writeLiteralLoad(view: DataView, at: number, load: number, scale: number, distance: number): void {
  let code = scale === 4 ? 0x9c000000 : 0x58000000
  if (scale === 2) code = (load >>> 22) & 2 && !(load & 0x04000000) ? 0x98000000 : 0x18000000
  view.setInt32(at, code | (scale < 4 ? load & 0x04000000 : 0) | ((distance & 0x1ffffc) << 3) | target(load), true)
}

/** adrp x, a; ldr y, [x, a] -> nop; ldr y, a */
function adrpLdr(view: DataView, at1: number, at2: number, shift: number): void {
  const adrp = view.getInt32(at1, true)
  const load = view.getInt32(at2, true)
  const scale = loadScale(load)
  if (!isAdrp(adrp) || scale < 0 || target(adrp) !== base(load)) return
  const distance = pageDistance(adrp, at1, shift) + (immediate(load) << scale) + at1 - at2
  if (!isLiteralDistance(scale, distance)) return
  nop(view, at1)
  writeLiteralLoad(view, at2, load, scale, distance)
}

/** A load through the GOT may have been relaxed to an add. */
function adrpLdrGot(view: DataView, at1: number, at2: number, shift: number): void {
  if (isAdd(word(view, at2))) adrpAdd(view, at1, at2, shift)
  else adrpLdr(view, at1, at2, shift)
}

/** adrp x, a; add y, x, a; ldr z, [y, #n] -> nop; nop; ldr z, a + n, or adr y, a; nop; ldr, or adrp x, a; nop; ldr z, [x, a + n] */
function adrpAddLdr(view: DataView, at1: number, at2: number, at3: number, shift: number): void {
  const adrp = word(view, at1)
  const add = word(view, at2)
  const load = word(view, at3)
  const scale = loadScale(load)
  if (!isAdrp(adrp) || !isAdd(add) || scale < 0 || target(adrp) !== base(add) || target(add) !== base(load)) return
  const offset = immediate(load) << scale
  const distance = pageDistance(adrp, at1, shift) + immediate(add) + offset + at1 - at3
  if (isLiteralDistance(scale, distance)) {
    nop(view, at1)
    nop(view, at2)
    return writeLiteralLoad(view, at3, load, scale, distance)
  }
  if (adrpAdd(view, at1, at2, shift)) return
  const units = (immediate(add) + offset) / 2 ** scale
  if (!Number.isInteger(units) || units > 0xfff) return
  nop(view, at2)
  view.setInt32(at3, (load & 0xffc0001f) | (units << 10) | (target(adrp) << 5), true)
}

/** The slot's own load, adrp x, a; ldr y, [x, a]; ldr z, [y, #n], or what is left of it when it was relaxed. */
function adrpLdrGotLdr(view: DataView, at1: number, at2: number, at3: number, shift: number): void {
  const second = word(view, at2)
  const third = word(view, at3)
  if (isAdd(second)) return adrpAddLdr(view, at1, at2, at3, shift)
  if (loadScale(second) !== 3 || second & 0x04000000 || loadScale(third) < 0 || base(third) !== target(second)) return
  adrpLdr(view, at1, at2, shift)
}
