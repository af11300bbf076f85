// Other contents for what was linked. What refers to it is not known, so it stays where it is: a function begins with a jump to its new
// code from then on, a variable gets its contents in place.
import { EDIT_BODY } from '../../../components/edits.ts'
import { isZeroFillType } from '../../../systems/kernels/outputKinds.ts'
import * as macho from '../../formats/macho/constants.ts'
import { readU64 } from '../../core/bytes.ts'
import type { BindRows } from '../../formats/dyld/bind.ts'
import { readFunctionStarts } from '../../formats/macho/functionStarts.ts'
import type { ImageSection } from '../../formats/macho/image.ts'
import { pickBinds } from '../bindRows.ts'
import { checkRelocations, refuse } from '../checkRelocations.ts'
import { declareBlock } from '../declare.ts'
import { freeBlock } from '../freeBlock.ts'
import { dropPointer, isPointer, setKind } from '../pointers.ts'
import { addReferences, dropReferences, markDirty } from '../references.ts'
import { releaseFreed } from '../release.ts'
import { markPages, type State } from '../state.ts'
import { stringBytes, stringText } from '../strings.ts'
import type { BlockUpdate } from '../types.ts'
import { updateBlock } from '../update.ts'
import { addressOfLinked, type Base, isLinked, isLinkedVariable, sectionOf } from './base.ts'

const JUMP = {
  arm64: { bytes: [0, 0, 0, 0x14], type: macho.ARM64_RELOC_BRANCH26, offset: 0 },
  x86_64: { bytes: [0xe9, 0, 0, 0, 0], type: macho.X86_64_RELOC_BRANCH, offset: 1 },
} as const
const TEMPLATES: readonly number[] = [macho.S_THREAD_LOCAL_REGULAR, macho.S_THREAD_LOCAL_ZEROFILL]
const PLAIN: readonly number[] = [macho.S_REGULAR, macho.S_COALESCED, macho.S_THREAD_LOCAL_REGULAR]
/** Where a descriptor has the place of its variable in what dyld copies. */
const DESCRIPTOR_OFFSET = 16
const CODE = macho.S_ATTR_PURE_INSTRUCTIONS | macho.S_ATTR_SOME_INSTRUCTIONS

/** @throws TypeError, with the image as it was. */
export function updateLinked(state: State, block: number, update: BlockUpdate): void {
  const base = state.base!
  const section = sectionOf(state, base, block)
  if (section === null) refuse(`${nameOf(state, block)} of the linked file has no bytes in a section`)
  if (update.threadLocal === true) return updateInitial(state, base, block, update)
  const owner = first(state, base, block)
  if (section.flags & CODE) replaceFunction(state, base, owner, update)
  else replaceVariable(state, base, owner, section, update)
}

/** Whether the contents are for a variable that has no bytes in the file. */
export function lacksBytes(state: State, block: number, { code, threadLocal }: BlockUpdate): boolean {
  const { base } = state
  if (base === null || !(code instanceof Uint8Array) || code.length === 0 || !isLinked(state, block)) return false
  const variable = threadLocal === true && isLinkedVariable(state, block) ? initialOf(state, base, block) : block
  const section = variable === 0 ? null : sectionOf(state, base, variable)
  return section !== null && isZeroFillType(section.flags)
}

/** Whether any variable has contents in bytes that were zero by their section. */
export function hasStoredZeros(state: State): boolean {
  const { saved, end, zeros } = state.base!
  return zeros > 0 && [...saved.keys()].some((block) => placeOf(state, block) >= end - zeros)
}

/** What every thread's copy of a variable begins with has a symbol of its own. */
function updateInitial(state: State, base: Base, block: number, update: BlockUpdate): void {
  const name = nameOf(state, block)
  if (!isLinkedVariable(state, block)) refuse(`${name} was linked as no thread-local variable, and stays as it is`)
  if (update.section !== undefined) refuse(`a thread-local variable is not in ${update.section}`)
  const initial = initialOf(state, base, block)
  if (initial === 0) refuse(`the linked file does not name what ${name} begins with`)
  replaceVariable(state, base, initial, sectionOf(state, base, initial)!, update)
}

/** The block at the place that a descriptor leads to; 0 where there is none. */
function initialOf(state: State, base: Base, block: number): number {
  const templates = base.image.sections.filter(
    ({ flags, size }) => size > 0 && TEMPLATES.includes(flags & macho.SECTION_TYPE),
  )
  const start = Math.min(...templates.map(({ address }) => address))
  const address = start + readU64(state.bytes, placeOf(state, block) + DESCRIPTOR_OFFSET)
  for (let one = base.firstBlock; one < base.firstBlock + base.count; one++) {
    if (addressOfLinked(state, one) !== address) continue
    const section = sectionOf(state, base, one)
    if (section !== null && TEMPLATES.includes(section.flags & macho.SECTION_TYPE)) return one
  }
  return 0
}

/** Puts back what was linked. @throws TypeError where nothing has taken its place. */
export function restoreLinked(state: State, given: number): void {
  const base = state.base!
  const block = (isLinkedVariable(state, given) ? initialOf(state, base, given) : 0) || given
  const owner = base.saved.has(block) ? block : first(state, base, block)
  const saved = base.saved.get(owner)
  if (saved === undefined) throw new TypeError(`freeBlock: ${nameOf(state, block)} was linked, and stays where it is`)
  if (saved.kinds !== null) return restoreVariable(state, base, owner)
  dropReferences(state, owner, (target) => releaseFreed(state, target))
  const body = base.bodies[owner - base.firstBlock]
  write(state, owner, saved.bytes)
  base.saved.delete(owner)
  base.bodies[owner - base.firstBlock] = 0
  if (body !== 0) freeBlock(state, body)
}

function nameOf(state: State, block: number): string {
  return stringText(state, state.blocks.Entry.string[block])
}

/** Of the names of an address the one that counts for all. */
function first(state: State, base: Base, block: number): number {
  const { section, offset } = state.blocks.Place
  for (let one = base.firstBlock; one < block; one++)
    if (section[one] === section[block] && offset[one] === offset[block]) return one
  return block
}

function replaceFunction(state: State, base: Base, block: number, update: BlockUpdate): void {
  const { bytes, type, offset } = JUMP[state.arch.name]
  if ((update.section ?? '__TEXT,__text') !== '__TEXT,__text') refuse(`a function is not in ${update.section}`)
  const room = roomOf(state, base, block)
  if (room < bytes.length) refuse(`${nameOf(state, block)} has ${room} bytes, too few for a jump to other code`)
  const number = block - base.firstBlock
  const known = base.bodies[number]
  const body = known || declareBlock(state, stringBytes(state, state.blocks.Entry.string[block]))
  state.blocks.Place.flags[body] |= EDIT_BODY
  try {
    updateBlock(state, body, update)
  } catch (trouble) {
    if (known === 0) freeBlock(state, body)
    throw trouble
  }
  if (known !== 0) return
  base.bodies[number] = body
  const at = placeOf(state, block)
  base.saved.set(block, { bytes: state.bytes.slice(at, at + bytes.length), kinds: null })
  write(state, block, Uint8Array.from(bytes))
  addReferences(state, block, [offset, type, 4, body, 0])
  markDirty(state, block, 0)
}

function replaceVariable(
  state: State,
  base: Base,
  block: number,
  section: ImageSection,
  { code, section: wanted, relocations = [], unwind, lines }: BlockUpdate,
): void {
  if (unwind !== undefined) refuse('unwind information is for code')
  if (lines !== undefined) refuse('lines are for code')
  const name = `${section.segment},${section.name}`
  if (wanted !== undefined && wanted !== name) refuse(`${nameOf(state, block)} was linked in ${name}, and stays there`)
  if (isZeroFillType(section.flags) || !(code instanceof Uint8Array) || code.length === 0)
    refuse(`expected bytes for what was linked and has contents, ${nameOf(state, block)} in ${name}`)
  if (!isPlain(section)) refuse(`${name} is a list of entries that belong together`)
  const room = roomOf(state, base, block)
  if (code.length > room)
    refuse(`${code.length} bytes do not fit the ${room} of ${nameOf(state, block)}, which was linked`)
  const segment = base.image.segments.find(({ sections }) => sections.includes(section))!
  const data = (segment.initProtection & macho.VM_PROT_WRITE) !== 0
  const { references, pointers } = checkRelocations(state, relocations, code.length, data)
  const address = addressOfLinked(state, block)
  if (pointers && address % 8 !== 0) refuse(`${nameOf(state, block)} at ${address} is not aligned for pointers`)
  checkCut(state, base, block, code.length)
  if (base.saved.has(block)) restoreVariable(state, base, block)
  saveVariable(state, base, block, code.length)
  write(state, block, code)
  addReferences(state, block, references)
  markDirty(state, block, 0)
}

/** Tables whose entries dyld or others walk are not for edits. */
function isPlain({ flags }: ImageSection): boolean {
  return PLAIN.includes(flags & macho.SECTION_TYPE)
}

/** Where the block stands in the file. */
function placeOf({ blocks, outputs }: State, block: number): number {
  const { section, offset } = blocks.Place
  return outputs.Extent.fileOffset[section[block]] + offset[block]
}

function write(state: State, block: number, bytes: Uint8Array): void {
  const at = placeOf(state, block)
  state.bytes.set(bytes, at)
  markPages(state, at, at + bytes.length)
}

/** Bytes up to the next thing that the file names: a symbol, a function, the end of the section. */
function roomOf(state: State, base: Base, block: number): number {
  base.bounds ??= findBounds(state, base)
  const { bounds } = base
  const address = addressOfLinked(state, block)
  let [low, high] = [0, bounds.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (bounds[middle] <= address) low = middle + 1
    else high = middle
  }
  return low === bounds.length ? 0 : bounds[low] - address
}

function findBounds(state: State, base: Base): Float64Array {
  const { sections } = base.image
  const starts = readFunctionStarts(base.functionStarts, state.settings.imageBase)
  const bounds = new Float64Array(base.count + sections.length * 2 + starts.length)
  for (let i = 0; i < base.count; i++) bounds[i] = readU64(base.rows, i * macho.NLIST_SIZE + 8)
  for (const [i, { address, size }] of sections.entries()) bounds.set([address, address + size], base.count + i * 2)
  bounds.set(starts, base.count + sections.length * 2)
  return bounds.sort()
}

/** A pointer that was linked is not overwritten by half. */
function checkCut(state: State, { saved, dataStart }: Base, block: number, size: number): void {
  const at = placeOf(state, block)
  const kinds = saved.get(block)?.kinds ?? new Uint8Array(0)
  const isLinkedPointer = (place: number) => {
    const word = (place - at) >> 2
    if (word >= 0 && word < kinds.length) return place >= dataStart && kinds[word] !== 0
    return isPointer(state, place)
  }
  if (isLinkedPointer(at - 4) || (size % 8 !== 0 && isLinkedPointer(at + size - 4)))
    refuse(`${size} bytes at ${nameOf(state, block)} would leave half a pointer`)
}

/** Keeps what stands there, which dyld is to leave alone. */
function saveVariable(state: State, base: Base, block: number, size: number): void {
  const at = placeOf(state, block)
  const bytes = state.bytes.slice(at, at + size)
  const kinds = new Uint8Array(Math.ceil(size / 4))
  for (let i = 0; i < kinds.length; i++) {
    if (!isPointer(state, at + i * 4)) continue
    kinds[i] = state.pointers[(at + i * 4 - state.dataStart) >> 2]
    dropPointer(state, at + i * 4)
  }
  base.saved.set(block, { bytes, kinds })
  pickLinkedBinds(state, base)
}

/** What was linked stands there again. */
function restoreVariable(state: State, base: Base, block: number): void {
  const { bytes, kinds } = base.saved.get(block)!
  const at = placeOf(state, block)
  dropReferences(state, block, (target) => releaseFreed(state, target))
  for (let place = at; place < at + bytes.length; place += 4) if (isPointer(state, place)) dropPointer(state, place)
  write(state, block, bytes)
  for (let i = 0; i < kinds!.length; i++) if (kinds![i] !== 0) setKind(state, at + i * 4, kinds![i])
  base.saved.delete(block)
  pickLinkedBinds(state, base)
}

/** Those that no variable has taken the place of. */
function pickLinkedBinds(state: State, base: Base): void {
  const { section, offset } = state.blocks.Place
  const taken = [...base.saved].filter(([, { kinds }]) => kinds !== null)
  const ranges = taken.map(([block, { bytes }]) => {
    const start = offset[block]
    return { segment: section[block] - base.firstOutput, start, end: start + bytes.length }
  })
  const isLeft = (rows: BindRows, i: number) =>
    !ranges.some((r) => r.segment === rows.segments[i] && rows.offsets[i] >= r.start && rows.offsets[i] < r.end)
  const pick = (rows: BindRows) =>
    pickBinds(
      rows,
      [...rows.segments.subarray(0, rows.count).keys()].filter((i) => isLeft(rows, i)),
    )
  base.binds = pick(base.allBinds)
  base.weakBinds = pick(base.allWeakBinds)
  state.stale.bind = true
}
