import * as C from '../../src/formats/macho/constants.ts'
import { codeFor } from './code.ts'
import { addSection, addSymbol, GLOBAL, type ObjectFile, type ObjectSection, UNDEFINED } from './objectFile.ts'

const TEXT = 1
const TEXT_FLAGS = C.S_REGULAR + C.S_ATTR_PURE_INSTRUCTIONS + C.S_ATTR_SOME_INSTRUCTIONS

/** Adds __text, the object's first section, with one function that calls each of `calls` once. */
export function addMain(object: ObjectFile, name: string, calls: readonly string[] = []): ObjectSection {
  const code = codeFor(object.arch)
  const text = addSection(object, '__TEXT', '__text', TEXT_FLAGS, 4)
  addSymbol(object, name, GLOBAL, TEXT)
  const branch = code.begin(text, 0)
  for (const callee of calls) code.call(text, 0, addSymbol(object, callee, UNDEFINED))
  code.end(text, branch)
  return text
}
