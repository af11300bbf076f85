// scan: walks the relocations of live blocks once: checks their form, counts rebases and binds, makes GOT keys, TLV pointers and
// stubs, and collects references to undefined symbols.
// Reads: live blocks, relocations, Reference.target. Writes: gots, tlvs, stubs, Before, import use, fixup columns (empty, sized).
// After strip and fold (only what stays causes entries), before allocate, which needs the sizes. Cost: one visit a relocation.

import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../components/blocks.ts'
import { createFixups } from '../components/fixups.ts'
import { addGot, createGots, KEY_IMPORT, KEY_LOCAL, spawnGots } from '../components/gots.ts'
import { FILE_SPECIAL } from '../components/files.ts'
import {
  IMPORT_CALLED,
  IMPORT_DYNAMIC_LOOKUP,
  IMPORT_OWN,
  IMPORT_THREAD_LOCAL,
  IMPORT_USED,
  IMPORT_WEAK_DEF,
} from '../components/imports.ts'
import { knownName } from '../components/internal.ts'
import type { Link } from '../components/link.ts'
import { NAME_REPORTED, NAME_WANTED, WHERE_IMPORT, WHERE_UNDEFINED, spawnNames } from '../components/names.ts'
import { CONTENT_COMPACT_UNWIND, CONTENT_DROPPED, CONTENT_INIT_POINTERS } from '../components/sections.ts'
import { createStubs } from '../components/stubs.ts'
import {
  LAST_TARGET,
  SYMBOL_ABSOLUTE,
  SYMBOL_DEFINED,
  SYMBOL_THREAD_LOCAL,
  TARGET_IMPORT,
} from '../components/symbols.ts'
import { R_ADDEND, R_BRANCH, R_GOT, R_POINTER, R_SUBTRAHEND, R_TLV, R_UNSIGNED } from '../src/arch/arch.ts'
import { error } from '../src/core/messages.ts'
import { wholeOf } from '../src/core/pages.ts'
import { spawnRange } from '../src/ecs.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { formKinds, KIND_ADDEND, KIND_BRANCH, KIND_PLAIN, KIND_POINTER, KIND_WIDE } from './kernels/formKinds.ts'
import { createSite, enterSection, type Site } from './kernels/references.ts'
import { specialReference } from './scan/special.ts'
import { badForm, badInitializer, badRelocation, badThreadLocal, checkDescriptor } from './scan/check.ts'
import { placeEntries } from './kernels/entrySlots.ts'
import { isLinked } from './kernels/isLinked.ts'
import { keepFrames } from './scan/frames.ts'
import { scanMessenger } from './scan/messenger.ts'
import { prepareStubBinder } from './scan/stubBinder.ts'
import { noteUndefined, noteWanted, reportUndefined, type Undefined } from './scan/undefined.ts'

export interface Scan {
  site: Site
  /** By form: see formKinds. */
  kinds: Uint8Array
  undefineds: Undefined
  rebases: number
  binds: number
  /** Stubs so far: they stand in the order of the first calls. */
  calls: number
  threadVariables: boolean
  /** No symbol that the section's file refers to needs a closer look. */
  plain: boolean
  /** Pointers of the section become offsets: what another image has is reached through a stub. */
  initPointers: boolean
  /** Symbols lie in a __mod_init_func that becomes offsets: nothing may refer to them. */
  initializers: boolean
}

export function scan(link: Link): void {
  const { shared } = link.arenas
  keepFrames(link)
  link.gots = createGots(link.symbols.count + link.imports.count + 16, shared)
  link.tlvs = createGots(link.imports.count + 1, shared)
  const state = createScan(link)
  checkWanted(link, state)
  scanOwn(link, state)
  const { Before } = link.files
  for (const file of link.order) {
    Before.gots[file] = link.gots.count
    Before.tlvs[file] = link.tlvs.count
    Before.stubs[file] = state.calls
    scanFile(link, state, file)
  }
  scanFile(link, state, link.internal.file)
  scanUnwind(link)
  reportUndefined(link, state.undefineds)
  makeStubs(link, state.calls)
  prepareStubBinder(link)
  placeEntries(link)
  nameGots(link)
  spawnNames(link.names)
  spawnGots(link.gots)
  spawnGots(link.tlvs)
  const slots = link.gots.count + link.tlvs.count + link.stubs.count + link.selectors.count
  link.fixups = createFixups(state.rebases + state.binds + slots * 2, state.binds + slots * 2, shared)
}

/** What no object refers to, but the linker itself. */
export function scanOwn(link: Link, state: Scan): void {
  callEntry(link, state)
  const messenger = scanMessenger(link, state.undefineds)
  if (messenger !== 0) call(link, state, messenger)
}

/** Tells imports their entries of the GOT. */
export function nameGots({ gots, imports }: Link): void {
  for (let got = 1; got <= gots.count; got++)
    if (gots.Key.kind[got] === KEY_IMPORT) imports.Use.got[gots.Key.index[got]] = got
}

/** Nothing scanned yet. */
export function createScan(link: Link): Scan {
  return {
    site: createSite(),
    kinds: formKinds(link.arch.attributes),
    undefineds: new Map(),
    rebases: 0,
    binds: 0,
    calls: 0,
    threadVariables: false,
    plain: false,
    initPointers: false,
    initializers: hasInitializers(link),
  }
}

export function scanFile(link: Link, state: Scan, file: number): void {
  const { files, sections } = link
  const first = files.Ranges.section[file]
  const special = (files.Source.flags[file] & FILE_SPECIAL) !== 0
  for (let section = first; section < first + files.Ranges.sections[file]; section++) {
    const content = sections.Header.content[section]
    if (sections.Relocations.count[section] === 0 || content === CONTENT_DROPPED || content === CONTENT_COMPACT_UNWIND)
      continue
    enterSection(state.site, link, section)
    const { rebases, binds } = state
    state.threadVariables = (sections.Header.flags[section] & macho.SECTION_TYPE) === macho.S_THREAD_LOCAL_VARIABLES
    state.initPointers = content === CONTENT_INIT_POINTERS
    state.plain = !special && !state.threadVariables && !state.initializers
    scanSection(link, state, section)
    sections.Fixups.rebases[section] = state.rebases - rebases
    sections.Fixups.binds[section] = state.binds - binds
    link.visited.rows += sections.Relocations.count[section]
  }
}

/** Most records name a symbol of this image or call an import again: nothing is to be done for them. */
function scanSection(link: Link, state: Scan, section: number): void {
  const { offset, size, flags } = link.blocks.Extent
  const { first, count } = link.blocks.Relocations
  const { target } = link.symbols.Reference
  const imports = link.imports.Library.flags
  const { site, kinds, plain } = state
  const { words, records, firstSymbol, symbolCount } = site
  const mask = state.initPointers ? BLOCK_COALESCED : BLOCK_LIVE | BLOCK_FOLDED
  const wanted = state.initPointers ? 0 : BLOCK_LIVE
  const start = link.sections.Blocks.first[section]
  const stop = start + link.sections.Blocks.count[section]
  let pointers = 0
  for (let block = start; block < stop; block++) {
    if (count[block] === 0 || (flags[block] & mask) !== wanted) continue
    const from = offset[block]
    const limit = from + size[block]
    const end = first[block] + count[block]
    let lastAt = 0
    let lastEnd = 0
    for (let i = first[block]; i < end; i++) {
      const at = words[records + i * 2]
      const word = words[records + i * 2 + 1]
      const kind = kinds[word >>> 24]
      const next = at + 4 + (kind & KIND_WIDE)
      if (kind === 0 || at < from || next > limit) {
        badPlace(link, site, i, kind)
        continue
      }
      if (at < lastEnd && next > lastAt) badRelocation(link, site, i, 'overlaps the one before it')
      lastAt = at
      lastEnd = kind & KIND_ADDEND ? at : next
      if (plain && kind & (KIND_PLAIN | KIND_POINTER) && (word & 0xffffff) < symbolCount) {
        const to = target[firstSymbol + (word & 0xffffff)]
        if (to !== 0 && to <= LAST_TARGET) {
          if (kind & KIND_POINTER) pointers++
          continue
        }
        if (kind & KIND_BRANCH && to !== 0 && (imports[to & 0x7fffffff] & CALL_STATE) === CALLED_BEFORE) continue
      }
      i += scanRecord(link, state, block, i, end)
    }
  }
  state.rebases += pointers
}

/** An import that was called once needs no look at a further call, unless each reference is told of. */
const CALLED_BEFORE = IMPORT_CALLED | IMPORT_USED
const CALL_STATE = CALLED_BEFORE | IMPORT_THREAD_LOCAL | IMPORT_DYNAMIC_LOOKUP

function badPlace(link: Link, site: Site, i: number, kind: number): void {
  if (kind === 0) badForm(link, site, i)
  else badRelocation(link, site, i, 'extends past the end of its section')
}

/** Any record. Returns how many behind it belong to it. */
function scanRecord(link: Link, state: Scan, block: number, i: number, end: number): number {
  const { site } = state
  const word = site.words[site.records + i * 2 + 1]
  const is = link.arch.attributes[word >>> 28]
  if (state.threadVariables) checkDescriptor(link, site, block, i)
  if (is & (R_ADDEND | R_SUBTRAHEND)) {
    if (!isPair(link, site, i, end) || is & R_ADDEND) return 0
    scanPair(link, state, block, i)
    return 1
  }
  const number = word & 0xffffff
  if (word & 0x08000000) {
    if (number >= site.symbolCount) badRelocation(link, site, i, `refers to symbol ${number} of ${site.symbolCount}`)
    else scanSymbol(link, state, block, i, is)
  } else if (number === 0 || number > site.sectionCount) {
    badRelocation(link, site, i, `refers to section ${number} of ${site.sectionCount}`)
  } else if (is & R_UNSIGNED && isWide(word) && !state.threadVariables) state.rebases++
  return 0
}

/** Eight bytes: a pointer. */
function isWide(word: number): boolean {
  return (word & 0x06000000) === 0x06000000
}

/** SUBTRACTOR and ADDEND are followed by what they belong to, at the same place. */
function isPair(link: Link, site: Site, i: number, end: number): boolean {
  const is = link.arch.attributes[site.words[site.records + i * 2 + 1] >>> 28]
  const next = site.words[site.records + i * 2 + 3]
  const fits = i + 1 < end && site.words[site.records + i * 2 + 2] === site.words[site.records + i * 2]
  const kind = fits ? link.arch.attributes[next >>> 28] : 0
  const right =
    is & R_SUBTRAHEND ? kind & R_UNSIGNED : kind !== 0 && (kind & (R_ADDEND | R_SUBTRAHEND | R_UNSIGNED)) === 0
  if (!fits || !right) badRelocation(link, site, i, 'is not followed by the relocation that it belongs to')
  return fits && right !== 0 && right !== false
}

/** A difference of two addresses of this image: no fixup, but both must be defined. */
function scanPair(link: Link, state: Scan, block: number, i: number): void {
  const { site } = state
  for (const record of [i, i + 1]) {
    const word = site.words[site.records + record * 2 + 1]
    const number = word & 0xffffff
    if ((word & 0x08000000) === 0) {
      if (number === 0 || number > site.sectionCount)
        badRelocation(link, site, record, `refers to section ${number} of ${site.sectionCount}`)
      continue
    }
    if (number >= site.symbolCount) {
      badRelocation(link, site, record, `refers to symbol ${number} of ${site.symbolCount}`)
      continue
    }
    const target = link.symbols.Reference.target[site.firstSymbol + number]
    if (target === 0) missing(link, state, block, record, site.firstSymbol + number)
    else if (target & TARGET_IMPORT && !(link.imports.Library.flags[target & 0x7fffffff] & IMPORT_OWN))
      badRelocation(link, site, record, 'cannot take the difference to a symbol of another image')
  }
}

function missing(link: Link, state: Scan, block: number, record: number, symbol: number): void {
  const name = link.symbols.Definition.name[symbol]
  const offset = state.site.words[state.site.records + record * 2] - link.blocks.Extent.offset[block]
  if (name === 0) badRelocation(link, state.site, record, 'refers to a symbol that defines nothing')
  else noteUndefined(state.undefineds, name, block, offset)
}

function scanSymbol(link: Link, state: Scan, block: number, i: number, is: number): void {
  const { site } = state
  const word = site.words[site.records + i * 2 + 1]
  const symbol = site.firstSymbol + (word & 0xffffff)
  let target = link.symbols.Reference.target[symbol]
  if (target === 0) {
    target = specialReference(link, symbol)
    if (target === 0) return missing(link, state, block, i, symbol)
    if (target === -1) return
  }
  if (target & TARGET_IMPORT) return scanImport(link, state, i, is, target & 0x7fffffff, block)
  if (state.initializers && isInitializer(link, target)) return badInitializer(link, site, i, block, symbol)
  const flags = link.symbols.Definition.flags[target]
  const threadLocal = (flags & SYMBOL_THREAD_LOCAL) !== 0
  if (is & R_TLV ? !threadLocal : threadLocal && (is & (R_GOT | R_BRANCH)) !== 0)
    return badThreadLocal(link, site, i, block)
  if (is & R_GOT) {
    // An address that is computed would slide, where the value must not.
    if (is & R_POINTER || flags & SYMBOL_ABSOLUTE) addGot(link.gots, KEY_LOCAL, target)
    if (isWide(word)) state.rebases++
  } else if (is & R_UNSIGNED && isWide(word) && !(flags & SYMBOL_ABSOLUTE) && !state.threadVariables) state.rebases++
}

/** Whether a symbol stands for a pointer in __mod_init_func; compilers give them no names. */
function hasInitializers(link: Link): boolean {
  const { count, Header } = link.sections
  const content = wholeOf(Header.content)
  for (let section = 1; section <= count; section++)
    if (content[section] === CONTENT_INIT_POINTERS && hasSymbols(link, section)) return true
  return false
}

function hasSymbols(link: Link, section: number): boolean {
  const { block, flags } = link.symbols.Definition
  const { Ranges } = link.files
  const file = link.sections.Header.file[section]
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  for (let symbol = Ranges.symbol[file]; symbol < Ranges.symbol[file] + Ranges.symbols[file]; symbol++)
    if (flags[symbol] & SYMBOL_DEFINED && block[symbol] >= first && block[symbol] < end) return true
  return false
}

function isInitializer(link: Link, target: number): boolean {
  const block = link.symbols.Definition.block[target]
  return block !== 0 && link.sections.Header.content[link.blocks.Extent.section[block]] === CONTENT_INIT_POINTERS
}

function scanImport(link: Link, state: Scan, i: number, is: number, made: number, block: number): void {
  const { Library } = link.imports
  const word = state.site.words[state.site.records + i * 2 + 1]
  const flags = Library.flags[made]
  Library.flags[made] |= IMPORT_USED
  const undefinedName = link.names.Resolution.flags[Library.name[made]] & NAME_REPORTED
  if (undefinedName && link.settings.undefined === 'warning')
    missing(link, state, block, i, state.site.firstSymbol + (word & 0xffffff))
  const threadLocal = (flags & IMPORT_THREAD_LOCAL) !== 0
  if (is & R_TLV ? !threadLocal : threadLocal && (is & (R_GOT | R_BRANCH)) !== 0)
    return badThreadLocal(link, state.site, i, block)
  if (is & R_BRANCH || state.initPointers) call(link, state, made)
  else if (is & R_GOT) {
    if (link.imports.Use.got[made] === 0) link.imports.Use.got[made] = addGot(link.gots, KEY_IMPORT, made)
    if (isWide(word)) state.rebases++
  } else if (is & R_TLV) addGot(link.tlvs, KEY_IMPORT, made)
  else if (is & R_UNSIGNED) {
    if (!isWide(word)) return badRelocation(link, state.site, i, 'is too narrow for a symbol of another image')
    state.binds++
    if (flags & IMPORT_OWN || flags & IMPORT_WEAK_DEF) state.binds++
    if (flags & IMPORT_OWN && flags & IMPORT_WEAK_DEF) state.rebases++
  } else if (!(flags & IMPORT_OWN))
    badRelocation(
      link,
      state.site,
      i,
      `cannot refer directly to ${symbolOf(link, made)}, which is in another image`,
      symbolOf(link, made),
    )
}

function symbolOf(link: Link, made: number): string {
  const name = link.imports.Library.name[made]
  const { arena, offset, length } = link.names.Text
  let text = ''
  for (let i = 0; i < length[name]; i++)
    text += String.fromCharCode(link.arenas.list[arena[name]].bytes[offset[name] + i])
  return text
}

/** Personalities are reached through the GOT, whoever defines them. */
function scanUnwind(link: Link): void {
  const { Entry } = link.unwinds
  let last = 0
  for (let row = 1; row <= link.unwinds.count; row++) {
    const target = Entry.personality[row]
    if (target === 0 || target === last || !isLinked(link, row)) continue
    last = target
    if (target & TARGET_IMPORT) {
      link.imports.Library.flags[target & 0x7fffffff] |= IMPORT_USED
      addGot(link.gots, KEY_IMPORT, target & 0x7fffffff)
    } else addGot(link.gots, KEY_LOCAL, target)
  }
}

/** The entry point, -u names and literally listed exports must be defined. */
function checkWanted(link: Link, state: Scan): void {
  const { where, flags, import: imported } = link.names.Resolution
  const { settings, entry } = link
  if (entry > 0) wantedBy(link, state, entry, 'the entry point')
  for (const text of settings.forceUndefined ?? []) wantedBy(link, state, knownName(link, text), '-u')
  for (const text of new Set(settings.exportedSymbols))
    wantedBy(link, state, knownName(link, text), '-exported_symbol(s_list)')
  for (let name = 1; name <= link.names.count; name++)
    if (flags[name] & NAME_WANTED && where[name] === WHERE_IMPORT)
      link.imports.Library.flags[imported[name]] |= IMPORT_USED
}

function wantedBy(link: Link, state: Scan, name: number, option: string): void {
  const { where, flags } = link.names.Resolution
  if ((flags[name] & NAME_WANTED) === 0) return
  if (where[name] === WHERE_UNDEFINED || (where[name] === WHERE_IMPORT && flags[name] & NAME_REPORTED))
    noteWanted(state.undefineds, name, option)
}

/** An entry point in a library is reached through the first stub. */
function callEntry(link: Link, state: Scan): void {
  const made = link.entry > 0 ? link.names.Resolution.import[link.entry] : 0
  if (made !== 0) call(link, state, made)
}

/** A stub for an import, at its first call; with chained fixups stubs jump through the GOT. */
function call(link: Link, state: Scan, made: number): void {
  const { Library, Use } = link.imports
  if (Library.flags[made] & IMPORT_CALLED) return
  Library.flags[made] |= IMPORT_CALLED
  Use.stub[made] = ++state.calls
  if (link.settings.fixupChains) addGot(link.gots, KEY_IMPORT, made)
}

/** Makes the stubs, numbered by Use.stub. */
export function makeStubs(link: Link, count: number): void {
  const { imports, settings } = link
  const stubs = createStubs(count, link.arenas.shared)
  link.stubs = stubs
  stubs.count = count
  spawnRange(stubs.world, count, [stubs.Stub, stubs.LazyBind])
  for (let made = 1; made <= imports.count; made++)
    if (imports.Use.stub[made] !== 0) stubs.Stub.import[imports.Use.stub[made]] = made
  let helpers = 0
  for (let stub = 1; stub <= count; stub++) {
    stubs.Stub.slot[stub] = stub - 1
    if (settings.fixupChains) continue
    stubs.Stub.lazy[stub] = stub
    if (!(imports.Library.flags[stubs.Stub.import[stub]] & IMPORT_WEAK_DEF)) stubs.LazyBind.helper[stub] = ++helpers
  }
  link.helperEntries = helpers
  if (stubs.count > 0xffffff)
    error(link.messages, 'too-many-stubs', `${stubs.count} stubs, at most ${0xffffff} are possible`)
}
