// Slots of table entries. In the tight layout they stand in the order of first use, as ld64.lld has them. In the padded layout a
// hash table without history gives them: linear probing, entered in the order of the keys, so that the slots follow from the set
// of keys alone, and one entry more or less moves few others.
import { type Gots, KEY_IMPORT } from '../../components/gots.ts'
import { compareNames } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { fromText } from '../../src/core/bytes.ts'
import { hashBytes } from '../../src/core/hash.ts'
import { mix } from '../../src/core/words.ts'
import { sizeClass } from '../../src/core/sizeClass.ts'
import { symbolText } from './places.ts'
import { fileOfSymbol, ranksBefore } from './ranks.ts'

/**
 * At most three quarters of the slots are taken, in classes an eighth of the power of two apart, so that a table of 384 entries or
 * more takes at most half as much again; a class is 64 slots at least (half a kilobyte), for a table that is small changes its class too often else.
 */
const LOAD = 0.75
const SLOT_STEPS = 3
const LEAST_SLOTS = 64
/** Parts the keys of local symbols from those of imports. */
const LOCAL_SEED = 0x2545f491
/** Where an entry is sought first must not follow from what orders the entries: more of them would move. */
const HOME_SEED = 0x3c6ef372

/** Slots of a table for so many entries. */
export function slotCount(link: Link, entries: number): number {
  return link.settings.layout === 'padded' ? sizeClass(Math.ceil(entries / LOAD), SLOT_STEPS, LEAST_SLOTS) : entries
}

/** Gives each entry its slot. `hashes` are of the keys, below 2^31; `compare` orders entries whose hashes are the same. */
export function hashedSlots(
  hashes: Uint32Array,
  capacity: number,
  compare: (a: number, b: number) => number,
): Uint32Array {
  const order = byHash(hashes)
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && hashes[order[to]] === hashes[order[from]]) to++
    if (to > from + 1) order.subarray(from, to).sort(compare)
    from = to
  }
  const taken = new Uint8Array(capacity)
  const slots = new Uint32Array(hashes.length)
  for (const entry of order) {
    let slot = mix(hashes[entry] ^ HOME_SEED) % capacity
    while (taken[slot] !== 0) slot = slot + 1 === capacity ? 0 : slot + 1
    taken[slot] = 1
    slots[entry] = slot
  }
  return slots
}

const DIGIT_BITS = 11

/** Entries by their hashes: 60,000 take 15 ms, where a sort that asks a function takes 35. */
function byHash(hashes: Uint32Array): Uint32Array {
  let from = Uint32Array.from(hashes.keys())
  let to = new Uint32Array(hashes.length)
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const starts = new Uint32Array((1 << DIGIT_BITS) + 1)
    const mask = starts.length - 2
    for (let entry = 0; entry < hashes.length; entry++) starts[((hashes[entry] >>> shift) & mask) + 1]++
    for (let digit = 1; digit < starts.length; digit++) starts[digit] += starts[digit - 1]
    for (let i = 0; i < from.length; i++) to[starts[(hashes[from[i]] >>> shift) & mask]++] = from[i]
    ;[from, to] = [to, from]
  }
  return from
}

/** Hash of an import's name, by which tables hold it: a link has one import a name. */
export function importHash(link: Link, made: number): number {
  return link.names.Text.hash[link.imports.Library.name[made]]
}

export function compareImports(link: Link, a: number, b: number): number {
  const { name } = link.imports.Library
  return compareNames(link, name[a], name[b])
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Slots of the link's tables, from their keys. */
export function placeEntries(link: Link): void {
  const { gots, tlvs, stubs, slots, settings } = link
  slots.gots = slotCount(link, gots.count)
  slots.tlvs = slotCount(link, tlvs.count)
  slots.stubs = slotCount(link, stubs.count)
  slots.lazy = settings.fixupChains ? 0 : slots.stubs
  slots.helpers = slotCount(link, link.helperEntries)
  if (settings.layout !== 'padded') return
  placeGots(link, gots, slots.gots)
  placeGots(link, tlvs, slots.tlvs)
  placeStubs(link)
}

function placeGots(link: Link, gots: Gots, capacity: number): void {
  const { kind, index } = gots.Key
  const hashes = new Uint32Array(gots.count)
  for (let i = 0; i < hashes.length; i++)
    hashes[i] = kind[i + 1] === KEY_IMPORT ? importHash(link, index[i + 1]) : localHash(link, index[i + 1])
  gots.Slot.slot.set(
    hashedSlots(hashes, capacity, (a, b) => compareKeys(link, gots, a + 1, b + 1)),
    1,
  )
}

/** Hash of the name of a target, as in Reference.target. */
export function targetHash(link: Link, target: number): number {
  return target & TARGET_IMPORT ? importHash(link, target & ~TARGET_IMPORT) : localHash(link, target)
}

function localHash(link: Link, symbol: number): number {
  const name = link.symbols.Definition.name[symbol]
  const text = name === 0 ? fromText(symbolText(link, fileOfSymbol(link, symbol), symbol)) : null
  return mix((text === null ? link.names.Text.hash[name] : hashBytes(text, 0, text.length)) ^ LOCAL_SEED)
}

/** By kind, name, and for locals of one name by their places among the inputs. */
function compareKeys(link: Link, { Key }: Gots, a: number, b: number): number {
  if (Key.kind[a] !== Key.kind[b]) return Key.kind[a] - Key.kind[b]
  return (Key.kind[a] === KEY_IMPORT ? compareImports : compareLocals)(link, Key.index[a], Key.index[b])
}

/** Imports last. */
export function compareTargets(link: Link, a: number, b: number): number {
  if ((a ^ b) & TARGET_IMPORT) return a - b
  if (a & TARGET_IMPORT) return compareImports(link, a & ~TARGET_IMPORT, b & ~TARGET_IMPORT)
  return compareLocals(link, a, b)
}

function compareLocals(link: Link, one: number, other: number): number {
  const [file, otherFile] = [fileOfSymbol(link, one), fileOfSymbol(link, other)]
  const texts = compareTexts(symbolText(link, file, one), symbolText(link, otherFile, other))
  if (texts !== 0 || file === otherFile) return texts || one - other
  return ranksBefore(link, file, otherFile) ? -1 : 1
}

/**
 * Stub and lazy pointer of an import have one slot. Helper entries are packed, in the order of the slots, with room behind them:
 * only lazy pointers refer to them.
 */
function placeStubs(link: Link): void {
  const { Stub, LazyBind, count } = link.stubs
  const hashes = Uint32Array.from({ length: count }, (_, i) => importHash(link, Stub.import[i + 1]))
  const compare = (a: number, b: number) => compareImports(link, Stub.import[a + 1], Stub.import[b + 1])
  Stub.slot.set(hashedSlots(hashes, link.slots.stubs, compare), 1)
  const stubOf = new Uint32Array(link.slots.stubs)
  for (let stub = 1; stub <= count; stub++) {
    stubOf[Stub.slot[stub]] = stub
    if (Stub.lazy[stub] !== 0) Stub.lazy[stub] = Stub.slot[stub] + 1
  }
  let helper = 0
  for (const stub of stubOf) if (LazyBind.helper[stub] !== 0) LazyBind.helper[stub] = ++helper
}
