// Objects of little but string literals and pointers to them, half of the strings in every object.
import * as C from '../../src/formats/macho/constants.ts'
import type { Arch } from '../../src/types.ts'
import {
  addSection,
  addSymbol,
  createObject,
  finishObject,
  GLOBAL,
  LOCAL,
  R_EXTERN,
  R_QUAD,
  relocate,
} from './objectFile.ts'
import { addMain } from './mainFunction.ts'

const STRINGS = 2
const POINTERS = 3
const WORDS = ['expected', 'unexpected', 'invalid', 'missing', 'operand', 'value', 'section', 'address', 'in', 'of']

function textOf(object: number, i: number): string {
  const pick = (n: number) => WORDS[(Math.imul(3 * i + n, 0x9e3779b1) >>> 16) % WORDS.length]
  return `${pick(1)} ${pick(2)} ${pick(3)} (${i & 1 ? 'shared' : `unit ${object}`} ${i})`
}

/** Yields the bytes of `objects` objects with `strings` strings each; the first has `_main`. */
export function* stringObjects(arch: Arch, objects: number, strings: number): Generator<Uint8Array, void> {
  for (let index = 0; index < objects; index++) {
    const object = createObject(arch)
    addMain(object, index === 0 ? '_main' : `_unit${index}`)
    const literals = addSection(object, '__TEXT', '__cstring', C.S_CSTRING_LITERALS, 0)
    const pointers = addSection(object, '__DATA', '__const', C.S_REGULAR, 3)
    addSymbol(object, `_messages${index}`, GLOBAL, POINTERS)
    for (let i = 0; i < strings; i++) {
      const symbol = addSymbol(object, `l_.str.${i}`, LOCAL, STRINGS, literals.bytes.length)
      literals.bytes.cstring(textOf(index, i))
      relocate(pointers, symbol, R_QUAD | R_EXTERN, C.X86_64_RELOC_UNSIGNED)
      pointers.bytes.u64(0)
    }
    yield finishObject(object)
  }
}
