// Applies the relocations of one block. S is the target's address, A the addend, P the field's own address; all three count
// from the image base, so that they are small integers: a number past 2^31 is an allocation each time it is handed on.
import { findGot, KEY_IMPORT, KEY_LOCAL } from '../../components/gots.ts'
import { IMPORT_OWN } from '../../components/imports.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, TARGET_IMPORT } from '../../components/symbols.ts'
import {
  APPLY_OK,
  APPLY_OUT_OF_RANGE,
  R_BRANCH,
  R_GOT,
  R_LOAD,
  R_SUBTRAHEND,
  R_TLV,
  R_UNSIGNED,
} from '../../src/arch/arch.ts'
import type { EhFrames } from '../../src/formats/ehFrame.ts'
import { gotAddress, stubAddress, tlvAddress } from '../kernels/addresses.ts'
import { recordBind, writePointer, writeRebase } from '../kernels/fixups.ts'
import { embeddedAddend, embeddedTag, landInSection, type Landing, type Site } from '../kernels/references.ts'
import { applySpecial } from './special.ts'
import { thunkFor } from './thunks.ts'

export interface Relocating {
  site: Site
  view: DataView
  landing: Landing
  /** Room for one CIE. */
  frame: EhFrames
  segment: number
  segmentAddress: number
  /** File offset minus address in the output section at hand; `place` is the same for addresses that count from the base. */
  delta: number
  place: number
  /** The image base. */
  base: number
  threadLocalBase: number
  threadLocalEnd: number
  /** By form, as of formKinds: PLAIN are those whose value is an address of this image, table entries of local symbols aside. */
  kinds: Uint8Array
  /** By import: its stub, counted from the base; -1 for none. */
  calls: Int32Array
  /** Distances from the base are below 2^31. */
  small: boolean
  /** Fields of instructions hold addends (x86_64). */
  embedded: boolean
  /** The output section holds thread-local variable descriptors. */
  threadVariables: boolean
  /** Place of the section at hand in the job. */
  index: number
  /** What did not fit, five numbers each: index, record, value, result, P. */
  failures: number[]
}

/** The message is made when all threads are done, in the order of the sections. */
function applyFailed(at: Relocating, i: number, value: number, result: number, P = 0): void {
  at.failures.push(at.index, i, value, result, P)
}

/** Any record. Returns how many behind it belong to it. */
export function relocateRecord(link: Link, at: Relocating, i: number, P: number, addend: number): number {
  if (link.arch.attributes[at.site.words[at.site.records + i * 2 + 1] >>> 28] & R_SUBTRAHEND) {
    applyDifference(link, at, i, P)
    return 1
  }
  applyOne(link, at, i, P, addend)
  return 0
}

/** The address that a symbol or section reference means, addend included for the latter. */
function addressOf(link: Link, at: Relocating, word: number, offset: number): number {
  if (word & 0x08000000) return link.symbols.Reference.address[at.site.firstSymbol + (word & 0xffffff)] - at.base
  if (!landInSection(link, at.site, word, offset, at.landing)) return 0
  const home = link.blocks.Placement.leader[at.landing.block] || at.landing.block
  return link.blocks.Placement.address[home] - at.base + at.landing.offset
}

/** SUBTRACTOR, UNSIGNED: minuend + addend - subtrahend, in 4 or 8 bytes. */
function applyDifference(link: Link, at: Relocating, i: number, P: number): void {
  const { words, records } = at.site
  const offset = words[records + i * 2]
  const subtrahend = words[records + i * 2 + 1]
  const minuend = words[records + i * 2 + 3]
  const external = (minuend & 0x08000000) !== 0
  const A = external ? embeddedAddend(link, at.site, minuend, offset) : 0
  const value = addressOf(link, at, minuend, offset) + A - addressOf(link, at, subtrahend, offset)
  if (((subtrahend >>> 25) & 3) === 3) writePointer(at.view, P + at.place, value)
  else if (value !== (value | 0)) applyFailed(at, i, value, APPLY_OUT_OF_RANGE)
  else at.view.setInt32(P + at.place, value, true)
}

function applyOne(link: Link, at: Relocating, i: number, P: number, pairedAddend: number): void {
  const { words, records, firstSymbol } = at.site
  const offset = words[records + i * 2]
  const word = words[records + i * 2 + 1]
  const is = link.arch.attributes[word >>> 28]
  if ((word & 0x08000000) === 0) {
    const S = addressOf(link, at, word, offset)
    if (is & R_UNSIGNED && ((word >>> 25) & 3) === 3) return applyPointer(link, at, i, P, S, false)
    return finish(link, at, i, P, is & R_UNSIGNED ? S + at.base : S, false)
  }
  const symbol = firstSymbol + (word & 0xffffff)
  const target = link.symbols.Reference.target[symbol]
  if (target === 0) return applySpecial(link, at, i, P)
  const A = pairedAddend + embeddedAddend(link, at.site, word, offset)
  if (target & TARGET_IMPORT) return applyImport(link, at, i, P, target & 0x7fffffff, A)
  const S = link.symbols.Reference.address[symbol] - at.base
  if (is & R_UNSIGNED) {
    if (((word >>> 25) & 3) !== 3) return finish(link, at, i, P, S + A + at.base, false)
    return applyPointer(link, at, i, P, S + A, (link.symbols.Definition.flags[target] & SYMBOL_ABSOLUTE) !== 0)
  }
  if (is & R_GOT) {
    // A symbol that has an entry anyway is loaded through it (ld64.lld).
    const got = findGot(link.gots, KEY_LOCAL, target)
    if (got !== 0) return applyGot(link, at, i, P, gotAddress(link, got) - at.base + A)
  }
  finish(link, at, i, P, S + A, (is & R_LOAD) !== 0)
}

/** Refers to an entry of the GOT: in an instruction, by its distance, or in 8 bytes by a pointer. */
function applyGot(link: Link, at: Relocating, i: number, P: number, value: number): void {
  if (((at.site.words[at.site.records + i * 2 + 1] >>> 25) & 3) === 3) applyPointer(link, at, i, P, value, false)
  else finish(link, at, i, P, value, false)
}

/** Eight bytes that hold an address of this image: rebased, but for absolute ones and offsets in thread-local descriptors. */
function applyPointer(link: Link, at: Relocating, i: number, P: number, value: number, absolute: boolean): void {
  const tag = embeddedTag(at.site, at.site.words[at.site.records + i * 2])
  if (at.threadVariables) {
    const within = value + at.base - at.threadLocalBase
    if (within < 0 || value + at.base > at.threadLocalEnd) applyFailed(at, i, within, APPLY_OK)
    writePointer(at.view, P + at.place, within)
  } else if (absolute) {
    writePointer(at.view, P + at.place, value + at.base)
    if (tag !== 0) at.view.setUint8(P + at.place + 7, tag)
  } else if (
    !writeRebase(link, at.view, P + at.place, at.segment, P + at.base - at.segmentAddress, value + at.base, tag)
  )
    applyFailed(at, i, value + at.base, APPLY_OK)
}

function applyImport(link: Link, at: Relocating, i: number, P: number, made: number, A: number): void {
  const word = at.site.words[at.site.records + i * 2 + 1]
  const is = link.arch.attributes[word >>> 28]
  if (is & R_BRANCH) return finish(link, at, i, P, stubAddress(link, made) - at.base + A, false)
  if (is & R_GOT) return applyGot(link, at, i, P, gotAddress(link, findGot(link.gots, KEY_IMPORT, made)) - at.base + A)
  if (is & R_TLV)
    return finish(link, at, i, P, tlvAddress(link, findGot(link.tlvs, KEY_IMPORT, made)) - at.base + A, false)
  if (is & R_UNSIGNED && ((word >>> 25) & 3) === 3) {
    if (!recordBind(link, at.view, P + at.place, at.segment, P + at.base - at.segmentAddress, made, A))
      applyFailed(at, i, A, APPLY_OK)
    return
  }
  if (link.imports.Library.flags[made] & IMPORT_OWN)
    finish(link, at, i, P, link.symbols.Reference.address[link.imports.Library.symbol[made]] - at.base + A, false)
}

function finish(link: Link, at: Relocating, i: number, P: number, value: number, relax: boolean): void {
  const type = at.site.words[at.site.records + i * 2 + 1] >>> 28
  const result = link.arch.apply(at.view, P + at.place, type, P, value, relax)
  if (result !== APPLY_OK) goFurther(link, at, i, P, value, result)
}

/** A branch that does not reach takes a thunk; anything else that does not fit is an error. */
export function goFurther(link: Link, at: Relocating, i: number, P: number, value: number, result: number): void {
  const type = at.site.words[at.site.records + i * 2 + 1] >>> 28
  const thunk =
    result === APPLY_OUT_OF_RANGE && link.arch.attributes[type] & R_BRANCH ? thunkFor(link, at, i, P + at.base) : 0
  const base = link.arch.attributes[type] & R_UNSIGNED ? 0 : at.base
  if (thunk === 0) applyFailed(at, i, value + base, result, P + at.base)
  else link.arch.apply(at.view, P + at.place, type, P, thunk - at.base, false)
}
