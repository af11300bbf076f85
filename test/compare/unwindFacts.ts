import * as C from '../../src/formats/macho/constants.ts'
import { type Cursor, cursorOver, nextByte, nextSleb, nextText, nextUleb } from './cursor.ts'
import { addFact, type Facts } from './facts.ts'
import { hex, type Image, labelOf, lastUpTo, nameAt } from './image.ts'
import type { Section } from './machOFile.ts'

// __unwind_info (<mach-o/compact_unwind_encoding.h>) looked up function by function, as the unwinder does, and
// __eh_frame as function -> frame description.

interface UnwindTable {
  functions: number[]
  encodings: number[]
  lsdas: Map<number, number>
  personalities: number[]
}

const UNWIND_HAS_LSDA = 0x40000000

function readCompressed(image: Image, page: number, from: number, common: number[], into: UnwindTable): void {
  const { view } = image.file
  const entries = page + view.getUint16(page + 4, true)
  const own = page + view.getUint16(page + 8, true)
  for (let i = 0, count = view.getUint16(page + 6, true); i < count; i++) {
    const word = view.getUint32(entries + i * 4, true)
    const index = word >>> 24
    into.functions.push(image.base + from + (word & 0xffffff))
    into.encodings.push(common[index] ?? view.getUint32(own + (index - common.length) * 4, true))
  }
}

function readRegular(image: Image, page: number, into: UnwindTable): void {
  const { view } = image.file
  const entries = page + view.getUint16(page + 4, true)
  for (let i = 0, count = view.getUint16(page + 6, true); i < count; i++) {
    into.functions.push(image.base + view.getUint32(entries + i * 8, true))
    into.encodings.push(view.getUint32(entries + i * 8 + 4, true))
  }
}

function readUnwind(image: Image, section: Section): UnwindTable {
  const { view } = image.file
  const start = section.offset
  const word = (offset: number) => view.getUint32(start + offset, true)
  const list = (offset: number, count: number) => Array.from({ length: count }, (_, i) => word(offset + i * 4))
  const table: UnwindTable = { functions: [], encodings: [], lsdas: new Map(), personalities: [] }
  if (word(0) !== 1) throw new Error(`__unwind_info version ${word(0)}`)
  const common = list(word(4), word(8))
  table.personalities = list(word(12), word(16)).map((offset) => image.base + offset)
  const index = word(20)
  const count = word(24)
  for (let i = 0; i < count; i++) {
    const entry = index + i * 12
    const page = word(entry + 4)
    if (page === 0) {
      table.functions.push(image.base + word(entry))
      table.encodings.push(0)
      continue
    }
    const kind = word(page)
    if (kind === 2) readRegular(image, start + page, table)
    else if (kind === 3) readCompressed(image, start + page, word(entry), common, table)
    else throw new Error(`unwind page kind ${kind}`)
  }
  if (count > 0) {
    const end = word(index + (count - 1) * 12 + 8)
    for (let at = word(index + 8); at < end; at += 8) table.lsdas.set(image.base + word(at), image.base + word(at + 4))
  }
  return table
}

function encodingText(image: Image, table: UnwindTable, at: number, frames: Map<number, string>): string {
  const encoding = table.encodings[at]!
  const mode = (encoding >>> 24) & 15
  const dwarf = mode === (image.arm ? 3 : 4)
  const personality = (encoding >>> 28) & 3
  const parts = [hex((encoding & (dwarf ? 0x0f000000 : 0x8fffffff)) >>> 0)]
  if (dwarf) parts.push(`frame of ${frames.get(encoding & 0xffffff) ?? 'nothing'}`)
  if (personality > 0) parts.push(`personality ${labelOf(image, table.personalities[personality - 1] ?? 0)}`)
  if (encoding & UNWIND_HAS_LSDA) {
    const lsda = table.lsdas.get(table.functions[at]!)
    parts.push(`lsda ${lsda === undefined ? 'missing' : labelOf(image, lsda)}`)
  }
  return parts.join(', ')
}

interface Cie {
  text: string
  pointerEncoding: number
  lsdaEncoding: number
  augmented: boolean
}

function encodedAddress(image: Image, section: Section, c: Cursor, encoding: number): number {
  const address = section.address + c.at - section.offset
  const form = encoding & 15
  const wide = form === 0 || form === 4 || form === 12
  const value = wide ? Number(c.view.getBigInt64(c.at, true)) : c.view.getInt32(c.at, true)
  c.at += wide ? 8 : 4
  if ((encoding & 0x70) !== 0x10) {
    const rebased = image.fixups.rebases.get(address)
    return rebased ?? value
  }
  return value === 0 ? 0 : address + value
}

const rest = (c: Cursor) =>
  Buffer.from(c.bytes.subarray(c.at, c.end))
    .toString('hex')
    .replace(/(00)+$/, '')

function readCie(image: Image, section: Section, c: Cursor): Cie {
  const version = nextByte(c)
  const augmentation = nextText(c)
  const numbers = [Number(nextUleb(c)), nextSleb(c), Number(nextUleb(c))].join(' ')
  const cie: Cie = { text: '', pointerEncoding: 0, lsdaEncoding: 0xff, augmented: augmentation.startsWith('z') }
  let personality = ''
  if (cie.augmented) nextUleb(c)
  for (const letter of augmentation) {
    if (letter === 'P') {
      const encoding = nextByte(c)
      personality = `${hex(encoding)} ${labelOf(image, encodedAddress(image, section, c, encoding))}`
    } else if (letter === 'L') cie.lsdaEncoding = nextByte(c)
    else if (letter === 'R') cie.pointerEncoding = nextByte(c)
  }
  const encodings = `${hex(cie.pointerEncoding)} ${hex(cie.lsdaEncoding)}`
  cie.text = `cie ${version} ${augmentation} ${numbers} [${personality}] ${encodings} ${rest(c)}`
  return cie
}

function readFde(image: Image, section: Section, c: Cursor, cie: Cie): { name: string; text: string } {
  const name = labelOf(image, encodedAddress(image, section, c, cie.pointerEncoding))
  const range = encodedAddress(image, section, c, cie.pointerEncoding & 15)
  let lsda = ''
  if (cie.augmented) {
    const size = Number(nextUleb(c))
    const end = c.at + size
    if (cie.lsdaEncoding !== 0xff && size > 0) {
      const address = encodedAddress(image, section, c, cie.lsdaEncoding)
      lsda = address === 0 ? ' no lsda' : ` lsda ${labelOf(image, address)}`
    }
    c.at = end
  }
  return { name, text: `${cie.text}; ${range} bytes${lsda}; ${rest(c)}` }
}

function addFrames(facts: Facts, image: Image, section: Section): Map<number, string> {
  const names = new Map<number, string>()
  const cies = new Map<number, Cie>()
  const end = section.offset + section.size
  for (let at = section.offset; at + 4 <= end; ) {
    const length = image.file.view.getUint32(at, true)
    if (length === 0) break
    const c = cursorOver(image.file.bytes, at + 8, at + 4 + length)
    const id = image.file.view.getUint32(at + 4, true)
    if (id === 0) cies.set(at, readCie(image, section, c))
    else {
      const cie = cies.get(at + 4 - id)
      if (cie === undefined) throw new Error(`__eh_frame entry at ${at} has no cie`)
      const { name, text } = readFde(image, section, c, cie)
      names.set(at - section.offset, name)
      addFact(facts, 'frame', name, text)
    }
    at += 4 + length
  }
  return names
}

/** Facts of unwinding: kinds unwind and frame. */
export function addUnwindFacts(facts: Facts, image: Image): void {
  const find = (name: string) => image.file.sections.find((s) => s.segment === '__TEXT' && s.name === name)
  const frameSection = find('__eh_frame')
  const frames = frameSection === undefined ? new Map() : addFrames(facts, image, frameSection)
  const section = find('__unwind_info')
  if (section === undefined) return
  const table = readUnwind(image, section)
  for (let i = 1; i < table.functions.length; i++) {
    if (table.functions[i]! < table.functions[i - 1]!) addFact(facts, 'unwind', 'order of functions', 'not ascending')
  }
  const code = image.file.sections.filter((s) => s.flags & C.S_ATTR_PURE_INSTRUCTIONS && s.type === C.S_REGULAR)
  for (const start of new Set([...image.atomStarts, ...image.symbolStarts])) {
    const inside = code.some((s) => s.name !== '__stub_helper' && start >= s.address && start < s.address + s.size)
    if (!inside) continue
    const at = lastUpTo(table.functions, start)
    const texts = at < 0 ? ['none'] : [encodingText(image, table, at, frames)]
    for (let i = at - 1; i >= 0 && table.functions[i] === start; i--) texts.push(encodingText(image, table, i, frames))
    addFact(facts, 'unwind', nameAt(image, start)!, texts.join(' before it '))
  }
}
