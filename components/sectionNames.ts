// Distinct (segment, section) names of input sections: a few dozen in any link, compared as words, made text once.
import { fixedName } from '../src/core/bytes.ts'

/** Words of the two names, as in section_64. */
export const SECTION_NAME_WORDS = 8
const WORDS = SECTION_NAME_WORDS

export interface SectionNames {
  /** Eight words a name: sectname, then segname, as in section_64. */
  words: Uint32Array
  count: number
  index: Uint32Array
  sections: string[]
  segments: string[]
}

export function createSectionNames(): SectionNames {
  return { words: new Uint32Array(64 * WORDS), count: 0, index: new Uint32Array(256), sections: [''], segments: [''] }
}

/** The id (from 1) of the names in the section_64 that starts at words[at]. */
export function internSectionName(names: SectionNames, words: Uint32Array, bytes: Uint8Array, at: number): number {
  let hash = 0
  for (let i = 0; i < WORDS; i++) hash = Math.imul(hash ^ words[at + i], 0x9e3779b1)
  const mask = names.index.length - 1
  let probe = (hash ^ (hash >>> 15)) & mask
  for (let id = names.index[probe]; id !== 0; id = names.index[probe]) {
    if (sameWords(names.words, id * WORDS, words, at)) return id
    probe = (probe + 1) & mask
  }
  return addSectionName(names, words, bytes, at, probe)
}

function sameWords(a: Uint32Array, from: number, b: Uint32Array, at: number): boolean {
  for (let i = 0; i < WORDS; i++) if (a[from + i] !== b[at + i]) return false
  return true
}

function addSectionName(names: SectionNames, words: Uint32Array, bytes: Uint8Array, at: number, probe: number): number {
  const id = ++names.count
  if ((id + 1) * WORDS > names.words.length) {
    const grown = new Uint32Array(names.words.length * 2)
    grown.set(names.words)
    names.words = grown
  }
  names.words.set(words.subarray(at, at + WORDS), id * WORDS)
  names.sections[id] = fixedName(bytes, at * 4)
  names.segments[id] = fixedName(bytes, at * 4 + 16)
  names.index[probe] = id
  if (names.count * 2 > names.index.length) regrow(names)
  return id
}

function regrow(names: SectionNames): void {
  names.index = new Uint32Array(names.index.length * 2)
  const mask = names.index.length - 1
  for (let id = 1; id <= names.count; id++) {
    let hash = 0
    for (let i = 0; i < WORDS; i++) hash = Math.imul(hash ^ names.words[id * WORDS + i], 0x9e3779b1)
    let probe = (hash ^ (hash >>> 15)) & mask
    while (names.index[probe] !== 0) probe = (probe + 1) & mask
    names.index[probe] = id
  }
}
