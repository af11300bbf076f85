import * as C from '../../src/formats/macho/constants.ts'
import { type Bind, decodeFixups, type Fixups } from './fixups.ts'
import type { Atom } from './inputs.ts'
import {
  bytesText,
  findCommand,
  isLiteral,
  isZeroFill,
  literalWidth,
  type MachO,
  type MachSymbol,
  readMachO,
  type Section,
  textAt,
  u64,
} from './machOFile.ts'

// A linked image with what is needed to say what an address is. `placed` maps the start of each input atom that was
// found in the image; place.ts fills it.

export interface Dylib {
  path: string
  cmd: number
  timestamp: number
  current: number
  compatibility: number
}

export interface Image {
  file: MachO
  arm: boolean
  base: number
  fixups: Fixups
  dylibs: Dylib[]
  defined: Map<string, MachSymbol[]>
  atAddress: Map<number, MachSymbol[]>
  symbolStarts: number[]
  placed: Map<number, Atom[]>
  addressOf: Map<Atom, number>
  atomStarts: number[]
  helperStride: number
  labels: Map<number, string>
}

function readDylibs(file: MachO): Dylib[] {
  const kinds = [C.LC_LOAD_DYLIB, C.LC_LOAD_WEAK_DYLIB, C.LC_REEXPORT_DYLIB, C.LC_LOAD_UPWARD_DYLIB]
  return file.commands
    .filter((c) => kinds.includes(c.cmd))
    .map(({ cmd, offset, size }) => ({
      cmd,
      path: textAt(file.bytes, offset + file.view.getUint32(offset + 8, true), offset + size),
      timestamp: file.view.getUint32(offset + 12, true),
      current: file.view.getUint32(offset + 16, true),
      compatibility: file.view.getUint32(offset + 20, true),
    }))
}

/** Reads an image; nothing is placed yet. Throws if it is not a 64-bit Mach-O or its dyld info is damaged. */
export function readImage(bytes: Uint8Array): Image {
  const file = readMachO(bytes)
  const arm = file.cpu === C.CPU_TYPE_ARM64
  const image: Image = {
    file,
    arm,
    base: file.segments.find((s) => s.name === '__TEXT')?.address ?? 0,
    fixups: decodeFixups(file),
    dylibs: readDylibs(file),
    defined: new Map(),
    atAddress: new Map(),
    symbolStarts: [],
    placed: new Map(),
    addressOf: new Map(),
    atomStarts: [],
    helperStride: arm ? 12 : 10,
    labels: new Map(),
  }
  for (const s of file.symbols) {
    if (s.type & C.N_STAB || (s.type & C.N_TYPE) !== C.N_SECT) continue
    push(image.defined, s.name, s)
    push(image.atAddress, s.value, s)
  }
  image.symbolStarts = [...image.atAddress.keys()].sort((a, b) => a - b)
  return image
}

export function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

/** Where a symbol that other files can see is: the external definition, or the only local one. */
export function globalAddress(image: Image, name: string): number | null {
  const all = image.defined.get(name) ?? []
  const external = all.find((s) => s.type & C.N_EXT)
  if (external !== undefined) return external.value
  return all.length === 1 || all.some((s) => s.type & C.N_PEXT) ? all[0]!.value : null
}

export function sectionAt(image: Image, address: number): Section | null {
  for (const s of image.file.sections) if (address >= s.address && address < s.address + s.size) return s
  return null
}

/** File offset of an address, or -1 where the image has no bytes. */
export function offsetAt(image: Image, address: number): number {
  const s = sectionAt(image, address)
  return s === null || isZeroFill(s.type) ? -1 : s.offset + address - s.address
}

/** The last of the sorted `starts` that is at most `address`, or -1. */
export function lastUpTo(starts: number[], address: number): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (starts[middle]! <= address) low = middle + 1
    else high = middle
  }
  return low - 1
}

export function libraryName(image: Image, ordinal: number): string {
  const special: Record<number, string> = { 0: 'self', [-1]: 'main-executable', [-2]: 'flat', [-3]: 'weak' }
  return special[ordinal] ?? image.dylibs[ordinal - 1]?.path ?? `ordinal ${ordinal}`
}

export const hex = (n: number) => `0x${n.toString(16)}`
const plus = (n: number) => (n === 0 ? '' : n > 0 ? `+${n}` : `${n}`)

function bindText(image: Image, bind: Bind, how: string): string {
  const weak = bind.weakImport ? ' weak-import' : ''
  return `${how} ${libraryName(image, bind.ordinal)} ${bind.name}${plus(bind.addend)}${weak}`
}

/** What dyld will store at `address`: each fixup there, or null. */
export function pointerLabel(image: Image, address: number, depth = 0): string | null {
  const { rebases, binds, weakBinds, lazyBinds } = image.fixups
  const parts: string[] = []
  const bind = binds.get(address)
  if (bind !== undefined) parts.push(bindText(image, bind, 'bind'))
  const weak = weakBinds.get(address)
  if (weak !== undefined) parts.push(`weak-bind ${weak.name}${plus(weak.addend)}`)
  const lazy = lazyBinds.get(address)
  if (lazy !== undefined) parts.push(bindText(image, lazy, 'lazy-bind'))
  const target = rebases.get(address)
  const top = image.fixups.tops.get(address)
  const high = top === undefined ? '' : ` top byte ${hex(top)}`
  // A bind is done after all rebases, over what they left: ld64.lld writes both for what may be interposed.
  if (target !== undefined && bind === undefined) parts.push(`rebase ${labelOf(image, target, depth + 1)}${high}`)
  return parts.length === 0 ? null : parts.join(' | ')
}

// x86_64: jmp *disp(%rip). arm64: adrp x16; ldr x16, [x16, #off]; br x16, or adr x16; nop where a hint was applied.
function stubPointer(image: Image, stub: number): number | null {
  const at = offsetAt(image, stub)
  const { view } = image.file
  if (!image.arm) return view.getUint16(at, true) === 0x25ff ? stub + 6 + view.getInt32(at + 2, true) : null
  const page = view.getUint32(at, true)
  const load = view.getUint32(at + 4, true)
  if ((page & 0x9f00001f) >>> 0 !== 0x90000010 || (load & 0xffc003ff) >>> 0 !== 0xf9400210) return null
  if (view.getUint32(at + 8, true) !== 0xd61f0200) return null
  return adrpPage(page, stub) + ((load >>> 10) & 0xfff) * 8
}

/** The page an ADRP at `address` computes. */
export function adrpPage(word: number, address: number): number {
  const pages = (((word >>> 5) & 0x7ffff) << 13) >> 11
  return Math.floor(address / 4096) * 4096 + (pages | ((word >>> 29) & 3)) * 4096
}

// Stub helper entries. x86_64: push imm32; jmp. arm64: ldr w16, 8; b; .long offset.
function helperLabel(image: Image, section: Section, address: number): string {
  const at = offsetAt(image, address)
  const { view } = image.file
  const isEntry = image.arm ? view.getUint32(at, true) === 0x18000050 : image.file.bytes[at] === 0x68
  if (!isEntry) return `stub-helper+${address - section.address}`
  const bind = image.fixups.lazyAt.get(view.getUint32(at + (image.arm ? 8 : 1), true))
  return bind === undefined ? 'stub-helper of nothing' : `stub-helper(${bindText(image, bind, 'lazy-bind')})`
}

function literalLabel(image: Image, section: Section, address: number): string {
  const at = offsetAt(image, address)
  if (section.type === C.S_CSTRING_LITERALS) {
    return JSON.stringify(bytesText(image.file.bytes, at, section.offset + section.size))
  }
  return fixedLiteralLabel(image, section, address, literalWidth(section.type))
}

/** A literal of `width` bytes by its content. */
export function fixedLiteralLabel(image: Image, section: Section, address: number, width: number): string {
  const at = offsetAt(image, address)
  const into = (address - section.address) % width
  const bytes = image.file.bytes.subarray(at - into, at - into + width)
  return `literal ${Buffer.from(bytes).toString('hex')}${plus(into)}`
}

export function isPointerSection(type: number): boolean {
  return (
    type === C.S_NON_LAZY_SYMBOL_POINTERS ||
    type === C.S_LAZY_SYMBOL_POINTERS ||
    type === C.S_THREAD_LOCAL_VARIABLE_POINTERS
  )
}

function syntheticLabel(image: Image, section: Section, address: number, depth: number): string | null {
  if (isLiteral(section.type)) return literalLabel(image, section, address)
  if (section.type === C.S_SYMBOL_STUBS) {
    const pointer = stubPointer(image, address)
    return `stub(${pointer === null ? `+${address - section.address}` : labelOf(image, pointer, depth + 1)})`
  }
  if (isPointerSection(section.type)) {
    return `${section.name}(${pointerLabel(image, address, depth + 1) ?? 'no fixup'})`
  }
  return section.name === '__stub_helper' ? helperLabel(image, section, address) : null
}

/** The name of an atom start or symbol exactly at an address: an external symbol if there is one, else the atom's id. */
export function nameAt(image: Image, address: number): string | null {
  const symbols = image.atAddress.get(address) ?? []
  const global = symbols.filter((s) => s.type & (C.N_EXT | C.N_PEXT)).map((s) => s.name)
  if (global.length > 0) return global.sort()[0]!
  const atoms = image.placed.get(address) ?? []
  if (atoms.length > 0) return atoms.map((a) => a.id).sort()[0]!
  return symbols.length === 0 ? null : symbols.map((s) => s.name).sort()[0]!
}

/** The placed atom whose bytes hold `address`, or null. */
export function atomOver(image: Image, address: number): { atom: Atom; start: number } | null {
  const start = image.atomStarts[lastUpTo(image.atomStarts, address)]
  if (start === undefined) return null
  for (const atom of image.placed.get(start)!) if (address < start + atom.size) return { atom, start }
  return null
}

function ordinaryLabel(image: Image, section: Section, address: number): string {
  const exact = nameAt(image, address)
  if (exact !== null) return exact
  const over = atomOver(image, address)
  const symbol = image.symbolStarts[lastUpTo(image.symbolStarts, address)] ?? -1
  const start = Math.max(over?.start ?? -1, symbol)
  if (start < section.address) return `${section.segment},${section.name}+${address - section.address}`
  return `${nameAt(image, start)}+${address - start}`
}

/** What an address is: symbol + addend, the content of a string or literal, or what a stub or pointer slot leads to. */
export function labelOf(image: Image, address: number, depth = 0): string {
  if (depth > 6) return '...'
  const known = image.labels.get(address)
  if (known !== undefined) return known
  const section = sectionAt(image, address)
  let label: string
  if (section === null) {
    const segment = image.file.segments.find((s) => address >= s.address && address < s.address + s.size)
    const end = image.file.sections.find((s) => s.address + s.size === address)
    if (end !== undefined) label = `end of ${end.segment},${end.name}`
    else if (segment !== undefined) label = `${segment.name}+${hex(address - segment.address)}`
    else label = hex(address)
  } else label = syntheticLabel(image, section, address, depth) ?? ordinaryLabel(image, section, address)
  if (depth === 0 && image.atomStarts.length > 0) image.labels.set(address, label)
  return label
}

/** The entry address of LC_MAIN, or null. */
export function entryAddress(image: Image): number | null {
  const main = findCommand(image.file, C.LC_MAIN)
  return main === undefined ? null : image.base + u64(image.file.view, main.offset + 8)
}
