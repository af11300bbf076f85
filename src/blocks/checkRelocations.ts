// The relocations that a block's new contents bring: refused as a whole, with the reason, before anything is changed.
import { TARGET_IMPORT } from '../../components/symbols.ts'
import {
  R_ADDEND,
  R_BRANCH,
  R_GOT,
  R_PAGE,
  R_PAGEOFF,
  R_POINTER,
  R_SUBTRAHEND,
  R_TLV,
  R_UNSIGNED,
} from '../arch/arch.ts'
import { targetOf } from './handles.ts'
import { MAX_BIND_ADDEND } from './pointers.ts'
import type { State } from './state.ts'
import type { BlockRelocation } from './types.ts'

/** Numbers of a reference in `CheckedRelocations.references`. */
export const REFERENCE_FIELDS = 5

export interface CheckedRelocations {
  /** Five numbers a reference: offset, type, width, target, addend. The subtrahend of a difference stands in front of its minuend. */
  references: number[]
  /** Whether dyld changes any of them. */
  pointers: boolean
}

/** What the checks of one block share: offsets of pointers and differences, which must not come twice. */
interface Checks {
  state: State
  size: number
  data: boolean
  words: Set<number>
  pointers: boolean
}

export function refuse(text: string): never {
  throw new TypeError(`updateBlock: ${text}`)
}

/** @throws TypeError */
export function checkRelocations(
  state: State,
  relocations: readonly BlockRelocation[],
  size: number,
  data: boolean,
): CheckedRelocations {
  const checks: Checks = { state, size, data, words: new Set(), pointers: false }
  const references: number[] = []
  for (let i = 0; i < relocations.length; i++) {
    const { offset, type: spelled, addend = 0 } = relocations[i]
    const type = typeOf(state, spelled)
    const is = state.arch.attributes[type]
    if (is & R_ADDEND) refuse(`${spelled} is not offered`)
    const width = is & R_SUBTRAHEND ? widthOf(relocations[i + 1]) : widthOf(relocations[i], is)
    if (!Number.isInteger(offset) || offset < 0 || offset + width > size)
      refuse(`relocation at ${offset} is outside of ${size} bytes of code`)
    if (!Number.isInteger(addend) || Math.abs(addend) > 0x7fffffff)
      refuse(`expected an addend of 32 bits, got ${addend}`)
    const target = targetOf(state, 'updateBlock', relocations[i].target)
    references.push(offset, type, width, target, addend)
    if (is & R_SUBTRAHEND) checkSubtrahend(checks, relocations[i], relocations[i + 1], target)
    else if (is & R_UNSIGNED) checkUnsigned(checks, relocations[i - 1], relocations[i], target, width)
    else checkField(checks, relocations[i], is, target)
  }
  return { references, pointers: checks.pointers }
}

function typeOf(state: State, spelled: string): number {
  const type = state.arch.relocationNames.indexOf(spelled)
  if (type < 0) refuse(`expected a relocation type of ${state.arch.name}, got ${spelled}`)
  return type
}

function widthOf(relocation: BlockRelocation | undefined, is = R_UNSIGNED): number {
  const size = relocation?.size ?? (is & R_UNSIGNED ? 8 : 4)
  if (size !== 4 && !(size === 8 && is & R_UNSIGNED)) refuse(`a relocation of ${size} bytes is not offered`)
  return size
}

function isSubtrahend(state: State, relocation: BlockRelocation | undefined): boolean {
  if (relocation === undefined) return false
  return (state.arch.attributes[state.arch.relocationNames.indexOf(relocation.type)] & R_SUBTRAHEND) !== 0
}

/** Minuend and subtrahend stand at one place, the subtrahend first. */
function checkSubtrahend(
  { state }: Checks,
  { type, offset, addend = 0 }: BlockRelocation,
  next: BlockRelocation | undefined,
  target: number,
): void {
  const isMinuend =
    next !== undefined && state.arch.attributes[state.arch.relocationNames.indexOf(next.type)] & R_UNSIGNED
  if (!isMinuend || next.offset !== offset)
    refuse(`${type} at ${offset}: expected the minuend next, at the same offset, got ${next?.type} at ${next?.offset}`)
  if (addend !== 0) refuse(`${type} at ${offset}: the addend belongs to the minuend`)
  if (target & TARGET_IMPORT)
    refuse(`${type} at ${offset} cannot reach an import, whose address is known at run time only`)
}

function checkUnsigned(
  checks: Checks,
  before: BlockRelocation | undefined,
  { type, offset, addend = 0 }: BlockRelocation,
  target: number,
  width: number,
): void {
  const { state, words } = checks
  if (words.has(offset)) refuse(`${type} at ${offset}: there is one already`)
  words.add(offset)
  if (isSubtrahend(state, before)) {
    if (target & TARGET_IMPORT)
      refuse(`${type} at ${offset} cannot reach an import, whose address is known at run time only`)
    return
  }
  checks.pointers = true
  if (!checks.data) refuse(`${type} at ${offset}: pointers are for data, dyld does not write to __TEXT`)
  if (width !== 8) refuse(`${type} at ${offset}: dyld slides pointers of 8 bytes, got ${width}`)
  if (offset % 8 !== 0) refuse(`expected pointers at multiples of 8, got ${offset}`)
  if (!(target & TARGET_IMPORT)) return
  const most = state.settings.fixupChains ? MAX_BIND_ADDEND : 0x7fffffff
  if (addend > most || (addend < 0 && state.settings.fixupChains))
    refuse(`expected an addend from 0 to ${most} on a pointer to an import, got ${addend}`)
}

/** A field of an instruction, or in data the distance to a GOT entry. */
function checkField({ state, data }: Checks, { type, offset }: BlockRelocation, is: number, target: number): void {
  if (data && !(is & R_POINTER)) refuse(`${type} is for code`)
  const inInstruction = is & (R_BRANCH | R_PAGE | R_PAGEOFF)
  if (inInstruction && state.arch.name === 'arm64' && offset % 4 !== 0)
    refuse(`${type} at ${offset} is not on an instruction`)
  if (target & TARGET_IMPORT && !(is & (R_BRANCH | R_GOT | R_TLV)))
    refuse(`${type} cannot reach an import, whose address is known at run time only`)
}
