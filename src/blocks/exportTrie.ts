// The export trie: made anew when a name comes or goes; an address that changes is put into it.
import { EDIT_EXPORTED, EDIT_HIDDEN, EDIT_REEXPORT, EDIT_WEAK } from '../../components/edits.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { highestId } from '../ecs.ts'
import { encodeExportTrie } from '../formats/dyld/exportTrie.ts'
import type { NameRows } from '../formats/dyld/sortNames.ts'
import { moveExport } from '../formats/dyld/moveExport.ts'
import {
  EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL,
  EXPORT_SYMBOL_FLAGS_REEXPORT,
  EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER,
  EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION,
} from '../formats/macho/constants.ts'
import { blockAddress, symbolAddress } from './entries.ts'
import { type Base, isLinked, NOT_EXPORTED } from './linked/base.ts'
import { findName } from './nameIndex.ts'
import type { State } from './state.ts'
import { isSameString, stringBytes } from './strings.ts'
import { replaceTable, touchTable } from './table.ts'

/** An address has four bytes in the export trie, so that an export can move wherever without another trie. */
const FOUR_BYTES = 2 ** 21

export function writeExports(state: State): void {
  if (state.stale.exports || !moveExports(state)) {
    state.movedExports.length = 0
    replaceTable(state.tables.exports, exportTrie(state))
    moveExports(state)
  }
  state.stale.exports = false
  state.movedExports.length = 0
}

function exportTrie(state: State): Uint8Array {
  const owners = inOrder(state, exported(state))
  const kept = keptExports(state)
  const { string } = state.blocks.Entry
  const count = owners.length + kept.strings.length
  const [strings, imported, others] = [new Uint32Array(count), new Uint32Array(count), new Uint32Array(count)]
  const [flags, addresses] = [new Uint8Array(count), new Float64Array(count)]
  for (let i = 0; i < owners.length; i++) {
    const block = owners[i]
    strings[i] = string[block]
    addresses[i] = exportAddress(state, block)
    flags[i] = exportFlags(state, block)
    others[i] = otherOf(state, block)
    imported[i] = importName(state, block)
  }
  strings.set(kept.strings, owners.length)
  addresses.set(kept.addresses, owners.length)
  flags.set(kept.flags, owners.length)
  others.set(kept.others, owners.length)
  imported.set(kept.importStrings, owners.length)
  const names = namesOf(state, strings)
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  const bytes = encodeExportTrie({
    names,
    flags,
    addresses,
    others,
    importNames: namesOf(state, imported),
    order,
    count,
  })
  state.sortedExports = order.filter((i) => i < owners.length).map((i) => owners[i])
  return bytes
}

/** As the last trie had them, those that are new behind them: names that ascend are soon sorted. */
function inOrder({ blocks, sortedExports }: State, owners: Uint32Array): Uint32Array {
  const left = new Uint8Array(blocks.rows + 1)
  for (let i = 0; i < owners.length; i++) left[owners[i]] = 1
  const ordered = new Uint32Array(owners.length)
  let count = 0
  for (const list of [sortedExports, owners])
    for (let i = 0; i < list.length; i++) {
      if (left[list[i]] === 0) continue
      left[list[i]] = 0
      ordered[count++] = list[i]
    }
  return ordered
}

/** String 0 is no name. */
function namesOf(state: State, strings: Uint32Array): NameRows {
  const { offset: offsets, length: lengths } = state.strings.Text
  const offset = new Uint32Array(strings.length)
  const length = new Uint32Array(strings.length)
  for (let i = 0; i < strings.length; i++) {
    offset[i] = offsets[strings[i]]
    length[i] = strings[i] === 0 ? 0 : lengths[strings[i]]
  }
  return { bytes: state.tables.strings.bytes, offset, length }
}

function importName(state: State, block: number): number {
  if ((state.blocks.Place.flags[block] & EDIT_REEXPORT) === 0) return 0
  const own = state.uses.Uses.string[state.blocks.Entry.definition[block] & 0x7fffffff]
  return isSameString(state, own, state.blocks.Entry.string[block]) ? 0 : own
}

const NONE: Base['exports'] = { owners: [], strings: [], flags: [], addresses: [], others: [], importStrings: [] }

/** What the file that was opened exports and no symbol says: while its block is as it was, or no other has the name. */
function keptExports(state: State): Base['exports'] {
  const { base } = state
  if (base === null || base.exports.strings.length === 0) return NONE
  const { flags } = state.blocks.Place
  const { row, string } = state.blocks.Entry
  const left = [...base.exports.strings.keys()].filter((i) => {
    const owner = base.exports.owners[i]
    if (owner !== 0) return row[owner] !== 0 && isAsLinked(state, base, owner)
    const name = stringBytes(state, base.exports.strings[i])
    return findName(state, name, (e) => (e & TARGET_IMPORT) === 0 && (flags[e] & TAKES) === EDIT_EXPORTED) === 0
  })
  const pick = (list: readonly number[]) => left.map((i) => list[i])
  const { owners, strings, flags: kinds, addresses, others, importStrings } = base.exports
  return {
    owners: pick(owners),
    strings: left.map((i) => (owners[i] === 0 ? strings[i] : string[owners[i]])),
    flags: pick(kinds),
    addresses: pick(addresses),
    others: pick(others),
    importStrings: pick(importStrings),
  }
}

function isAsLinked({ blocks }: State, { exportFlags, original, firstBlock }: Base, block: number): boolean {
  const number = block - firstBlock
  const changed = (blocks.Place.flags[block] ^ original.flags[number]) & (TAKES | EDIT_WEAK)
  return changed === 0 && exportFlags[number] === NOT_EXPORTED
}

const TAKES = EDIT_EXPORTED | EDIT_HIDDEN

/** Blocks with a name in the trie: those among the external symbols, and re-exports, which have none. */
function exported(state: State): Uint32Array {
  const { symtab, symbolRows, blocks } = state
  let owners = symbolRows.Row.owner.subarray(symtab.locals + 1, symtab.locals + symtab.externals + 1) as Uint32Array
  const { base } = state
  if (base !== null)
    owners = owners.filter((b) => !isLinked(state, b) || base.exportFlags[b - base.firstBlock] !== NOT_EXPORTED)
  if (state.reexports === 0) return owners
  const all = new Uint32Array(owners.length + state.reexports)
  all.set(owners)
  let count = owners.length
  for (let block = highestId(blocks.world); block > 0; block--)
    if (blocks.Place.flags[block] & EDIT_REEXPORT) all[count++] = block
  return all
}

/** Those that are moved then are padded. */
function exportAddress(state: State, block: number): number {
  if (state.blocks.Place.flags[block] & EDIT_REEXPORT) return 0
  const address = symbolAddress(state, block) - state.settings.imageBase
  if (isLinked(state, block)) return address
  if (address < FOUR_BYTES) state.movedExports.push(block)
  return Math.max(address, FOUR_BYTES)
}

function exportFlags(state: State, block: number): number {
  const { Place, Entry } = state.blocks
  if (Place.flags[block] & EDIT_REEXPORT) return EXPORT_SYMBOL_FLAGS_REEXPORT
  const weak = Place.flags[block] & EDIT_WEAK ? EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION : 0
  const resolved = Entry.resolver[block] === 0 ? 0 : EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER
  if (state.base !== null && isLinked(state, block))
    return state.base.exportFlags[block - state.base.firstBlock] | weak | resolved
  return weak | resolved | (Entry.descriptor[block] === 0 ? 0 : EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL)
}

/** The library of a re-export, or the resolver's address. */
function otherOf(state: State, block: number): number {
  const { Place, Entry } = state.blocks
  if (Place.flags[block] & EDIT_REEXPORT) return state.imports.Library.ordinal[Entry.definition[block] & 0x7fffffff]
  return Entry.resolver[block] === 0 ? 0 : blockAddress(state, Entry.resolver[block]) - state.settings.imageBase
}

function isInTrie(state: State, block: number): boolean {
  const { symtab, blocks } = state
  const row = blocks.Entry.row[block] - 1
  return row >= symtab.locals && row < symtab.locals + symtab.externals
}

/** Puts the addresses of exports that moved into the trie; false where one does not fit. */
function moveExports(state: State): boolean {
  const { exports, strings } = state.tables
  for (const block of state.movedExports) {
    if (!isInTrie(state, block)) continue
    const string = state.blocks.Entry.string[block]
    const { offset, length } = state.strings.Text
    const address = symbolAddress(state, block) - state.settings.imageBase
    const at = moveExport(exports.bytes, strings.bytes, offset[string], length[string], address, true)
    if (at < 0) return false
    touchTable(exports, at, at + 8)
  }
  return true
}
