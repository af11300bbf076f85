// How the unwinder gets past a block's code. Personality and language-specific data are references of the block like others, but of
// types that no relocation has: they keep their targets alive, and hear when those move.
import { FILL_ABSENT, FILL_INPUTS } from '../../components/outputs.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import {
  UNWIND_ARM64_MODE_DWARF,
  UNWIND_ARM64_MODE_FRAME,
  UNWIND_ARM64_MODE_FRAMELESS,
  UNWIND_ARM64_MODE_MASK,
  UNWIND_HAS_LSDA,
  UNWIND_PERSONALITIES_MAX,
  UNWIND_PERSONALITY_MASK,
  UNWIND_PERSONALITY_SHIFT,
  UNWIND_X86_64_MODE_DWARF,
  UNWIND_X86_64_MODE_MASK,
  UNWIND_X86_64_MODE_RBP_FRAME,
  UNWIND_X86_64_MODE_STACK_IMMD,
  UNWIND_X86_64_MODE_STACK_IND,
} from '../formats/unwind/constants.ts'
import { refuse } from './checkRelocations.ts'
import { targetOf } from './handles.ts'
import { growSection, layOut, numberSections, sectionSize } from './layout.ts'
import { UNWIND_LSDA, UNWIND_PERSONALITY, type State } from './state.ts'
import type { BlockUnwind } from './types.ts'
import { buildLeaves, createUnwind, touchLeaf, type Unwind } from './unwindLeaves.ts'

/** Targets are 0 where there is none. */
export interface CheckedUnwind {
  encoding: number
  personality: number
  lsda: number
}

const NONE: CheckedUnwind = { encoding: 0, personality: 0, lsda: 0 }
const WORD = 4

/** @throws TypeError */
export function checkUnwind(state: State, block: number, section: number, given?: BlockUnwind): CheckedUnwind {
  if (given === undefined) return NONE
  const { encoding, personality, lsda } = given
  if (section !== state.sections.text) refuse('unwind information is for code')
  checkEncoding(state, encoding)
  const checked = {
    encoding: (encoding & ~(UNWIND_HAS_LSDA | UNWIND_PERSONALITY_MASK)) >>> 0,
    personality: personality === undefined ? 0 : targetOf(state, 'updateBlock', personality),
    lsda: lsda === undefined ? 0 : targetOf(state, 'updateBlock', lsda),
  }
  if (checked.lsda & TARGET_IMPORT) refuse('language-specific data is a block of the image')
  if (checked.lsda !== 0 && checked.personality === 0) refuse('language-specific data needs a personality to read it')
  if (checked.personality !== 0) checkPersonality(state, block, checked.personality)
  return checked
}

/** Modes without a frame in __eh_frame, which blocks do not have. */
const MODES = {
  arm64: [UNWIND_ARM64_MODE_FRAMELESS, UNWIND_ARM64_MODE_FRAME],
  x86_64: [UNWIND_X86_64_MODE_RBP_FRAME, UNWIND_X86_64_MODE_STACK_IMMD, UNWIND_X86_64_MODE_STACK_IND],
}

function checkEncoding({ arch }: State, encoding: number): void {
  const whole = Number.isInteger(encoding) && encoding > 0 && encoding < 2 ** 32
  const [mask, dwarf] =
    arch.name === 'arm64'
      ? [UNWIND_ARM64_MODE_MASK, UNWIND_ARM64_MODE_DWARF]
      : [UNWIND_X86_64_MODE_MASK, UNWIND_X86_64_MODE_DWARF]
  const mode = whole ? encoding & mask : 0
  if (mode === dwarf) refuse(`the unwind encoding ${encoding} needs a frame in __eh_frame, which blocks do not have`)
  if (!MODES[arch.name].includes(mode)) refuse(`expected a compact unwind encoding of ${arch.name}, got ${encoding}`)
}

/** An encoding has two bits for them. */
function checkPersonality({ unwind, blocks }: State, block: number, target: number): void {
  if (unwind === null || unwind.personalities.includes(target)) return
  const own = personalityOf(blocks.Entry.unwind[block])
  const leaves = own > 0 && unwind.uses[own - 1] === 1
  const others = unwind.personalities.filter((one) => one !== 0).length - (leaves ? 1 : 0)
  if (others >= UNWIND_PERSONALITIES_MAX) refuse(`an image has at most ${UNWIND_PERSONALITIES_MAX} personalities`)
}

/** 1 and its index, 0 for none. */
function personalityOf(encoding: number): number {
  return (encoding & UNWIND_PERSONALITY_MASK) >>> UNWIND_PERSONALITY_SHIFT
}

/** For `addReferences`. */
export function unwindReferences({ personality, lsda }: CheckedUnwind): number[] {
  const first = personality === 0 ? [] : [0, UNWIND_PERSONALITY, WORD, personality, 0]
  return lsda === 0 ? first : [...first, 0, UNWIND_LSDA, WORD, lsda, 0]
}

/** What is no longer code, or gone, has none. */
export function setUnwind(state: State, block: number, { encoding, personality, lsda }: CheckedUnwind = NONE): void {
  if (state.object !== null) {
    state.blocks.Entry.unwind[block] = (encoding | (lsda === 0 ? 0 : UNWIND_HAS_LSDA)) >>> 0
    return
  }
  if (state.unwind === null && encoding === 0) return
  state.unwind ??= beginUnwind(state)
  const { unwind: encodings } = state.blocks.Entry
  const old = encodings[block]
  // The old one is let go of first: it may be the same, or the one of four.
  const { unwind } = state
  const left = personalityOf(old)
  if (left > 0) unwind.uses[left - 1]--
  const index = personality === 0 ? 0 : takePersonality(unwind, personality)
  unwind.personalities.forEach((_, i) => {
    if (unwind.uses[i] === 0) unwind.personalities[i] = 0
  })
  unwind.lsdaCount += (lsda === 0 ? 0 : 1) - (old & UNWIND_HAS_LSDA ? 1 : 0)
  const made = (encoding | (index << UNWIND_PERSONALITY_SHIFT) | (lsda === 0 ? 0 : UNWIND_HAS_LSDA)) >>> 0
  encodings[block] = made
  if (made !== old) touchLeaf(state, block)
}

/** 1 and its index. */
function takePersonality({ personalities, uses }: Unwind, target: number): number {
  let index = personalities.indexOf(target)
  if (index < 0) index = uses.indexOf(0)
  if (index < 0) index = personalities.length
  personalities[index] = target
  uses[index] = (uses[index] ?? 0) + 1
  return index + 1
}

function beginUnwind(state: State): Unwind {
  state.unwind = createUnwind()
  showUnwind(state, true)
  buildLeaves(state)
  layOut(state)
  return state.unwind
}

function showUnwind(state: State, there: boolean): void {
  state.outputs.Section.fill[state.sections.unwind] = there ? FILL_INPUTS : FILL_ABSENT
  numberSections(state)
}

/** Gives the table room for what it is to hold; true where all has moved. */
export function ensureUnwind(state: State): boolean {
  const { unwind } = state.sections
  if (state.base !== null || sectionSize(state, unwind) <= state.rooms.Room.capacity[unwind]) return false
  growSection(state, unwind, sectionSize(state, unwind))
  return true
}

/** Canonical: personalities by the first that has them, pages full; without any the section goes too. */
export function packUnwind(state: State, blocks: readonly number[]): void {
  if (state.unwind === null) return
  const { unwind: encodings } = state.blocks.Entry
  const old = state.unwind.personalities
  const owners = blocks.filter((block) => encodings[block] !== 0)
  const { lsdaCount } = state.unwind
  state.unwind = owners.length === 0 ? null : { ...createUnwind(), lsdaCount }
  if (state.unwind === null) {
    for (const block of blocks) state.blocks.Entry.leaf[block] = 0
    showUnwind(state, false)
  } else
    for (const block of owners) {
      const index = personalityOf(encodings[block])
      if (index === 0) continue
      const packed = takePersonality(state.unwind, old[index - 1])
      encodings[block] = ((encodings[block] & ~UNWIND_PERSONALITY_MASK) | (packed << UNWIND_PERSONALITY_SHIFT)) >>> 0
    }
  buildLeaves(state)
  state.rooms.Room.capacity[state.sections.unwind] = sectionSize(state, state.sections.unwind)
}
