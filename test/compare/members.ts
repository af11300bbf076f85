import { type Image, nameAt, sectionAt } from './image.ts'
import type { Atom, InputObject } from './inputs.ts'

// Where the objects of a link stand in two images. ld64.lld takes archive members in the order in which it came to need
// them; another linker may take them in the archive's. All other objects stand in the order of the command line.

export interface Members {
  // Several members of archives are in the images, and all other objects stand in the same order in both.
  several: boolean
  // The object that an element of an order is from, FIXED for one that only objects outside archives define, undefined
  // for one that several objects define, a member among them, or that is not from an object.
  ownerOf: (element: string) => string | undefined
}

export const FIXED = 'not from a member'
export const isMember = (object: string) => /\(.*\)(#\d+)?$/.test(object)

// The object or objects that an atom's definition may be from, whichever a linker prefers.
function ownerFinder(objects: InputObject[]): (atom: Atom) => string | undefined {
  const definers = new Map<string, Set<string>>()
  for (const object of objects) {
    for (const atom of object.atoms.flat()) {
      for (const s of atom.symbols)
        if (s.global) definers.set(s.name, (definers.get(s.name) ?? new Set()).add(object.name))
    }
  }
  return (atom) => {
    const all = new Set([atom.object])
    for (const s of atom.symbols) if (s.global) for (const object of definers.get(s.name)!) all.add(object)
    if (![...all].some(isMember)) return all.size === 1 ? atom.object : FIXED
    return all.size === 1 ? atom.object : undefined
  }
}

// Output section -> its objects, by the first atom that only they have.
function sequences(image: Image, ownerOf: (atom: Atom) => string | undefined): Map<string, string[]> {
  const bySection = new Map<string, Set<string>>()
  for (const start of [...image.placed.keys()].sort((a, b) => a - b)) {
    const section = sectionAt(image, start)
    if (section === null) continue
    const key = `${section.segment},${section.name}`
    const seen = bySection.get(key) ?? new Set()
    bySection.set(key, seen)
    for (const atom of image.placed.get(start)!)
      if (ownerOf(atom) === atom.object && atom.size > 0) seen.add(atom.object)
  }
  return new Map([...bySection].map(([key, seen]) => [key, [...seen]]))
}

/** Compares the places of the input objects in two images of one link. */
export function compareMembers(ours: Image, theirs: Image, objects: InputObject[]): Members {
  const ownerOf = ownerFinder(objects)
  const [a, b] = [sequences(ours, ownerOf), sequences(theirs, ownerOf)]
  const fixed = (names: string[] = []) => names.filter((name) => !isMember(name)).join()
  const steady = [...a].every(([section, list]) => fixed(list) === fixed(b.get(section)))
  const members = new Set([...a.values()].flat().filter(isMember))
  const owners = new Map<string, string>()
  for (const [start, atoms] of ours.placed) {
    const owner = ownerOf(atoms[0]!)
    const name = nameAt(ours, start)
    if (owner !== undefined && name !== null) owners.set(name, owner)
  }
  return { several: steady && members.size > 1, ownerOf: (element) => owners.get(element) }
}
