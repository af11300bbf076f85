// DWARF 2 to 5 in an object file: what the debug map and messages need of it, read in place.
export { type CompileUnit, readCompileUnit, unitPath } from './dwarf/compileUnit.ts'
export type { ByteRange, DwarfSections } from './dwarf/sections.ts'
export { type SourceLine, sourceLine } from './dwarf/sourceLine.ts'
