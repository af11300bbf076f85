// Table entries that come with their first reference and go with their last: the tables are made anew, in which few entries have
// another slot, and what refers to those is told.
import { dataViewOf } from '../../core/pages.ts'
import { addGot, createGots, findGot, type Gots, KEY_IMPORT, KEY_LOCAL, spawnGots } from '../../../components/gots.ts'
import { IMPORT_CALLED } from '../../../components/imports.ts'
import type { Link } from '../../../components/link.ts'
import { TARGET_IMPORT } from '../../../components/symbols.ts'
import { placeEntries } from '../../../systems/kernels/entrySlots.ts'
import { SEGMENT_STRIDE } from '../../../components/fixups.ts'
import { makeStubs, nameGots } from '../../../systems/scan.ts'
import { indirectSymbols, writeEntries } from '../../../systems/writeIndirect.ts'
import type { DirtyPages, Pointers } from './dirtyPages.ts'
import { entryOf } from './effects.ts'
import { replaceTable } from './patchTables.ts'
import { dropBetween, settleRows, sortFixups } from './fixupRows.ts'
import { reserveFixups, saveBytes } from './pointers.ts'
import { pageOf } from './rechain.ts'
import type { Relations } from './relations.ts'
import { type Touched, touch } from './touched.ts'
import { eachMention, keyOf, unusedElsewhere, type Uses } from './uses.ts'

/** Entries that come and go, by key or import. */
interface Difference {
  gots: Change
  tlvs: Change
  stubs: Change
}

interface Change {
  fresh: number[]
  gone: Set<number>
}

const TABLES = ['gots', 'tlvs', 'stubs'] as const

/** What refers to entries that have another address now, or to symbols that are now, or not any more, loaded through the GOT. */
interface MovedEntries {
  /** By import and by symbol: 1. */
  imports: Uint8Array
  symbols: Set<number>
}

/** What changes when `file`, which has caused `before`, causes `now`; null for nothing, a reason in words where that cannot be told. */
export function entriesThatDiffer(
  link: Link,
  relations: () => Relations,
  file: number,
  before: Uses,
  now: Uses,
): Difference | null | string {
  const lost = (table: (typeof TABLES)[number]) => before[table].filter((key) => !now[table].includes(key))
  const all = { gots: lost('gots'), tlvs: lost('tlvs'), stubs: lost('stubs') }
  const some = TABLES.some((table) => all[table].length > 0)
  const gone = some ? unusedElsewhere(link, file, all, relations()) : null
  if (some && gone === null) return 'gives up table entries that many objects mention'
  const none = new Set<number>()
  const fresh = (table: (typeof TABLES)[number], has: (key: number) => boolean): Change => ({
    fresh: now[table].filter((key) => !has(key)),
    gone: gone?.[table] ?? none,
  })
  const difference = {
    gots: fresh('gots', (key) => entryOf(link.gots, key) !== 0),
    tlvs: fresh('tlvs', (key) => entryOf(link.tlvs, key) !== 0),
    stubs: fresh('stubs', (made) => link.imports.Use.stub[made] !== 0),
  }
  return TABLES.every((table) => difference[table].fresh.length + difference[table].gone.size === 0) ? null : difference
}

/** Makes the tables anew, in the link's rows and in the image; returns what has moved, or why it cannot, in words. */
export function changeEntries(link: Link, { gots, tlvs, stubs }: Difference, dirty: DirtyPages): MovedEntries | string {
  const old = { gots: link.gots, tlvs: link.tlvs, stubs: stubSlots(link), slots: { ...link.slots } }
  const hadHelper = link.helperEntries > 0
  saveTables(link, dirty.pointers)
  link.gots = remakeGots(link.gots, gots)
  link.tlvs = remakeGots(link.tlvs, tlvs)
  link.imports.Use.got.fill(0)
  nameGots(link)
  remakeStubs(link, stubs)
  placeEntries(link)
  const { slots } = link
  const fits = Object.entries(old.slots).every(([name, count]) => slots[name as keyof typeof slots] === count)
  if (!fits || hadHelper !== link.helperEntries > 0)
    return 'refers to more or fewer table entries than there is room for'
  rewriteTables(link, dirty.pointers)
  if (!replaceTable(link, dirty, 'indirect', indirectSymbols(link))) return 'has other indirect symbols'
  const moved: MovedEntries = { imports: new Uint8Array(link.imports.count + 1), symbols: new Set() }
  movedGots(moved, old.gots, link.gots)
  movedGots(moved, old.tlvs, link.tlvs)
  stubSlots(link).forEach((slot, made) => {
    if (old.stubs[made] !== slot && old.stubs[made] !== 0 && slot !== 0) moved.imports[made] = 1
  })
  for (const key of [...gots.fresh, ...gots.gone]) if ((key & 3) === KEY_LOCAL) moved.symbols.add(key >>> 2)
  return moved
}

/** By import: the slot of its stub plus 1, 0 for none. */
function stubSlots({ stubs, imports }: Link): Uint32Array {
  const slots = new Uint32Array(imports.count + 1)
  for (let stub = 1; stub <= stubs.count; stub++) slots[stubs.Stub.import[stub]] = stubs.Stub.slot[stub] + 1
  return slots
}

function remakeGots(gots: Gots, { fresh, gone }: Change): Gots {
  if (fresh.length + gone.size === 0) return gots
  const made = createGots(gots.count + fresh.length, false)
  for (let got = 1; got <= gots.count; got++)
    if (!gone.has(keyOf(gots, got))) addGot(made, gots.Key.kind[got], gots.Key.index[got])
  for (const key of fresh) addGot(made, key & 3, key >>> 2)
  spawnGots(made)
  return made
}

function remakeStubs(link: Link, { fresh, gone }: Change): void {
  const { stubs, imports } = link
  const called: number[] = []
  for (let stub = 1; stub <= stubs.count; stub++)
    if (!gone.has(stubs.Stub.import[stub])) called.push(stubs.Stub.import[stub])
  called.push(...fresh)
  imports.Use.stub.fill(0)
  called.forEach((made, i) => {
    imports.Use.stub[made] = i + 1
  })
  for (const made of fresh) imports.Library.flags[made] |= IMPORT_CALLED
  for (const made of gone) imports.Library.flags[made] &= ~IMPORT_CALLED
  makeStubs(link, called.length)
}

function movedGots(moved: MovedEntries, old: Gots, now: Gots): void {
  for (let got = 1; got <= now.count; got++) {
    const before = findGot(old, now.Key.kind[got], now.Key.index[got])
    if (before === 0 || old.Slot.slot[before] === now.Slot.slot[got]) continue
    if (now.Key.kind[got] === KEY_IMPORT) moved.imports[now.Key.index[got]] = 1
    else moved.symbols.add(now.Key.index[got])
  }
}

/** Output sections with pointers, and those with code. */
function pointerOutputs({ tables }: Link): number[] {
  return [tables.got, tables.tlvPointers, tables.lazyPointers].filter((output) => output !== 0)
}

function saveTables(link: Link, pointers: Pointers): void {
  const { fileOffset, size } = link.outputs.Extent
  const { stubs, stubHelper } = link.tables
  for (const output of [...pointerOutputs(link), stubs, stubHelper])
    if (output !== 0) saveBytes(link, pointers, fileOffset[output], size[output])
}

function rewriteTables(link: Link, pointers: Pointers): void {
  const { fileOffset, size, address } = link.outputs.Extent
  const { segment } = link.outputs.Section
  sortFixups(link, pointers)
  for (const output of pointerOutputs(link)) {
    link.image.fill(0, fileOffset[output], fileOffset[output] + size[output])
    const from = segment[output] * SEGMENT_STRIDE + address[output] - link.segments.Extent.address[segment[output]]
    for (let at = from; at < from + size[output]; at = pageOf(link, at) + link.settings.pageSize)
      pointers.pages.add(pageOf(link, at))
    dropBetween(link, from, from + size[output])
  }
  const most = link.gots.count + link.tlvs.count + link.stubs.count
  reserveFixups(link, most * 2, most * 2)
  const { rebases, binds } = link.fixups
  writeEntries(link, dataViewOf(link.image))
  settleRows(link, rebases, binds)
  pointers.changed = true
}

/** Objects that mention what has moved. */
export function mentioning(link: Link, relations: Relations, { imports, symbols }: MovedEntries): Touched {
  const touched: Touched = new Map()
  const targets = [...symbols]
  for (let made = 1; made < imports.length; made++) if (imports[made] !== 0) targets.push((TARGET_IMPORT | made) >>> 0)
  eachMention(link, relations, targets, (symbol, _, file) => touch(touched, file, symbol))
  touched.delete(link.internal.file)
  return touched
}
