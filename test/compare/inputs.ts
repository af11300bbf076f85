import * as C from '../../src/formats/macho/constants.ts'
import {
  isLiteral,
  isMachO,
  isZeroFill,
  literalWidth,
  type MachO,
  type MachSymbol,
  readMachO,
  type Section,
} from './machOFile.ts'

// The input objects as atoms (ld64's word: what a symbol begins, in a file with MH_SUBSECTIONS_VIA_SYMBOLS), each with
// the fields that the linker fills in. The fields are what two images of different layout may differ in.

export interface InputFile {
  name: string
  bytes: Uint8Array
}

// What a relocation points at: a symbol other files can see, or a place in an atom of the same object. `literal` is the
// width of the literal it points at, or 0.
export interface Target {
  name: string | null
  atom: Atom | null
  delta: number
  literal: number
}

export type FieldKind = 'abs' | 'diff' | 'rel' | 'branch26' | 'page21' | 'pageoff12'

export interface Field {
  offset: number
  size: number
  kind: FieldKind
  got: boolean
  relaxable: boolean
  bias: number
  target: Target
  minus: Target | null
  key: string
}

export interface AtomSymbol {
  name: string
  offset: number
  global: boolean
}

export interface Atom {
  object: string
  id: string
  section: Section
  address: number
  size: number
  bytes: Uint8Array | null
  symbols: AtomSymbol[]
  fields: Field[]
  arm: boolean
}

export interface InputObject {
  name: string
  file: MachO
  atoms: Atom[][]
}

function memberName(bytes: Uint8Array, at: number): { name: string; skip: number } {
  const text = new TextDecoder().decode(bytes.subarray(at, at + 16)).trimEnd()
  if (!text.startsWith('#1/')) return { name: text.replace(/\/$/, ''), skip: 0 }
  const skip = Number.parseInt(text.slice(3), 10)
  const long = new TextDecoder().decode(bytes.subarray(at + 60, at + 60 + skip))
  return { name: long.replace(/\0.*$/s, ''), skip }
}

/** The objects of an archive (BSD and plain member names), or the file itself when it is no archive. */
export function membersOf(input: InputFile): InputFile[] {
  const { bytes } = input
  const base = input.name.replace(/^.*\//, '')
  if (new TextDecoder().decode(bytes.subarray(0, 8)) !== '!<arch>\n') return [{ name: base, bytes }]
  const members: InputFile[] = []
  for (let at = 8; at + 60 <= bytes.length; ) {
    const size = Number.parseInt(new TextDecoder().decode(bytes.subarray(at + 48, at + 58)), 10)
    if (!(size >= 0)) throw new Error(`archive member at ${at} of ${input.name} has no size`)
    const { name, skip } = memberName(bytes, at)
    members.push({ name: `${base}(${name})`, bytes: bytes.slice(at + 60 + skip, at + 60 + size) })
    at += 60 + size + (size & 1)
  }
  return members
}

function isPrivate(name: string): boolean {
  return name.startsWith('l') || name.startsWith('L')
}

function wanted(section: Section): boolean {
  if (section.flags & C.S_ATTR_DEBUG || section.segment === '__LD' || section.segment === '__DWARF') return false
  if (section.type === C.S_MOD_INIT_FUNC_POINTERS || section.type === C.S_MOD_TERM_FUNC_POINTERS) return false
  return section.name !== '__eh_frame' && section.segment !== '__LLVM' && !isLiteral(section.type)
}

function nameAtom(atom: Atom): string {
  const first = atom.symbols.filter((s) => s.offset === 0)
  const global = first.find((s) => s.global)
  if (global !== undefined) return global.name
  const local = first.find((s) => !isPrivate(s.name))
  if (local !== undefined) return `${local.name}@${atom.object}`
  const place = first[0]?.name ?? `+${atom.address - atom.section.address}`
  return `${atom.section.segment},${atom.section.name}:${place}@${atom.object}`
}

function cutSection(object: InputObject, section: Section, symbols: MachSymbol[]): Atom[] {
  const { file } = object
  const starts = new Set([section.address])
  if (file.flags & C.MH_SUBSECTIONS_VIA_SYMBOLS) {
    for (const s of symbols) if (!(s.desc & C.N_ALT_ENTRY)) starts.add(s.value)
  }
  const sorted = [...starts].sort((a, b) => a - b)
  return sorted.map((address, i) => {
    const size = (sorted[i + 1] ?? section.address + section.size) - address
    const from = section.offset + address - section.address
    const bytes = isZeroFill(section.type) ? null : file.bytes.subarray(from, from + size)
    const arm = file.cpu === C.CPU_TYPE_ARM64
    return { object: object.name, id: '', section, address, size, bytes, symbols: [], fields: [], arm }
  })
}

function nameAtoms(atoms: Atom[], symbols: MachSymbol[]): void {
  for (const s of symbols) {
    const atom = atomAt(atoms, s.value)
    atom?.symbols.push({ name: s.name, offset: s.value - atom.address, global: (s.type & C.N_EXT) !== 0 })
  }
  for (const atom of atoms) atom.id = nameAtom(atom)
}

function atomAt(atoms: Atom[], address: number): Atom | null {
  let low = 0
  let high = atoms.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (atoms[middle]!.address <= address) low = middle
    else high = middle - 1
  }
  return atoms[low] ?? null
}

function targetInSection(object: InputObject, sect: number, address: number): Target {
  const atom = atomAt(object.atoms[sect] ?? [], address)
  const literal = literalWidth(object.file.sections[sect - 1]?.type ?? 0)
  return { name: null, atom, delta: atom === null ? 0 : address - atom.address, literal }
}

function targetOfSymbol(object: InputObject, index: number, addend: number): Target {
  const s = object.file.symbols[index]
  if (s === undefined) throw new Error(`relocation against symbol ${index} in ${object.name}`)
  const type = s.type & C.N_TYPE
  if (s.type & C.N_EXT || type !== C.N_SECT) return { name: s.name, atom: null, delta: addend, literal: 0 }
  const target = targetInSection(object, s.sect, s.value)
  return { ...target, delta: target.delta + addend }
}

interface Relocation {
  address: number
  symbol: number
  pcrel: boolean
  length: number
  external: boolean
  type: number
}

function relocationsOf(file: MachO, section: Section): Relocation[] {
  const found: Relocation[] = []
  for (let i = 0; i < section.relocCount; i++) {
    const word = file.view.getUint32(section.relocOffset + i * 8 + 4, true)
    found.push({
      address: file.view.getInt32(section.relocOffset + i * 8, true),
      symbol: word & 0xffffff,
      pcrel: ((word >>> 24) & 1) !== 0,
      length: (word >>> 25) & 3,
      external: ((word >>> 27) & 1) !== 0,
      type: word >>> 28,
    })
  }
  return found
}

function stored(file: MachO, at: number, size: number): number {
  if (size === 8) return Number(file.view.getBigInt64(at, true))
  return size === 4 ? file.view.getInt32(at, true) : file.bytes[at]!
}

const BIAS: Record<number, number> = {
  [C.X86_64_RELOC_SIGNED_1]: 1,
  [C.X86_64_RELOC_SIGNED_2]: 2,
  [C.X86_64_RELOC_SIGNED_4]: 4,
}

function x86Kind(r: Relocation): Pick<Field, 'kind' | 'got' | 'relaxable' | 'bias'> {
  const got = r.type === C.X86_64_RELOC_GOT_LOAD || r.type === C.X86_64_RELOC_GOT || r.type === C.X86_64_RELOC_TLV
  const relaxable = r.type === C.X86_64_RELOC_GOT_LOAD || r.type === C.X86_64_RELOC_TLV
  return { kind: r.pcrel ? 'rel' : 'abs', got, relaxable, bias: (1 << r.length) + (BIAS[r.type] ?? 0) }
}

function armKind(r: Relocation): Pick<Field, 'kind' | 'got' | 'relaxable' | 'bias'> {
  const plain = { got: false, relaxable: false, bias: 0 }
  switch (r.type) {
    case C.ARM64_RELOC_BRANCH26:
      return { ...plain, kind: 'branch26' }
    case C.ARM64_RELOC_PAGE21:
      return { ...plain, kind: 'page21' }
    case C.ARM64_RELOC_PAGEOFF12:
      return { ...plain, kind: 'pageoff12' }
    case C.ARM64_RELOC_GOT_LOAD_PAGE21:
    case C.ARM64_RELOC_TLVP_LOAD_PAGE21:
      return { kind: 'page21', got: true, relaxable: true, bias: 0 }
    case C.ARM64_RELOC_GOT_LOAD_PAGEOFF12:
    case C.ARM64_RELOC_TLVP_LOAD_PAGEOFF12:
      return { kind: 'pageoff12', got: true, relaxable: true, bias: 0 }
    case C.ARM64_RELOC_POINTER_TO_GOT:
      return { kind: r.pcrel ? 'rel' : 'abs', got: true, relaxable: false, bias: 0 }
  }
  return { ...plain, kind: 'abs' }
}

function fieldTarget(object: InputObject, section: Section, r: Relocation, shape: { bias: number }, addend: number) {
  const arm = object.file.cpu === C.CPU_TYPE_ARM64
  const size = 1 << r.length
  const unsigned = r.type === 0
  const content = stored(object.file, section.offset + r.address, size)
  if (r.external) {
    const inline = arm ? (unsigned ? content : addend) : content + (r.pcrel ? shape.bias - size : 0)
    return targetOfSymbol(object, r.symbol, inline)
  }
  if (r.symbol === 0) return { name: null, atom: null, delta: content, literal: 0 }
  const from = r.pcrel ? section.address + r.address + shape.bias : 0
  return targetInSection(object, r.symbol, unsigned || !arm ? content + from : addend)
}

function readFields(object: InputObject, section: Section): void {
  const arm = object.file.cpu === C.CPU_TYPE_ARM64
  let addend = 0
  let minus: Target | null = null
  for (const r of relocationsOf(object.file, section)) {
    if (arm && r.type === C.ARM64_RELOC_ADDEND) {
      addend = (r.symbol << 8) >> 8
      continue
    }
    if (r.type === (arm ? C.ARM64_RELOC_SUBTRACTOR : C.X86_64_RELOC_SUBTRACTOR)) {
      minus = r.external ? targetOfSymbol(object, r.symbol, 0) : targetInSection(object, r.symbol, 0)
      continue
    }
    const shape = arm ? armKind(r) : x86Kind(r)
    const target = fieldTarget(object, section, r, shape, addend)
    const address = section.address + r.address
    const atom = atomAt(object.atoms[section.index]!, address)
    const key = `${target.name} ${target.atom?.id} ${target.delta} ${shape.got}`
    const kind = minus === null ? shape.kind : 'diff'
    const offset = address - (atom?.address ?? 0)
    atom?.fields.push({ ...shape, offset, size: 1 << r.length, kind, target, minus, key })
    addend = 0
    minus = null
  }
  for (const atom of object.atoms[section.index]!) atom.fields.sort((a, b) => a.offset - b.offset)
}

function readObject(name: string, bytes: Uint8Array): InputObject {
  const object: InputObject = { name, file: readMachO(bytes), atoms: [] }
  const inSection: MachSymbol[][] = object.file.sections.map(() => [])
  for (const s of object.file.symbols) {
    if ((s.type & C.N_STAB) === 0 && (s.type & C.N_TYPE) === C.N_SECT) inSection[s.sect - 1]?.push(s)
  }
  const sections = object.file.sections.filter(wanted)
  for (const s of sections) {
    object.atoms[s.index] = cutSection(object, s, inSection[s.index - 1]!)
    nameAtoms(object.atoms[s.index]!, inSection[s.index - 1]!)
  }
  for (const s of sections) if (!isZeroFill(s.type)) readFields(object, s)
  return object
}

/** All Mach-O objects among the inputs and their archive members, in order; names are basenames, made unique with #n. */
export function readInputs(inputs: InputFile[], cpu: number): InputObject[] {
  const seen = new Map<string, number>()
  const objects: InputObject[] = []
  for (const member of inputs.flatMap(membersOf)) {
    if (!isMachO(member.bytes)) continue
    const count = (seen.get(member.name) ?? 0) + 1
    seen.set(member.name, count)
    const object = readObject(count === 1 ? member.name : `${member.name}#${count}`, member.bytes)
    if (object.file.filetype === C.MH_OBJECT && object.file.cpu === cpu) objects.push(object)
  }
  return objects
}
