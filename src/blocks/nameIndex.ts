// From names to imports, exported blocks and names without a block. The index holds ids, TARGET_IMPORT with those of imports; it is
// made from columns.
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { hashBytes } from '../core/hash.ts'
import type { State } from './state.ts'
import { isSameString, isString } from './strings.ts'

export function stringOf(state: State, entry: number): number {
  return entry & TARGET_IMPORT ? state.uses.Uses.string[entry & 0x7fffffff] : state.blocks.Entry.string[entry]
}

/** The import of a name from the library of an ordinal that has none of `flags`, or 0. */
export function findImport(state: State, name: Uint8Array, ordinal: number, flags: number): number {
  const { Library } = state.imports
  const isIt = (made: number) => Library.ordinal[made] === ordinal && (Library.flags[made] & flags) === 0
  return findName(state, name, (entry) => (entry & TARGET_IMPORT) !== 0 && isIt(entry & 0x7fffffff)) & 0x7fffffff
}

/** An entry of a name, or 0. */
export function findName(state: State, name: Uint8Array, wanted: (entry: number) => boolean): number {
  const { entries } = state.index
  const mask = entries.length - 1
  for (let at = hashBytes(name, 0, name.length) & mask; entries[at] !== 0; at = (at + 1) & mask)
    if (wanted(entries[at]) && isString(state, stringOf(state, entries[at]), name)) return entries[at]
  return 0
}

/** All entries that have the same name as a string. */
export function namedAs(state: State, string: number): number[] {
  const { entries } = state.index
  const { hash } = state.strings.Text
  const mask = entries.length - 1
  const found: number[] = []
  for (let at = hash[string] & mask; entries[at] !== 0; at = (at + 1) & mask) {
    const other = stringOf(state, entries[at])
    if (hash[other] === hash[string] && isSameString(state, other, string)) found.push(entries[at])
  }
  return found
}

/** Blocks in whose place an import counts. */
export function aliasesOf(state: State, made: number): number[] {
  const target = (TARGET_IMPORT | made) >>> 0
  const { definition } = state.blocks.Entry
  return namedAs(state, state.uses.Uses.string[made]).filter(
    (e) => (e & TARGET_IMPORT) === 0 && definition[e] === target,
  )
}

export function addToIndex(state: State, entry: number): void {
  const { index } = state
  if (++index.used * 2 > index.entries.length) grow(state)
  place(state, index.entries, entry)
}

function place(state: State, entries: Uint32Array, entry: number): void {
  const mask = entries.length - 1
  let at = state.strings.Text.hash[stringOf(state, entry)] & mask
  while (entries[at] !== 0) at = (at + 1) & mask
  entries[at] = entry
}

function grow(state: State): void {
  const entries = new Uint32Array(state.index.entries.length * 2)
  for (const entry of state.index.entries) if (entry !== 0) place(state, entries, entry)
  state.index.entries = entries
}

/** Takes the name's entry out and lets those that had to go further move up. */
export function dropFromIndex(state: State, entry: number): void {
  const { entries } = state.index
  const mask = entries.length - 1
  const hashOf = (e: number) => state.strings.Text.hash[stringOf(state, e)] & mask
  let hole = hashOf(entry)
  while (entries[hole] !== entry) hole = (hole + 1) & mask
  state.index.used--
  for (let at = (hole + 1) & mask; entries[at] !== 0; at = (at + 1) & mask) {
    if (((at - hashOf(entries[at])) & mask) < ((at - hole) & mask)) continue
    entries[hole] = entries[at]
    hole = at
  }
  entries[hole] = 0
}
