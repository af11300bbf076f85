import { type Image, nameAt, push, sectionAt } from './image.ts'
import type { Atom, InputObject } from './inputs.ts'

// Where the objects of a link stand in two images. ld64.lld takes archive members in the order in which it came to need
// them; another linker may take them in the archive's. All other objects stand in the order of the command line.

export interface Members {
  // Members of archives stand in another order in the two images, and nothing but they.
  moved: boolean
  // The object that an element of an order is from, where only one can be.
  ownerOf: (element: string) => string | undefined
}

export const isMember = (object: string) => /\(.*\)(#\d+)?$/.test(object)

// Atoms whose names no other object defines: their object is known, whichever definition a linker prefers.
function ownAtoms(objects: InputObject[]): Set<Atom> {
  const definers = new Map<string, Atom[]>()
  const atoms = objects.flatMap((object) => object.atoms.flat())
  for (const atom of atoms) for (const s of atom.symbols) if (s.global) push(definers, s.name, atom)
  return new Set(atoms.filter((atom) => atom.symbols.every((s) => !s.global || definers.get(s.name)!.length === 1)))
}

// Output section -> its objects, by the first atom that only they have.
function sequences(image: Image, own: Set<Atom>): Map<string, string[]> {
  const bySection = new Map<string, Set<string>>()
  for (const start of [...image.placed.keys()].sort((a, b) => a - b)) {
    const section = sectionAt(image, start)
    if (section === null) continue
    const key = `${section.segment},${section.name}`
    const seen = bySection.get(key) ?? new Set()
    bySection.set(key, seen)
    for (const atom of image.placed.get(start)!) if (own.has(atom) && atom.size > 0) seen.add(atom.object)
  }
  return new Map([...bySection].map(([key, seen]) => [key, [...seen]]))
}

/** Compares the places of the input objects in two images of one link. */
export function compareMembers(ours: Image, theirs: Image, objects: InputObject[]): Members {
  const own = ownAtoms(objects)
  const a = sequences(ours, own)
  const b = sequences(theirs, own)
  let moved = false
  let steady = true
  for (const [section, list] of a) {
    const other = b.get(section) ?? []
    const fixed = (names: string[]) => names.filter((name) => !isMember(name)).join()
    if (list.join() !== other.join()) moved = true
    if (fixed(list) !== fixed(other)) steady = false
  }
  const owners = new Map<string, string>()
  for (const [start, atoms] of ours.placed) {
    const sole = atoms.find((atom) => own.has(atom))
    const name = nameAt(ours, start)
    if (sole !== undefined && name !== null) owners.set(name, sole.object)
  }
  return { moved: moved && steady, ownerOf: (element) => owners.get(element) }
}
