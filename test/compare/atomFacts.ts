import * as C from '../../src/formats/macho/constants.ts'
import { addFact, addOrder, type Facts } from './facts.ts'
import {
  directTarget,
  fieldAddress,
  fieldSlot,
  NOP,
  pageOffset,
  partnerOf,
  storedValue,
  targetAddress,
  throughGot,
} from './fields.ts'
import {
  atomOver,
  fixedLiteralLabel,
  hex,
  type Image,
  isPointerSection,
  labelOf,
  lastUpTo,
  nameAt,
  offsetAt,
  pointerLabel,
  sectionAt,
} from './image.ts'
import type { Atom, Field } from './inputs.ts'
import { bytesText, isLiteral, isZeroFill, literalWidth, type Section } from './machOFile.ts'
import { isAligned, isHinted } from './place.ts'

// The contents of an image, atom by atom: section, size, bytes with the fields blanked out, and what each field leads to.

const MADE_BY_LINKER = ['__stub_helper', '__unwind_info', '__eh_frame', '__objc_stubs', '__literals']

const INITIALIZERS = [C.S_MOD_INIT_FUNC_POINTERS, C.S_MOD_TERM_FUNC_POINTERS, C.S_INIT_FUNC_OFFSETS]

function isOrdinary(section: Section): boolean {
  if (isLiteral(section.type) || section.type === C.S_SYMBOL_STUBS || isPointerSection(section.type)) return false
  if (INITIALIZERS.includes(section.type)) return false
  return !MADE_BY_LINKER.includes(section.name)
}

function armMask(word: number): number {
  if ((word & 0x1f000000) === 0x10000000) return 0x9f00001f
  if ((word & 0x3b000000) === 0x18000000) return 0xff00001f
  if ((word & 0x7c000000) === 0x14000000) return 0xfc000000
  return pageOffset(word) === null ? -1 : ~(0xfff << 10)
}

function labelNear(image: Image, atom: Atom, field: Field, address: number): string {
  const pool = field.target.literal > 0 ? sectionAt(image, address) : null
  if (pool?.name === '__literals') return fixedLiteralLabel(image, pool, address, field.target.literal)
  const wanted = targetAddress(image, field.target)
  if (wanted === null || wanted === address) return labelOf(image, address)
  const origin = wanted - field.target.delta
  const over = atomOver(image, address)
  const meant = field.target.delta >= 0 && over?.start === origin
  const slot = sectionAt(image, address)
  if (meant || (slot !== null && !isOrdinary(slot))) return labelOf(image, address)
  const far = Math.abs(address - origin) > 0x10000 || atom.section.type === C.S_THREAD_LOCAL_VARIABLES
  if (far) return labelOf(image, address)
  return `${labelOf(image, origin)}${address < origin ? '' : '+'}${address - origin}`
}

function fieldText(image: Image, atom: Atom, start: number, index: number): string {
  const field = atom.fields[index]!
  const at = start + field.offset
  const stored = storedValue(image, at, field.size)
  if (field.kind === 'diff') {
    const minus = targetAddress(image, field.minus!)
    const to = fieldAddress(image, atom, start, index)
    if (minus === null || to === null) return `difference ${stored}`
    return `${labelNear(image, atom, field, to)} - ${labelOf(image, minus)}`
  }
  const slot = fieldSlot(image, atom, start, index)
  if (field.kind === 'abs' && field.size === 8) {
    const pointer = pointerLabel(image, at)
    const top = image.fixups.tops.get(at)
    if (pointer !== null && !pointer.startsWith('rebase ')) return pointer
    if (slot === null) return `value ${hex(stored)}`
    return `${pointer === null ? 'offset of' : 'rebase'} ${labelNear(image, atom, field, slot)}${top === undefined ? '' : ` top byte ${hex(top)}`}`
  }
  if (slot !== null) return `${field.kind} ${labelNear(image, atom, field, relaxedTarget(image, field, slot) ?? slot)}`
  if (!atom.arm || field.kind === 'abs') return `value ${hex(stored)}`
  const low = pageOffset(image.file.view.getUint32(offsetAt(image, at), true))
  const guess = targetAddress(image, field.target)
  if (low !== null && guess !== null && guess % 4096 === low) return `${field.kind} ${labelOf(image, guess)}`
  return low === null ? 'no operand' : `${field.kind} ${hex(low)}`
}

// Where a field that a linker may relax leads to, through a slot that holds an address of this image or without one.
function relaxedTarget(image: Image, field: Field, slot: number): number | null {
  return field.relaxable ? throughGot(image, slot) : null
}

const COMPUTES = 'computes the address'
const LOADS = 'loads from a slot'

// x86_64: movq or leaq before the field. Returns the way if it is the wanted one, with the bits that say so blanked.
function x86Relaxation(bytes: Uint8Array, field: Field, wanted: string): string | null {
  if (bytes[field.offset - 2] !== (wanted === LOADS ? 0x8b : 0x8d)) return null
  bytes[field.offset - 2] = 0
  return wanted
}

// arm64: ldr or add behind adrp; where a hint was applied, nop and ldr (literal), or adr and nop.
function armRelaxation(bytes: Uint8Array, atom: Atom, index: number, wanted: string): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { offset } = atom.fields[index]!
  const word = view.getUint32(offset, true)
  if ((word & 0xffc00000) >>> 0 === (wanted === LOADS ? 0xf9400000 : 0x91000000)) {
    view.setUint32(offset, (0x91000000 | (word & 0x3ff)) >>> 0, true)
    return wanted
  }
  const giver = partnerOf(atom, index, -1)
  if (giver === null) return null
  const before = view.getUint32(giver.offset, true)
  const loads = before === NOP && (word & 0xff000000) === 0x58000000
  const computes = word === NOP && (before & 0x9f000000) === 0x10000000
  if (wanted === LOADS ? !loads : !computes) return null
  view.setUint32(giver.offset, 0x10000000 | ((loads ? word : before) & 31), true)
  view.setUint32(offset, NOP, true)
  return `${wanted}, by a hint`
}

// How a field that a linker may relax gets its address. Nothing for a slot that dyld binds: its load is compared as it is.
function addRelaxation(facts: Facts, image: Image, atom: Atom, start: number, index: number, bytes: Uint8Array): void {
  const field = atom.fields[index]!
  if (!field.relaxable || field.kind === 'page21') return
  const slot = fieldSlot(image, atom, start, index)
  const target = slot === null ? null : throughGot(image, slot)
  if (target === null) return
  const wanted = target === slot ? COMPUTES : LOADS
  const how = atom.arm ? armRelaxation(bytes, atom, index, wanted) : x86Relaxation(bytes, field, wanted)
  if (how !== null) addFact(facts, 'relaxation', `${atom.id}+${field.offset}`, how)
}

function blank(bytes: Uint8Array, field: Field, arm: boolean): void {
  if (!arm || field.kind === 'abs' || field.kind === 'diff' || field.kind === 'rel') {
    bytes.fill(0, field.offset, field.offset + field.size)
    return
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const word = view.getUint32(field.offset, true)
  view.setUint32(field.offset, word & armMask(word), true)
}

// Words without a relocation that a linker optimization hint made pc-relative.
function addHinted(facts: Facts, image: Image, atom: Atom, start: number, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const before = new DataView(atom.bytes!.buffer, atom.bytes!.byteOffset, atom.bytes!.length)
  const fields = new Set(atom.fields.map((f) => f.offset))
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    const word = view.getUint32(i, true)
    if (word === before.getUint32(i, true) || fields.has(i) || !isHinted(word)) continue
    const target = directTarget(word, start + i)
    if (target === null) continue
    addFact(facts, 'field', `${atom.id}+${i}`, `hint ${labelOf(image, target)}`)
    view.setUint32(i, word & armMask(word), true)
  }
}

function addContents(facts: Facts, image: Image, atom: Atom, start: number): void {
  const at = offsetAt(image, start)
  if (at < 0 || atom.bytes === null) {
    addFact(facts, 'bytes', atom.id, 'zero-fill')
    return
  }
  const bytes = image.file.bytes.slice(at, at + atom.size)
  if (atom.arm && atom.section.flags & 0x80000400) addHinted(facts, image, atom, start, bytes)
  for (let i = 0; i < atom.fields.length; i++) {
    addFact(facts, 'field', `${atom.id}+${atom.fields[i]!.offset}`, fieldText(image, atom, start, i))
    addRelaxation(facts, image, atom, start, i, bytes)
    blank(bytes, atom.fields[i]!, atom.arm)
  }
  addFact(facts, 'bytes', atom.id, Buffer.from(bytes).toString('hex'))
}

function addAtom(facts: Facts, image: Image, atom: Atom, start: number): void {
  const section = sectionAt(image, start)
  addFact(facts, 'section', atom.id, section === null ? 'none' : `${section.segment},${section.name}`)
  const next = image.atomStarts[lastUpTo(image.atomStarts, start) + 1] ?? Number.POSITIVE_INFINITY
  const cut = atom.size > 0 && next < start + atom.size
  addFact(facts, 'size', atom.id, cut ? `${next - start} of ${atom.size}` : `${atom.size}`)
  if (!isAligned(atom, start)) {
    addFact(facts, 'alignment', atom.id, `${hex(start)} for ${hex(atom.address)}, align 2^${atom.section.align}`)
  }
  if (atom.size > 0) addContents(facts, image, atom, start)
}

function isPadding(bytes: Uint8Array): boolean {
  return (
    bytes.every((b) => b === 0 || b === 0x90 || b === 0xcc) ||
    Buffer.from(bytes)
      .toString('hex')
      .match(/^(1f2003d5)+$/) !== null
  )
}

// Bytes that belong to no input atom: all of the image where no inputs were given.
function addRange(facts: Facts, image: Image, section: Section, from: number, to: number): void {
  const name = nameAt(image, from)
  if (isZeroFill(section.type)) {
    if (name !== null) addFact(facts, 'size', name, `${to - from}`)
    return
  }
  const at = offsetAt(image, from)
  const bytes = image.file.bytes.slice(at, at + to - from)
  const subject = name ?? `rest of ${section.segment},${section.name}`
  for (let i = 0; i + 8 <= bytes.length; i++) {
    const pointer = pointerLabel(image, from + i)
    if (pointer === null) continue
    addFact(facts, 'field', `${subject}+${i}`, pointer)
    bytes.fill(0, i, i + 8)
  }
  if (name === null && isPadding(bytes)) return
  let size = bytes.length
  while (size > 0 && (bytes[size - 1] === 0 || bytes[size - 1] === 0x90)) size--
  addFact(facts, 'bytes', subject, Buffer.from(bytes.subarray(0, size)).toString('hex'))
  if (name === null) return
  addFact(facts, 'size', name, `${size} and padding`)
  addFact(facts, 'section', name, `${section.segment},${section.name}`)
}

function addUncovered(facts: Facts, image: Image, section: Section): void {
  const inside = (a: number) => a >= section.address && a < section.address + section.size
  const starts = [...new Set([...image.atomStarts, ...image.symbolStarts, section.address])].filter(inside)
  starts.sort((a, b) => a - b)
  for (let i = 0; i < starts.length; i++) {
    const end = starts[i + 1] ?? section.address + section.size
    const over = atomOver(image, starts[i]!)
    const from = over === null ? starts[i]! : over.start + over.atom.size
    if (from < end) addRange(facts, image, section, from, end)
  }
}

function addLiterals(facts: Facts, image: Image, section: Section): void {
  const place = `${section.segment},${section.name}`
  const order: string[] = []
  const width = literalWidth(section.type)
  for (let at = 0; at < section.size; ) {
    let size = width
    let subject = width > 0 ? labelOf(image, section.address + at) : ''
    if (width === 0) {
      const text = bytesText(image.file.bytes, section.offset + at, section.offset + section.size)
      subject = JSON.stringify(text)
      size = text.length + 1
    }
    at += size
    if (subject === '""') continue
    addFact(facts, 'literal', `${place} ${subject}`, 'present')
    order.push(subject)
  }
  addOrder(facts, `entries of ${place}`, order)
}

/** The indirect symbol of a slot that no entry takes. */
const HOLE = (C.INDIRECT_SYMBOL_LOCAL | C.INDIRECT_SYMBOL_ABS) >>> 0

/** A slot without an entry holds zeros, or the traps of x86_64. */
function isHole(image: Image, section: Section, offset: number, size: number): boolean {
  const bytes = image.file.bytes.subarray(section.offset + offset, section.offset + offset + size)
  return bytes.every((byte) => byte === 0) || bytes.every((byte) => byte === 0xcc)
}

/** Where entries have slots with holes between them their order says nothing: it is compared with none. */
function addPointers(facts: Facts, image: Image, section: Section): void {
  const place = `${section.segment},${section.name}`
  const size = section.type === C.S_SYMBOL_STUBS ? section.reserved2 : 8
  const order: string[] = []
  let holes = 0
  for (let i = 0; (i + 1) * size <= section.size; i++) {
    const address = section.address + i * size
    if (image.file.indirect[section.reserved1 + i] === HOLE && isHole(image, section, i * size, size)) {
      holes++
      continue
    }
    const label = labelOf(image, address)
    const value = image.file.indirect[section.reserved1 + i] ?? -1
    const local = value < 0 || value >= C.INDIRECT_SYMBOL_ABS
    const symbol = local ? hex(value) : (image.file.symbols[value]?.name ?? `symbol ${value}`)
    addFact(facts, 'indirect', `${place} ${label}`, symbol)
    order.push(label)
  }
  addOrder(facts, `entries of ${place}`, holes === 0 ? order : [])
}

// Where each entry of the stub helper jumps to, behind the common part of 16 (x86_64) or 24 (arm64) bytes.
function addHelpers(facts: Facts, image: Image, section: Section): void {
  const { view } = image.file
  const size = image.helperStride
  for (let i = image.arm ? 24 : 16; i + size <= section.size; i += size) {
    const address = section.address + i
    const at = section.offset + i
    if (isHole(image, section, i, size)) continue
    const to = image.arm
      ? directTarget(view.getUint32(at + 4, true), address + 4)
      : address + size + view.getInt32(at + 6, true)
    const text = to === null ? 'no branch' : `${to - section.address}`
    addFact(facts, 'stub helper', labelOf(image, address), text)
  }
}

function addInitializers(facts: Facts, image: Image, section: Section): void {
  const place = `${section.segment},${section.name}`
  const offsets = section.type === C.S_INIT_FUNC_OFFSETS
  const size = offsets ? 4 : 8
  const order: string[] = []
  for (let i = 0; i + size <= section.size; i += size) {
    const label = offsets
      ? labelOf(image, image.base + image.file.view.getUint32(section.offset + i, true))
      : (pointerLabel(image, section.address + i) ?? 'no fixup')
    addFact(facts, 'initializer', `${place} ${label}`, 'present')
    order.push(label)
  }
  addOrder(facts, `entries of ${place}`, order)
}

// ld64.lld's pool of 16, 8 and 4 byte literals does not say where one width ends: compared as its words, sorted.
function addLiteralPool(facts: Facts, image: Image, section: Section): void {
  const words = Buffer.from(image.file.bytes.subarray(section.offset, section.offset + section.size)).toString('hex')
  const order = words.match(/.{8}/g) ?? []
  addOrder(facts, `words of ${section.segment},${section.name}`, order)
  addFact(facts, 'literal', `words of ${section.segment},${section.name}`, [...order].sort().join(' '))
}

/** Facts of contents: kinds section, size, bytes, field, alignment, literal, indirect, order. */
export function addContentFacts(facts: Facts, image: Image): void {
  for (const start of [...image.placed.keys()].sort((a, b) => a - b)) {
    for (const atom of image.placed.get(start)!) addAtom(facts, image, atom, start)
  }
  for (const section of image.file.sections) {
    if (isLiteral(section.type)) addLiterals(facts, image, section)
    else if (section.type === C.S_SYMBOL_STUBS || isPointerSection(section.type)) addPointers(facts, image, section)
    else if (isOrdinary(section)) addUncovered(facts, image, section)
    if (isOrdinary(section)) {
      const inside = image.symbolStarts.filter((a) => a >= section.address && a < section.address + section.size)
      const names = inside.map((a) => nameAt(image, a)!)
      addOrder(facts, `symbols in ${section.segment},${section.name}`, names)
    }
    if (INITIALIZERS.includes(section.type)) addInitializers(facts, image, section)
    if (section.name === '__stub_helper') addHelpers(facts, image, section)
    if (section.name === '__literals') addLiteralPool(facts, image, section)
  }
}
