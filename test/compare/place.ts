import { fieldAddress } from './fields.ts'
import { atomOver, globalAddress, type Image, offsetAt, push, sectionAt } from './image.ts'
import type { Atom, Field, InputObject } from './inputs.ts'
import { isLiteral, isZeroFill } from './machOFile.ts'

// Finds where in an image each input atom went: by name where the name is visible to other files, from there along the
// relocations (a placed atom's fields say where its locals are), at last by the names of local symbols. An atom is put
// at a place only if its bytes are there, but for the fields. What is left over is placed by name alone, so that a
// changed byte shows as one.

const NOP = 0xd503201f

function keepBits(word: number, field: Field): number {
  if (field.kind === 'branch26') return 0xfc000000
  if (field.kind === 'page21') return 0x9f00001f
  if (field.kind === 'pageoff12' && !field.relaxable) return ~(0xfff << 10)
  return field.kind === 'pageoff12' ? 0x1f : word
}

/** True for an arm64 word that a linker optimization hint may have put there. */
export function isHinted(word: number): boolean {
  return word === NOP || (word & 0x9f000000) === 0x10000000 || (word & 0x3b000000) === 0x18000000
}

// A load with an unsigned offset: what a hint leaves of adrp + add + ldr, with the page offset folded in.
function isFoldedLoad(word: number, original: number): boolean {
  return (word & 0x3b000000) === 0x39000000 && (original & 0x3b000000) === 0x39000000
}

function fitsArm(image: Image, atom: Atom, at: number): boolean {
  const bytes = atom.bytes!
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let next = 0
  let offset = 0
  for (; offset + 4 <= bytes.length; offset += 4) {
    while (next < atom.fields.length && atom.fields[next]!.offset + atom.fields[next]!.size <= offset) next++
    const field = atom.fields[next]
    if (field !== undefined && field.offset < offset + 4 && (field.kind === 'abs' || field.kind === 'diff')) continue
    if (field?.kind === 'rel' && field.offset === offset) continue
    const ours = image.file.view.getUint32(at + offset, true)
    const theirs = view.getUint32(offset, true)
    if (ours === theirs) continue
    const mask = field?.offset === offset ? keepBits(0, field) : -1
    if (((ours ^ theirs) & mask) === 0) continue
    if (!isHinted(ours) && !isFoldedLoad(ours, theirs)) return false
  }
  for (; offset < bytes.length; offset++) if (bytes[offset] !== image.file.bytes[at + offset]) return false
  return true
}

function fitsBytes(image: Image, atom: Atom, at: number): boolean {
  const bytes = atom.bytes!
  const there = image.file.bytes
  let from = 0
  for (const field of atom.fields) {
    const opcode = field.relaxable ? field.offset - 2 : -1
    for (; from < field.offset; from++) if (bytes[from] !== there[at + from] && from !== opcode) return false
    from = Math.max(from, field.offset + field.size)
  }
  for (; from < bytes.length; from++) if (bytes[from] !== there[at + from]) return false
  return true
}

/** True if the atom's bytes, less its fields, are at `address`; `force` asks only that there is room. */
export function fits(image: Image, atom: Atom, address: number, force = false): boolean {
  const section = sectionAt(image, address)
  if (section === null) return atom.size === 0
  if (address + atom.size > section.address + section.size || isLiteral(section.type)) return false
  const zero = isZeroFill(section.type)
  if (atom.bytes === null || zero) return zero && atom.bytes === null
  if (force) return true
  const at = offsetAt(image, address)
  const code = (atom.section.flags & 0x80000400) !== 0
  return atom.arm && code ? fitsArm(image, atom, at) : fitsBytes(image, atom, at)
}

/** True if `address` has the alignment that the atom has in its object: its section's, or what its offset leaves of it. */
export function isAligned(atom: Atom, address: number): boolean {
  let align = 2 ** Math.min(atom.section.align, 16)
  while (atom.address % align !== 0) align /= 2
  return address % align === 0
}

function isPrivate(name: string): boolean {
  return name.startsWith('l') || name.startsWith('L')
}

// A local symbol that an image keeps must be there by its name.
function namesFit(image: Image, atom: Atom, address: number): boolean {
  for (const s of atom.symbols) {
    if (isPrivate(s.name) || s.offset !== 0) continue
    const all = image.defined.get(s.name)
    if (all !== undefined && !all.some((d) => d.value === address)) return false
  }
  return true
}

function setPlace(image: Image, atom: Atom, address: number, work: Atom[]): void {
  image.addressOf.set(atom, address)
  push(image.placed, address, atom)
  work.push(atom)
}

function placeGlobals(image: Image, objects: InputObject[], work: Atom[]): void {
  const candidates = new Map<string, { atom: Atom; offset: number }[]>()
  for (const object of objects) {
    for (const atom of object.atoms.flat()) {
      for (const s of atom.symbols) if (s.global) push(candidates, s.name, { atom, offset: s.offset })
    }
  }
  for (const [name, list] of candidates) {
    const address = globalAddress(image, name)
    if (address === null) continue
    const fitting = list.filter((c) => fits(image, c.atom, address - c.offset))
    const chosen = fitting.find((c) => isAligned(c.atom, address - c.offset)) ?? fitting[0] ?? list[0]!
    const start = address - chosen.offset
    if (image.addressOf.has(chosen.atom) || !fits(image, chosen.atom, start, true)) continue
    setPlace(image, chosen.atom, start, work)
  }
}

function follow(image: Image, work: Atom[], force: boolean): void {
  for (let atom = work.pop(); atom !== undefined; atom = work.pop()) {
    const start = image.addressOf.get(atom)!
    for (let i = 0; i < atom.fields.length; i++) {
      const { target } = atom.fields[i]!
      if (target.atom === null || image.addressOf.has(target.atom)) continue
      const address = fieldAddress(image, atom, start, i)
      if (address === null) continue
      const at = address - target.delta
      if (!fits(image, target.atom, at, force) || !namesFit(image, target.atom, at)) continue
      if (force && atomOver(image, at) !== null) continue
      setPlace(image, target.atom, at, work)
    }
  }
}

// Local symbols that nothing refers to: the first of the places of that name that no atom of the name has yet.
function placeLocals(image: Image, objects: InputObject[], work: Atom[], force: boolean): void {
  for (const object of objects) {
    for (const atom of object.atoms.flat()) {
      if (image.addressOf.has(atom)) continue
      for (const s of atom.symbols) {
        if (s.global || isPrivate(s.name)) continue
        const free = (image.defined.get(s.name) ?? []).filter((d) => !image.placed.has(d.value - s.offset))
        const found = free.find((d) => fits(image, atom, d.value - s.offset, force))
        if (found === undefined) continue
        setPlace(image, atom, found.value - s.offset, work)
        break
      }
      follow(image, work, force)
    }
  }
}

// Right behind, aligned, and behind the room that a padded layout leaves a block of that size.
function placesBehind(at: number, align: number, size: number): number[] {
  const places = [at]
  const aligned = Math.ceil(at / align) * align
  for (let place = aligned; place <= aligned + size / 8 + 16; place += align) places.push(place)
  return places
}

// Atoms without a name in the image and without a reference: behind their predecessor in the object's section.
function placeNeighbours(image: Image, objects: InputObject[], work: Atom[]): void {
  for (const object of objects) {
    for (const atoms of object.atoms) {
      for (let i = 0; i < (atoms?.length ?? 0); i++) {
        const atom = atoms[i]!
        const before = i === 0 ? undefined : image.addressOf.get(atoms[i - 1]!)
        if (before === undefined || image.addressOf.has(atom) || atom.symbols.some((s) => s.global)) continue
        const align = 2 ** Math.min(atom.section.align, 12)
        const at = before + atoms[i - 1]!.size
        for (const place of placesBehind(at, align, atoms[i - 1]!.size)) {
          if (image.placed.has(place) || !fits(image, atom, place) || !namesFit(image, atom, place)) continue
          setPlace(image, atom, place, work)
          break
        }
      }
    }
  }
  follow(image, work, false)
}

function indexStarts(image: Image): void {
  for (const atoms of image.placed.values()) atoms.sort((a, b) => b.size - a.size || (a.id < b.id ? -1 : 1))
  const sized = [...image.placed].filter(([, atoms]) => atoms.some((a) => a.size > 0))
  image.atomStarts = sized.map(([start]) => start).sort((a, b) => a - b)
}

/** Fills `placed`, `addressOf` and `atomStarts` of an image from the objects it was linked from. */
export function placeInputs(image: Image, objects: InputObject[]): void {
  const work: Atom[] = []
  placeGlobals(image, objects, work)
  follow(image, work, false)
  placeLocals(image, objects, work, false)
  placeNeighbours(image, objects, work)
  indexStarts(image)
  placeLocals(image, objects, work, true)
  work.push(...image.addressOf.keys())
  follow(image, work, true)
  indexStarts(image)
}
